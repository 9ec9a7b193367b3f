//! The tokens that the test uses, from the gateway's own token endpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::answer::Outcome;
use super::error::SelfTestError;
use super::http2;
use super::message::{Field, Message, Protocol, Request};
use super::settings::{Settings, Tester, authority};
use super::wire::Gateway;
use crate::access::reach::{self, SenderConstraint};
use crate::config::{Access, Client, Config, Route};
use crate::gateway_client::{Endpoint, RequestError, post};
use crate::http_client::Trust;
use crate::oauth::form;
use crate::oauth::scope::Scopes;
use crate::sorting::collect_sorted;
use crate::tasks::block_on;

/// The scopes and the audience of a token request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    pub(super) scope: Option<String>,
    pub(super) audience: Option<String>,
}

/// The tokens that the gateway has issued for the test.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    issued: BTreeMap<Wanted, String>,
    pub(super) revoked: Option<String>,
    /// A token that has expired, or the reason why there is none.
    pub(super) expired: Option<Result<String, String>>,
    validity: Option<Validity>,
}

/// The period in which all issued tokens are valid.
#[derive(Debug)]
struct Validity {
    since: Instant,
    lifetime: Duration,
}

impl Tokens {
    pub(super) fn get(&self, wanted: &Wanted) -> Option<&str> {
        self.issued.get(wanted).map(String::as_str)
    }

    /// Returns whether half of the lifetime of the tokens is over.
    pub(super) fn are_old(&self) -> bool {
        self.validity.as_ref().is_some_and(|validity| validity.since.elapsed() > validity.lifetime / 2)
    }

    /// Returns whether one of the tokens may have expired.
    pub(super) fn may_have_expired(&self) -> bool {
        self.validity.as_ref().is_some_and(|validity| validity.since.elapsed() >= validity.lifetime)
    }
}

/// Returns the client of the tester in the configuration.
///
/// # Errors
/// Fails if the client is not in the configuration, or if its tokens require a further proof.
pub(super) fn client<'c>(config: &'c Config, tester: &Tester) -> Result<&'c Client, SelfTestError> {
    let id = &tester.client;
    let client = config
        .client(id)
        .ok_or_else(|| SelfTestError::Usage(format!("the configuration has no client \"{id}\"")))?;
    match SenderConstraint::of(client).description() {
        None => Ok(client),
        Some(needed) => Err(SelfTestError::Usage(format!(
            "the tokens of \"{id}\" need a {needed}, which the test does not have: name another client with --client"
        ))),
    }
}

/// Returns the scopes and the audience that a route requires, if the client may request them.
pub(super) fn good(client: &Client, route: &Route) -> Option<Wanted> {
    if route.access == Access::Public || !reach::Reach::of(client, route).is_allowed() {
        return None;
    }
    let (scope, audience) = reach::needs(route, Some(client));
    Some(Wanted { scope, audience })
}

/// Returns a scope that the client may request and that the route does not accept, with the audience that the
/// route requires.
pub(super) fn foreign(client: &Client, route: &Route) -> Option<Wanted> {
    let Access::Token { requirement, audience } = &route.access else { return None };
    let audience = audience.clone().filter(|wanted| reach::may_ask_for(client, wanted));
    let scope = client
        .scopes
        .iter()
        .find(|scope| Scopes::parse(scope).is_ok_and(|alone| !requirement.is_met_by(&alone)))?;
    Some(Wanted { scope: Some(scope.to_owned()), audience })
}

/// Returns the scopes of the route with another audience than the route requires.
pub(super) fn misdirected(client: &Client, route: &Route) -> Option<Wanted> {
    let Access::Token { audience: Some(needed), .. } = &route.access else { return None };
    let other = client.audiences.iter().find(|audience| *audience != needed);
    let scope = good(client, route)?.scope;
    Some(Wanted { scope, audience: other.cloned() })
}

/// The connection to the gateway.
pub(super) struct Connection<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) runtime: &'a Runtime,
    /// The protocols that the gateway speaks.
    pub(super) protocols: &'a [Protocol],
}

/// The source of the tokens.
pub(super) struct Source<'a> {
    pub(super) config: &'a Config,
    pub(super) settings: &'a Settings,
    pub(super) trust: &'a Trust,
    pub(super) connection: &'a Connection<'a>,
    pub(super) tester: &'a Tester,
    pub(super) client: &'a Client,
}

