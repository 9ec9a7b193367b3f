//! `tollgate client add`.

use std::path::Path;

use serde_json::json;

use crate::change::{ConfigFile, NewClient, new_secret};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::{Config, ServerCertificate, parse_duration};
use crate::gateway_client::{Endpoint, encode_form};
use crate::oauth::secret::Secret;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The client's id.
    name: String,
    /// A scope that the client may ask for; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A scope that the client gets if it asks for none; may be given several times.
    #[arg(long = "default-scope", value_name = "SCOPE")]
    default_scopes: Vec<String>,
    /// The lifetime of the client's tokens, such as 5m. Left out: that of [token_service].
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
enum Capability {
    /// Get tokens. Every client that is added may.
    ClientCredentials,
    /// Ask about any token (RFC 7662).
    Introspection,
}

fn duration(text: &str) -> Result<String, String> {
    match parse_duration(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{error}: write it with its unit, such as 299s or 5m")),
    }
}

pub(super) fn add(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    // The secret is hashed first, because other edits wait while the file is open.
    let (secret, hash) = new_secret::generate()?;
    let mut capabilities = vec!["client_credentials"];
    if arguments.capabilities.contains(&Capability::Introspection) {
        capabilities.push("introspection");
    }
    let mut file = ConfigFile::open(path)?;
    file.add_client(&NewClient {
        id: &arguments.name,
        hash: &hash,
        capabilities: &capabilities,
        scopes: &once(&arguments.scopes),
        default_scopes: &once(&arguments.default_scopes),
        token_lifetime: arguments.token_lifetime.as_deref(),
    })?;
    let changed = file.path().to_owned();
    let config = file.save()?;
    let text = if arguments.json {
        output::json(&json!({
            "client_id": arguments.name,
            "client_secret": secret.expose(),
            "token_endpoint": Endpoint::Token.url(&config),
            "scopes": once(&arguments.scopes),
        }))
    } else {
        format!(
            "The client {:?} is added to {}.\n\n{}",
            arguments.name,
            changed.display(),
            credentials(&config, &arguments.name, &secret)
        )
    };
    output::print_once(&text, "`tollgate client reset-secret` makes another secret")
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
    let scope = if scopes.is_empty() { String::new() } else { format!("&scope={}", encode_form(scopes)) };
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
        encode_form(id),
        encode_form(secret.expose()),
    )
}
