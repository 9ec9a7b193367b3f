//! `tollgate client add`.

use std::path::Path;
use std::time::SystemTime;

use clap_complete::engine::ArgValueCompleter;
use serde_json::json;

use super::save;
use crate::change::new_secret;
use crate::change::operation::{Operation, millis};
use crate::cli::completed_names::scopes;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::{Config, ServerCertificate, parse_duration};
use crate::gateway_client::Endpoint;
use crate::oauth::form;
use crate::oauth::secret::Secret;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The client's id.
    name: String,
    /// A scope that the client may ask for; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE", add = ArgValueCompleter::new(scopes))]
    scopes: Vec<String>,
    /// A scope of the client that its tokens have if the token request names none; may be given several
    /// times.
    #[arg(long = "default-scope", value_name = "SCOPE", add = ArgValueCompleter::new(scopes))]
    default_scopes: Vec<String>,
    /// The lifetime of the client's tokens, such as 5m. Default: that of [token_service].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    token_lifetime: Option<String>,
    /// What else the client may do, besides getting tokens.
    #[arg(long = "capability", value_name = "CAPABILITY", value_enum)]
    capabilities: Vec<Capability>,
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Capability {
    /// Get tokens. Every client that is added may.
    ClientCredentials,
    /// Ask about any token (RFC 7662).
    Introspection,
}

impl Capability {
    /// Returns the name that the file has.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Introspection => "introspection",
        }
    }
}

/// Checks a duration, and returns it as the file writes it.
pub(super) fn duration(text: &str) -> Result<String, String> {
    match parse_duration(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{error}: write it with its unit, such as 299s or 5m")),
    }
}

pub(super) fn add(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    // The secret is hashed first, because other edits wait while the file is open.
    let (secret, hash) = new_secret::generate()?;
    let mut capabilities = vec!["client_credentials".to_owned()];
    if arguments.capabilities.contains(&Capability::Introspection) {
        capabilities.push("introspection".to_owned());
    }
    let default_scopes = once(&arguments.default_scopes);
    // Without a list of its own, the client has the scopes that its tokens have by default.
    let scopes = if arguments.scopes.is_empty() { default_scopes.clone() } else { once(&arguments.scopes) };
    let operation = Operation::ClientAdd {
        id: arguments.name.clone(),
        secret: hash.to_phc(),
        capabilities,
        scopes: scopes.clone(),
        default_scopes: default_scopes.clone(),
        token_lifetime: arguments.token_lifetime.clone(),
        at: millis(SystemTime::now()),
    };
    let (changed, config) = save::edit(path, |file| {
        file.apply(&operation)?;
        Ok(file.path().to_owned())
    })?;
    let text = if arguments.json {
        output::json(&json!({
            "client_id": arguments.name,
            "client_secret": secret.expose(),
            "token_endpoint": Endpoint::Token.url(&config),
            "scopes": scopes,
            "default_scopes": default_scopes,
        }))
    } else {
        format!(
            "The client {:?} is added to {}.\n\n{}{}",
            arguments.name,
            changed.display(),
            credentials(&config, &arguments.name, &secret),
            advice(&arguments.name, &scopes, &default_scopes)
        )
    };
    output::print_once(&text, "`tollgate client reset-secret` makes another secret")
}

/// Says what the client's tokens open if their requests name no scope.
fn advice(name: &str, scopes: &[String], default_scopes: &[String]) -> String {
    match (scopes.first(), default_scopes) {
        (None, _) => format!(
            "\nThe client has no scopes, so its tokens open only routes that need none. To give it one:\n\n  tollgate client \
             edit {name:?} --add-scope SCOPE\n"
        ),
        (Some(scope), []) => format!(
            "\nA token request must name its scope, as above: a token without scopes opens nothing that needs one. For \
             programs that cannot name it (`client add --default-scope` does this at once):\n\n  tollgate client edit \
             {name:?} --add-default-scope {scope}\n"
        ),
        (Some(_), _) => String::new(),
    }
}

fn once(scopes: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for scope in scopes {
        if !kept.contains(scope) {
            kept.push(scope.clone());
        }
    }
    kept
}

/// Returns a client's id and new secret for its owner, and a command to try them.
pub(super) fn credentials(config: &Config, id: &str, secret: &Secret) -> String {
    let scopes = config.client(id).map(|client| client.scopes.as_str()).unwrap_or_default();
    let scope = if scopes.is_empty() { String::new() } else { format!("&scope={}", form::encode(scopes)) };
    let url = Endpoint::Token
        .url(config)
        .unwrap_or_else(|| format!("https://GATEWAY{}", config.token_service.token_endpoint));
    let own = config.server.tls.certificate == ServerCertificate::SelfSigned;
    let insecure = if own && url.starts_with("https://localhost") { "-k " } else { "" };
    format!(
        "  client_id      {id}\n  client_secret  {}\n\nThe secret is shown this once; only its hash is kept. A running \
         gateway knows it within 2 seconds. Try it:\n\n  curl {insecure}-X POST {url} \\\n    -H 'content-type: \
         application/x-www-form-urlencoded' \\\n    -d 'grant_type=client_credentials&client_id={}&client_secret={}{scope}'\n",
        secret.expose(),
        form::encode(id),
        form::encode(secret.expose()),
    )
}
