//! Who asks: a client of the configuration, bare scopes, or the token of a running gateway.

use serde_json::Value;

use super::Arguments;
use crate::change::EditError;
use crate::cli::access::{self, Bound};
use crate::cli::failure::Failure;
use crate::cli::gateway_url::Endpoint;
use crate::cli::post::{Trust, post};
use crate::cli::{ask_secret, token};
use crate::config::{Access, Client, Config, Route, suggestion};
use crate::oauth::scope::Scopes;
use crate::oauth::token::TokenDigest;

/// Who asks, and with what.
#[derive(Debug)]
pub(super) enum Holder {
    /// Nobody: a request without a token.
    Nobody,
    /// A client of the configuration, with the scopes and the audience its token was asked for; none: whatever is best.
    Client { id: String, held: Scopes, audience: Option<String> },
    /// Whoever holds a token with these scopes.
    Scopes { held: Scopes, audience: Option<String> },
    /// A token that the running gateway knows.
    LiveToken { client: String, held: Scopes, audience: Option<String>, bound: Bound },
    /// A token that is good for nothing, and why.
    DeadToken(&'static str),
}

/// What a token is good for.
#[derive(Debug)]
pub(super) struct Token<'h> {
    pub(super) held: &'h Scopes,
    pub(super) audience: Option<String>,
    pub(super) bound: Bound,
}

impl Holder {
    pub(super) fn find(config: &Config, arguments: Arguments) -> Result<Self, Failure> {
        let Arguments { client, token, scopes, audience, secret, gateway, insecure, .. } = arguments;
        if let Some(token) = token {
            return introspect(config, &token, client, secret, gateway.as_deref(), insecure);
        }
        let asked = Scopes::from_tokens(scopes.iter().map(String::as_str))
            .map_err(|error| Failure::config(format!("--scope: {error}")))?;
        let Some(id) = client else {
            let nobody = asked.is_empty() && audience.is_none();
            return Ok(if nobody { Self::Nobody } else { Self::Scopes { held: asked, audience } });
        };
        let Some(client) = config.client(&id) else {
            let hint = suggestion(&id, config.clients.iter().map(|client| client.id.as_str()));
            return Err(EditError::NoSuchClient(id, hint).into());
        };
        if let Some(scope) = asked.iter().find(|scope| !client.scopes.contains(scope)) {
            return Err(Failure::config(format!(
                "the client {id:?} may not ask for the scope {scope:?}: the token endpoint answers invalid_scope. Its \
                 scopes: {}",
                if client.scopes.is_empty() { "none" } else { client.scopes.as_str() }
            )));
        }
        if let Some(wanted) = audience.as_deref().filter(|wanted| !access::may_ask_for(client, wanted)) {
            return Err(Failure::config(format!(
                "the client {id:?} may not ask for tokens for {wanted:?}: the token endpoint answers invalid_target. Its \
                 audiences: {}",
                if client.audiences.is_empty() { "none".to_owned() } else { client.audiences.join(", ") }
            )));
        }
        let held = if asked.is_empty() { client.scopes.clone() } else { asked };
        Ok(Self::Client { id, held, audience })
    }

    /// What to say of it.
    pub(super) fn describe(&self, config: &Config) -> String {
        let list = |held: &Scopes| if held.is_empty() { "no scope".to_owned() } else { held.to_string() };
        match self {
            Self::Nobody => "no token".to_owned(),
            Self::Scopes { held, .. } => list(held),
            Self::Client { id, held, .. } => {
                let all = config.client(id).is_some_and(|client| client.scopes == *held);
                let most = if all { ", all it may ask for" } else { "" };
                format!("{} (client {id:?}{most})", list(held))
            }
            Self::LiveToken { client, held, .. } => format!("{} (a live token of {client:?})", list(held)),
            Self::DeadToken(reason) => (*reason).to_owned(),
        }
    }

    /// The token that goes with a request to a route, if there is one.
    pub(super) fn token(&self, config: &Config, route: &Route) -> Option<Token<'_>> {
        match self {
            Self::Nobody | Self::DeadToken(_) => None,
            Self::Scopes { held, audience } => {
                Some(Token { held, audience: audience.clone(), bound: Bound::default() })
            }
            Self::LiveToken { held, audience, bound, .. } => {
                Some(Token { held, audience: audience.clone(), bound: *bound })
            }
            Self::Client { id, held, audience } => {
                let client = config.client(id)?;
                let audience = audience.as_deref().or_else(|| best_audience(client, route));
                Some(Token { held, audience: audience.map(str::to_owned), bound: Bound::of(client) })
            }
        }
    }

    pub(super) fn held(&self) -> Option<&Scopes> {
        match self {
            Self::Nobody | Self::DeadToken(_) => None,
            Self::Client { held, .. } | Self::Scopes { held, .. } | Self::LiveToken { held, .. } => {
                Some(held)
            }
        }
    }

    pub(super) fn client(&self) -> Option<&str> {
        match self {
            Self::Client { id, .. } => Some(id),
            Self::LiveToken { client, .. } => Some(client),
            Self::Nobody | Self::Scopes { .. } | Self::DeadToken(_) => None,
        }
    }
}

/// The audience that a client would ask for to get through a route: the one it needs, if the client may.
fn best_audience<'r>(client: &Client, route: &'r Route) -> Option<&'r str> {
    let Access::Token { audience, .. } = &route.access else { return None };
    audience.as_deref().filter(|wanted| access::may_ask_for(client, wanted))
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
    let audience = body.get("aud").and_then(Value::as_str).map(str::to_owned);
    let confirmed = |name: &str| body.get("cnf").is_some_and(|cnf| cnf.get(name).is_some());
    let bound = Bound { key: confirmed("jkt"), certificate: confirmed("x5t#S256") };
    Ok(Holder::LiveToken { client: owner, held, audience, bound })
}
