//! Who asks: a client of the configuration, bare scopes, or the token of a running gateway.

use serde_json::Value;

use super::Arguments;
use crate::cli::edit::EditError;
use crate::cli::gateway_url::Endpoint;
use crate::cli::post::{Trust, post};
use crate::cli::{Failure, ask_secret, token};
use crate::config::{Config, suggestion};
use crate::oauth::scope::Scopes;
use crate::oauth::token::TokenDigest;

/// Who asks, and with what.
#[derive(Debug)]
pub(super) enum Holder {
    /// Nobody: a request without a token.
    Nobody,
    /// A client of the configuration, with the scopes its token has.
    Client { id: String, held: Scopes },
    /// Whoever holds a token with these scopes.
    Scopes(Scopes),
    /// A token that the running gateway knows.
    LiveToken { client: String, held: Scopes },
    /// A token that is good for nothing, and why.
    DeadToken(&'static str),
}

impl Holder {
    pub(super) fn find(config: &Config, arguments: Arguments) -> Result<Self, Failure> {
        let Arguments { client, token, scopes, secret, gateway, insecure, .. } = arguments;
        if let Some(token) = token {
            return introspect(config, &token, client, secret, gateway.as_deref(), insecure);
        }
        let asked = Scopes::from_tokens(scopes.iter().map(String::as_str))
            .map_err(|error| Failure::config(format!("--scope: {error}")))?;
        let Some(id) = client else {
            return Ok(if asked.is_empty() { Self::Nobody } else { Self::Scopes(asked) });
        };
        let Some(client) = config.client(&id) else {
            let hint = suggestion(&id, config.clients.iter().map(|client| &*client.id));
            return Err(EditError::NoSuchClient(id, hint).into());
        };
        if let Some(scope) = asked.iter().find(|scope| !client.scopes.contains(scope)) {
            return Err(Failure::config(format!(
                "the client {id:?} may not ask for the scope {scope:?}: the token endpoint answers invalid_scope. Its \
                 scopes: {}",
                if client.scopes.is_empty() { "none" } else { client.scopes.as_str() }
            )));
        }
        let held = if asked.is_empty() { client.scopes.clone() } else { asked };
        Ok(Self::Client { id, held })
    }

    /// What to say of it.
    pub(super) fn describe(&self, config: &Config) -> String {
        let list = |held: &Scopes| if held.is_empty() { "no scope".to_owned() } else { held.to_string() };
        match self {
            Self::Nobody => "no token".to_owned(),
            Self::Scopes(held) => list(held),
            Self::Client { id, held } => {
                let all = config.client(id).is_some_and(|client| client.scopes == *held);
                let most = if all { ", all it may ask for" } else { "" };
                format!("{} (client {id:?}{most})", list(held))
            }
            Self::LiveToken { client, held } => format!("{} (a live token of {client:?})", list(held)),
            Self::DeadToken(reason) => (*reason).to_owned(),
        }
    }

    pub(super) fn held(&self) -> Option<&Scopes> {
        match self {
            Self::Nobody | Self::DeadToken(_) => None,
            Self::Client { held, .. } | Self::Scopes(held) | Self::LiveToken { held, .. } => Some(held),
        }
    }

    pub(super) fn client(&self) -> Option<&str> {
        match self {
            Self::Client { id, .. } => Some(id),
            Self::LiveToken { client, .. } => Some(client),
            Self::Nobody | Self::Scopes(_) | Self::DeadToken(_) => None,
        }
    }
}

/// Asks the running gateway about a token (RFC 7662).
fn introspect(
    config: &Config,
    text: &str,
    client: Option<String>,
    secret: Option<String>,
    gateway: Option<&str>,
    insecure: bool,
) -> Result<Holder, Failure> {
    if TokenDigest::of_presented(text.as_bytes()).is_none() {
        return Ok(Holder::DeadToken("this is no token of a Tollgate gateway"));
    }
    let Some(client) = client else {
        return Err(Failure::config(
            "only the running gateway knows what a token is good for, and it tells nobody but clients with the \
             \"introspection\" capability: name one with --client (and give its secret), or judge for a client or for \
             scopes instead (--client or --scope, without --token)",
        ));
    };
    let url = token::endpoint_url(Some(config), gateway, Endpoint::Introspection)?;
    let secret = ask_secret::secret(secret, &client)?;
    let fields = [("token", text), ("client_id", &client), ("client_secret", secret.expose())];
    let answer = post(&url, &Trust::of(Some(config), insecure), &fields).map_err(Failure::other)?;
    let body = token::good(&answer, &url)?;
    if body.get("active").and_then(Value::as_bool) != Some(true) {
        return Ok(Holder::DeadToken("the gateway says that the token is expired, revoked or unknown"));
    }
    let scope = body.get("scope").and_then(Value::as_str).unwrap_or_default();
    let held = if scope.is_empty() { Ok(Scopes::none()) } else { Scopes::parse(scope) };
    let held = held.map_err(|error| Failure::other(format!("{url} answered with a bad scope: {error}")))?;
    let owner = body.get("client_id").and_then(Value::as_str).unwrap_or("?").to_owned();
    Ok(Holder::LiveToken { client: owner, held })
}
