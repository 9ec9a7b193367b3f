//! Derives the requests of the test from the configuration.

use http::Method;

use super::attack::{Attack, Suite};
use super::credentials::{self, Held};
use super::encode::encode;
use super::error::SelfTestError;
use super::explained::Explained;
use super::message::{Field, Protocol, Request};
use super::sample::Sample;
use super::settings::{Settings, authority};
use super::tokens::{self, Tokens};
use super::{framing, http2, identity, spelling};
use crate::access::explain::Credential;
use crate::config::{Client, Config, Route};

/// Makes the requests of the test.
pub(super) struct Planner<'a> {
    settings: &'a Settings,
    protocols: &'a [Protocol],
    client: Option<&'a Client>,
    explained: Explained<'a>,
    nonce: String,
}

/// Returns the name of a route, as `tollgate routes` shows it.
fn name(route: &Route) -> String {
    let methods = route.methods.only();
    let methods = methods.map(|methods| methods.iter().map(Method::as_str).collect::<Vec<_>>().join(","));
    format!(
        "{} {}{}",
        methods.as_deref().unwrap_or("any method"),
        route.sample_host().unwrap_or_default(),
        route.path.as_str()
    )
}

impl<'a> Planner<'a> {
    /// Makes the planner for the client of the tester, if there is one.
    ///
    /// # Errors
    /// Fails if the system has no random bytes.
    pub(super) fn new(
        config: &'a Config,
        settings: &'a Settings,
        client: Option<&'a Client>,
        protocols: &'a [Protocol],
    ) -> Result<Self, SelfTestError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)
            .map_err(|error| SelfTestError::Failed(format!("no random bytes: {error}")))?;
        let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        let explained = Explained::new(config, settings.origin.scheme);
        Ok(Self { settings, protocols, client, explained, nonce })
    }

    /// Returns the targets of the attacks: no route, and then each route.
    pub(super) fn targets(&self) -> Vec<Option<&'a Route>> {
        std::iter::once(None).chain(self.explained.config.routes.iter().map(Some)).collect()
    }

    /// Returns the attacks on a target over each of the protocols. With other tokens they are the same attacks
    /// in the same order.
    ///
    /// # Errors
    /// Fails if the configuration cannot be compiled.
    pub(super) fn suite(&self, target: Option<&Route>, tokens: &Tokens) -> Result<Suite, SelfTestError> {
        let mut suite = match target {
            None => Suite::new("no route".to_owned(), None),
            Some(route) => Suite::new(name(route), Some(route.position.line)),
        };
        for protocol in self.protocols {
            match target {
                None => self.no_route(*protocol, &mut suite)?,
                Some(route) => self.route(route, *protocol, tokens, &mut suite)?,
            }
        }
        Ok(suite)
    }

    /// Adds the attack on a path that matches no route.
    fn no_route(&self, protocol: Protocol, suite: &mut Suite) -> Result<(), SelfTestError> {
        let path = format!("/tollgate-self-test-{}", self.nonce);
        let host = authority(&self.settings.origin);
        if self.explained.refuses("GET", path.as_bytes(), &host, Credential::None)? {
            let scheme = self.settings.origin.scheme;
            let request =
                Request { scheme, method: "GET", target: path.as_bytes(), host: &host, fields: &[] };
            let message = encode(protocol, &request);
            suite.refused(Attack::NoToken, "a path that no route is for", message);
        }
        Ok(())
    }

    /// Adds the attacks on a route.
    fn route(
        &self,
        route: &Route,
        protocol: Protocol,
        tokens: &Tokens,
        suite: &mut Suite,
    ) -> Result<(), SelfTestError> {
        let Some(sample) = Sample::new(route, self.settings, protocol) else {
            let reason = "the route has no method without an effect; --unsafe-methods attacks it anyway";
            suite.skip(Attack::NoToken, reason);
            return Ok(());
        };
        let Sample { method, path, host, .. } = &sample;
        if self.explained.reached(method, path, host)? != Some(route.position.line) {
            suite.skip(Attack::NoToken, format!("another route takes {method} {host}{path}"));
            return Ok(());
        }
        let good = self.client.and_then(|client| tokens::good(client, route));
        let good = good.as_ref().and_then(|wanted| tokens.get(wanted));
        if !sample.is_public() {
            self.without_token(&sample, suite)?;
            credentials::invalid(&sample, good, suite);
            self.other_tokens(&sample, tokens, suite)?;
        }
        self.methods(&sample, suite)?;
        let fields: Vec<Field> =
            good.map(|token| Field::token(&sample.token_header, token)).into_iter().collect();
        let request = sample.request(&fields);
        if sample.is_public() || good.is_some() {
            suite.cases.push(identity::case(protocol, &request, route, &self.nonce));
        } else {
            suite.skip(Attack::Identity, "no token passes on this route");
        }
        let limits = &self.explained.config.server.limits;
        match protocol {
            Protocol::Http1 => framing::cases(&request, suite),
            Protocol::Http2 => http2::attacks(&request, limits, suite),
        }
        framing::sizes(protocol, &request, limits, suite);
        Ok(())
    }

    fn without_token(&self, sample: &Sample<'_>, suite: &mut Suite) -> Result<(), SelfTestError> {
        let mut targets = vec![("no token", sample.path.clone().into_bytes(), Attack::NoToken)];
        let spellings = spelling::spellings(&sample.path, &sample.host);
        targets.extend(spellings.into_iter().map(|(what, target)| (what, target, Attack::Spelling)));
        for (what, target, attack) in targets {
            if self.explained.refuses(&sample.method, &target, &sample.host, Credential::None)? {
                suite.refused(attack, what, sample.with_target(&target, &[]));
            }
        }
        Ok(())
    }

    /// Adds requests with tokens that the gateway has issued, and that do not open the route.
    fn other_tokens(
        &self,
        sample: &Sample<'_>,
        tokens: &Tokens,
        suite: &mut Suite,
    ) -> Result<(), SelfTestError> {
        let Some(client) = self.client else {
            for attack in [Attack::ForeignScope, Attack::OtherAudience, Attack::Revoked, Attack::Expired] {
                suite.skip(attack, "--client names no client that gets tokens");
            }
            return Ok(());
        };
        Held { client, tokens, explained: &self.explained }.others(sample, suite)
    }

    fn methods(&self, sample: &Sample<'_>, suite: &mut Suite) -> Result<(), SelfTestError> {
        let mut methods = vec!["get", "HEAD", "OPTIONS", "TRACE", "TRACK", "CONNECT", "SELFTEST", "G\u{1}ET"];
        if self.settings.unsafe_methods {
            methods.extend(["POST", "PUT", "PATCH", "DELETE"]);
        }
        for method in methods.into_iter().filter(|method| *method != sample.method) {
            let target = sample.path.as_bytes();
            if self.explained.refuses(method, target, &sample.host, Credential::None)? {
                let what = format!("the method {}", method.escape_debug());
                suite.refused(Attack::Method, what, sample.with_method(method));
            }
        }
        Ok(())
    }
}
