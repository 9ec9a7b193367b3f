//! The credential that the request carries: a token of a client, a token with given scopes, or a token that a
//! running gateway describes.

use serde_json::Value;

use super::arguments::Arguments;
use crate::access::explain::Credential;
use crate::access::reach::{self, SenderConstraint};
use crate::change::EditError;
use crate::change::conflict::{Conflict, Kind};
use crate::cli::failure::Failure;
use crate::cli::{ask_secret, token};
use crate::config::{Config, suggestion};
use crate::gateway_client::{Endpoint, gateway_trust, post};
use crate::oauth::scope::Scopes;
use crate::oauth::token::TokenDigest;

/// Reads the credential from the arguments.
pub(super) fn read(config: &Config, arguments: Arguments) -> Result<Credential, Failure> {
    let Arguments { client, token, scopes, audience, secret, gateway, insecure, .. } = arguments;
    if let Some(token) = token {
        return introspect(config, &token, client, secret, gateway.as_deref(), insecure);
    }
    let asked = Scopes::from_tokens(scopes.iter().map(String::as_str))
        .map_err(|error| Failure::config(format!("--scope: {error}")))?;
    let Some(id) = client else {
        let none = asked.is_empty() && audience.is_none();
        return Ok(if none { Credential::None } else { Credential::Scopes { scopes: asked, audience } });
    };
    let Some(client) = config.client(&id) else {
        let hint = suggestion(&id, config.clients.iter().map(|client| client.id.as_str()));
        return Err(EditError::from(Conflict::Missing(Kind::Client, id, hint)).into());
    };
    if let Some(scope) = asked.iter().find(|scope| !client.scopes.contains(scope)) {
        return Err(Failure::config(format!(
            "the client \"{id}\" may not ask for the scope \"{scope}\": the token endpoint answers invalid_scope. Its \
             scopes: {}",
            if client.scopes.is_empty() { "none" } else { client.scopes.as_str() }
        )));
    }
    if let Some(wanted) = audience.as_deref().filter(|wanted| !reach::may_ask_for(client, wanted)) {
        return Err(Failure::config(format!(
            "the client \"{id}\" may not ask for tokens for \"{wanted}\": the token endpoint answers invalid_target. \
             Its audiences: {}",
            if client.audiences.is_empty() { "none".to_owned() } else { client.audiences.join(", ") }
        )));
    }
    let scopes = if asked.is_empty() { client.scopes.clone() } else { asked };
    Ok(Credential::Client { id, scopes, audience })
}

/// Asks the running gateway about a token (RFC 7662).
fn introspect(
    config: &Config,
    text: &str,
    client: Option<String>,
    secret: Option<String>,
    gateway: Option<&str>,
    insecure: bool,
) -> Result<Credential, Failure> {
    if TokenDigest::of_presented(text.as_bytes()).is_none() {
        return Ok(Credential::Invalid("this is not a token of a Tollgate gateway"));
    }
    let Some(client) = client else {
        return Err(Failure::config(
            "only the running gateway knows what a token is good for, and it answers only clients with the \
             \"introspection\" capability: name one with --client and give its secret; or leave out --token, and explain \
             the request for a client or for scopes (--client or --scope)",
        ));
    };
    let url = token::endpoint_url(Some(config), gateway, Endpoint::Introspection)?;
    let secret = ask_secret::secret(secret, &client)?;
    let fields = [("token", text), ("client_id", &client), ("client_secret", secret.expose())];
    let body = post(&url, &gateway_trust(Some(config), insecure), &fields)?;
    if body.get("active").and_then(Value::as_bool) != Some(true) {
        return Ok(Credential::Invalid("the gateway says that the token is expired, revoked or unknown"));
    }
    let scope = body.get("scope").and_then(Value::as_str).unwrap_or_default();
    let scopes = if scope.is_empty() { Ok(Scopes::none()) } else { Scopes::parse(scope) };
    let scopes =
        scopes.map_err(|error| Failure::other(format!("{url} answered with a malformed scope: {error}")))?;
    let owner = body.get("client_id").and_then(Value::as_str).unwrap_or("?").to_owned();
    let audience = body.get("aud").and_then(Value::as_str).map(str::to_owned);
    let confirmed = |name: &str| body.get("cnf").is_some_and(|cnf| cnf.get(name).is_some());
    let constraint = SenderConstraint { key: confirmed("jkt"), certificate: confirmed("x5t#S256") };
    Ok(Credential::Live { client: owner, scopes, audience, constraint })
}
