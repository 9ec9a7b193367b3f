//! `tollgate token`: gets a token from a running gateway.

use std::path::Path;

use clap_complete::engine::ArgValueCompleter;
use serde_json::Value;

use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::{ask_secret, completed_names, output};
use crate::config::{Config, Origin};
use crate::gateway_client::{DEFAULT_TOKEN_PATH, Endpoint, gateway_trust, post, sole_client};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The client's id. Needed unless only one client can get tokens with a secret.
    #[arg(long, value_name = "ID", add = ArgValueCompleter::new(completed_names::clients))]
    client: Option<String>,
    /// The client's secret. Other users of this machine can see arguments: better set TOLLGATE_CLIENT_SECRET,
    /// or pipe the secret in.
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
    secret: Option<String>,
    /// A scope to ask for; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE", add = ArgValueCompleter::new(completed_names::scopes))]
    scopes: Vec<String>,
    /// The token endpoint, or the gateway's origin. Default: the configuration's first listener.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Do not verify the gateway's certificate.
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Print the whole response as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn token(path: &Path, arguments: Arguments) -> Result<(), Failure> {
    let config = match read_config(path) {
        Ok(config) => Some(config),
        // The machine of a client needs no gateway.toml.
        Err(_) if arguments.url.is_some() && arguments.client.is_some() && !path.exists() => None,
        Err(errors) => return Err(errors.into()),
    };
    let client = match arguments.client {
        Some(client) => client,
        None => sole_client(config.as_ref()).map_err(Failure::config)?,
    };
    let url = endpoint_url(config.as_ref(), arguments.url.as_deref(), Endpoint::Token)?;
    let secret = ask_secret::secret(arguments.secret, &client)?;
    let scope = arguments.scopes.join(" ");
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", &*client),
        ("client_secret", secret.expose()),
    ];
    if !scope.is_empty() {
        fields.push(("scope", &scope));
    }
    let body = post(&url, &gateway_trust(config.as_ref(), arguments.insecure), &fields)?;
    let Some(token) = body.get("access_token").and_then(Value::as_str) else {
        return Err(Failure::other(format!("{url} answered without an access_token; is it the gateway?")));
    };
    if arguments.json { output::print(&output::json(&body)) } else { output::print(&format!("{token}\n")) }
}

/// Returns the URL of an endpoint: the given one, or that of the configuration. The path is added to an
/// origin alone.
pub(super) fn endpoint_url(
    config: Option<&Config>,
    given: Option<&str>,
    endpoint: Endpoint,
) -> Result<String, Failure> {
    let Some(url) = given else {
        return config.and_then(|config| endpoint.url(config)).ok_or_else(|| {
            Failure::config(
                "the configuration has no listener with a port of its own: name the gateway with --url",
            )
        });
    };
    let (origin, rest) = Origin::parse_with_rest(url)
        .map_err(|error| Failure::config(format!("--url {url} is not the URL of a gateway: it {error}")))?;
    if rest.contains('#') {
        return Err(Failure::config("--url must have no fragment"));
    }
    let path = match config {
        Some(config) => endpoint.path(config),
        None => DEFAULT_TOKEN_PATH,
    };
    Ok(if matches!(rest, "" | "/") { format!("{origin}{path}") } else { url.to_owned() })
}
