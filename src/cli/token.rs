//! `tollgate token`: a token from a running gateway.

use std::path::Path;

use serde_json::Value;

use super::gateway_url::{self, Endpoint};
use super::post::{Answer, Trust, post};
use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::{ask_secret, output};
use crate::config::{Config, Origin};

/// Where the token endpoint is when no configuration says so.
pub(super) const USUAL_PATH: &str = "/oauth/v2/oauth-token";

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The client's id; may be left out where only one client can get tokens with a secret.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Its secret. Others on this machine can see it here: rather set TOLLGATE_CLIENT_SECRET, or pipe it in.
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
    secret: Option<String>,
    /// A scope to ask for; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The token endpoint, or only the gateway's origin; left out: the configuration's first listener.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Do not check the gateway's certificate.
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Print the whole answer, as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn token(path: &Path, arguments: Arguments) -> Result<(), Failure> {
    let config = match read_config(path) {
        Ok(config) => Some(config),
        // A client's machine has no gateway.toml, and needs none.
        Err(_) if arguments.url.is_some() && arguments.client.is_some() && !path.exists() => None,
        Err(errors) => return Err(errors.into()),
    };
    let client = match arguments.client {
        Some(client) => client,
        None => only_client(config.as_ref())?,
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
    let answer =
        post(&url, &Trust::of(config.as_ref(), arguments.insecure), &fields).map_err(Failure::other)?;
    let body = good(&answer, &url)?;
    let Some(token) = body.get("access_token").and_then(Value::as_str) else {
        return Err(Failure::other(format!("{url} answered without an access_token; is it the gateway?")));
    };
    if arguments.json { output::print(&output::json(&body)) } else { output::print(&format!("{token}\n")) }
}

/// The URL given, or the configuration's; an origin alone gets the endpoint's path.
pub(super) fn endpoint_url(
    config: Option<&Config>,
    given: Option<&str>,
    endpoint: Endpoint,
) -> Result<String, Failure> {
    let Some(url) = given else {
        return config.and_then(|config| gateway_url::of(config, endpoint)).ok_or_else(|| {
            Failure::config(
                "the configuration has no listener with a port of its own: name the gateway with --url",
            )
        });
    };
    let (origin, rest) = Origin::parse_with_rest(url)
        .map_err(|error| Failure::config(format!("--url {url} is no URL of a gateway: it {error}")))?;
    if rest.contains('#') {
        return Err(Failure::config("--url must have no fragment"));
    }
    let path = match config {
        Some(config) => endpoint.path(config),
        None => USUAL_PATH,
    };
    Ok(if matches!(rest, "" | "/") { format!("{origin}{path}") } else { url.to_owned() })
}

/// The client that can only be meant.
pub(super) fn only_client(config: Option<&Config>) -> Result<String, Failure> {
    let clients = config.iter().flat_map(|config| &config.clients).filter(|client| {
        client.enabled
            && client.capabilities.client_credentials
            && client.authentication.secret.as_ref().is_some_and(|secret| secret.post)
    });
    let ids: Vec<&str> = clients.map(|client| client.id.as_str()).collect();
    match ids.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(Failure::config(
            "no client of the configuration can get tokens with a secret: name one with --client",
        )),
        several => {
            Err(Failure::config(format!("which client? Name one with --client: {}", several.join(", "))))
        }
    }
}

/// The JSON of a good answer; an OAuth error as a failure.
pub(super) fn good(answer: &Answer, url: &str) -> Result<Value, Failure> {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if answer.status.is_success() {
        return body
            .filter(Value::is_object)
            .ok_or_else(|| Failure::other(format!("{url} answered without JSON; is it the gateway?")));
    }
    let text =
        |name: &str| body.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str).map(printable);
    let Some(error) = text("error") else {
        return Err(Failure::other(format!(
            "{url} answered {}; is it the gateway's endpoint?",
            answer.status
        )));
    };
    let description = text("error_description").map(|text| format!(": {text}")).unwrap_or_default();
    Err(Failure::other(format!("{error}{description} (HTTP {})", answer.status.as_u16())))
}

/// What a server says, without what could drive a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(500).collect()
}