impl Source<'_> {
    /// Gets all tokens that the attacks need.
    ///
    /// # Errors
    /// Fails if the gateway does not issue them.
    pub(super) fn fetch(&self) -> Result<Tokens, SelfTestError> {
        let (expiring, lifetime) = self.token(&self.any())?;
        let expired = if lifetime <= self.settings.wait_for_expiry {
            std::thread::sleep(lifetime + Duration::from_secs(1));
            Ok(expiring)
        } else {
            let seconds = lifetime.as_secs();
            Err(format!(
                "a token of \"{}\" lives for {seconds} s; --wait-for-expiry {seconds}s waits for it",
                self.tester.client
            ))
        };
        let mut tokens = Tokens { expired: Some(expired), ..Tokens::default() };
        self.renew(&mut tokens)?;
        Ok(tokens)
    }

    /// Replaces all tokens except for the one that has expired.
    ///
    /// # Errors
    /// Fails if the gateway does not issue them.
    pub(super) fn renew(&self, tokens: &mut Tokens) -> Result<(), SelfTestError> {
        let since = Instant::now();
        let (revoked, mut shortest) = self.token(&self.any())?;
        self.revoke(&revoked)?;
        tokens.revoked = Some(revoked);
        for wanted in self.wanted() {
            let (token, lifetime) = self.token(&wanted)?;
            shortest = shortest.min(lifetime);
            tokens.issued.insert(wanted, token);
        }
        tokens.validity = Some(Validity { since, lifetime: shortest });
        Ok(())
    }

    /// Returns a token request that the gateway accepts from the tester.
    fn any(&self) -> Wanted {
        Wanted { scope: self.client.scopes.iter().next().map(str::to_owned), audience: None }
    }

    /// Returns the token requests for all routes.
    fn wanted(&self) -> BTreeSet<Wanted> {
        let attacked = self.config.routes.iter().filter(|route| self.settings.method(route).is_some());
        let wanted = attacked.flat_map(|route| {
            [good(self.client, route), foreign(self.client, route), misdirected(self.client, route)]
        });
        collect_sorted(wanted.flatten())
    }

    /// Requests a token. Returns the token and its lifetime.
    fn token(&self, wanted: &Wanted) -> Result<(String, Duration), SelfTestError> {
        let mut fields = vec![("grant_type", "client_credentials")];
        fields.extend(wanted.scope.as_deref().map(|scope| ("scope", scope)));
        fields.extend(wanted.audience.as_deref().map(|audience| ("resource", audience)));
        let body = self.ask(Endpoint::Token, &fields)?;
        let token = body.get("access_token").and_then(Value::as_str);
        let token = token.ok_or_else(|| {
            let url = self.url(Endpoint::Token);
            SelfTestError::Failed(format!("{url} answered without an access_token"))
        })?;
        let lifetime = body.get("expires_in").and_then(Value::as_u64).unwrap_or(u64::MAX);
        Ok((token.to_owned(), Duration::from_secs(lifetime)))
    }

    fn revoke(&self, token: &str) -> Result<(), SelfTestError> {
        self.ask(Endpoint::Revocation, &[("token", token)]).map(|_| ())
    }

    fn url(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.settings.origin, endpoint.path(self.config))
    }

    /// Posts a form with the credentials of the tester. Returns the JSON of a successful response, or `null` if
    /// it has no body, as the one of a revocation (RFC 7009 §2.2).
    fn ask(&self, endpoint: Endpoint, fields: &[(&str, &str)]) -> Result<Value, SelfTestError> {
        let secret = self.tester.secret.expose();
        let mut form = vec![("client_id", &*self.tester.client), ("client_secret", secret)];
        form.extend_from_slice(fields);
        if !self.connection.protocols.contains(&Protocol::Http1) {
            return self.ask_http2(endpoint, &form);
        }
        match post(&self.url(endpoint), self.trust, &form) {
            Ok(body) => Ok(body),
            Err(RequestError::NotJson(_)) => Ok(Value::Null),
            Err(error) => Err(SelfTestError::Failed(error.to_string())),
        }
    }

    /// Does the same at a listener that speaks HTTP/2 alone.
    fn ask_http2(&self, endpoint: Endpoint, form: &[(&str, &str)]) -> Result<Value, SelfTestError> {
        let body: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{}={}", form::encode(name), form::encode(value)))
            .collect();
        let request = Request {
            scheme: self.settings.origin.scheme,
            method: "POST",
            target: endpoint.path(self.config).as_bytes(),
            host: &authority(&self.settings.origin),
            fields: &[Field::new("Content-Type", "application/x-www-form-urlencoded")],
        };
        let frames =
            http2::frames::request_with_body(&http2::head::fields(&request), body.join("&").as_bytes());
        let message = Message::raw(Protocol::Http2, &request, frames);
        let url = self.url(endpoint);
        let answer = block_on(self.connection.runtime, self.connection.gateway.exchange(&message));
        let answer = answer.map_err(|error| SelfTestError::Failed(format!("{url}: {error}")))?;
        match answer.outcome {
            Outcome::Response(response) if response.status == 200 => {
                Ok(serde_json::from_slice(&response.body).unwrap_or_default())
            }
            Outcome::Response(response) => {
                let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
                let error = body.get("error").and_then(Value::as_str).unwrap_or("no OAuth error");
                let error: String = error.chars().filter(|character| !character.is_control()).collect();
                Err(SelfTestError::Failed(format!("{url} answered {}: {error}", response.status)))
            }
            Outcome::Ended => Err(SelfTestError::Failed(format!("{url} ended the connection"))),
            Outcome::Unclear(how) => Err(SelfTestError::Failed(format!("{url}: {how}"))),
        }
    }
}
