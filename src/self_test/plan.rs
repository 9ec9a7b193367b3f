//! Derives the requests of the test from the configuration.

use http::Method;

use super::attack::{Attack, Case, Expected, Suite};
use super::error::SelfTestError;
use super::request::{request, token_field};
use super::settings::Settings;
use super::tokens::{self, Tokens, Wanted};
use super::{framing, identity, spelling};
use crate::access::explain::{Credential, ExplainError, SampleRequest, Target, Verdict, explain};
use crate::config::{Access, Client, Config, Origin, Route, Scheme};
use crate::gateway::build;
use crate::oauth::scope::Scopes;
use crate::oauth::token::AccessToken;

/// A header that no route takes tokens from, unless the configuration says so.
const AUTHORIZATION: &str = "Authorization";

/// Returns the attacks on every route and on no route.
///
/// # Errors
/// Fails if the configuration does not suit the tester, or cannot be compiled.
pub(super) fn suites(
    config: &Config,
    settings: &Settings,
    tokens: &Tokens,
) -> Result<Vec<Suite>, SelfTestError> {
    let client = match &settings.tester {
        None => None,
        Some(tester) => Some(tokens::client(config, tester)?),
    };
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce)
        .map_err(|error| SelfTestError::Failed(format!("no random bytes: {error}")))?;
    let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    let planner = Planner { config, settings, tokens, client, nonce };
    let mut suites = vec![planner.no_route()?];
    for route in &config.routes {
        suites.push(planner.route(route)?);
    }
    Ok(suites)
}

struct Planner<'a> {
    config: &'a Config,
    settings: &'a Settings,
    tokens: &'a Tokens,
    client: Option<&'a Client>,
    nonce: String,
}

/// The request to a route from which the other requests are derived.
struct Sample<'a> {
    route: &'a Route,
    method: String,
    path: String,
    host: String,
    /// The header in which the route expects tokens.
    token_header: String,
}

impl Sample<'_> {
    fn request(&self, fields: &[String]) -> Vec<u8> {
        request(&self.method, self.path.as_bytes(), &self.host, fields)
    }

    fn with_token(&self, token: &str) -> Vec<u8> {
        self.request(&[token_field(&self.token_header, token)])
    }

    fn is_public(&self) -> bool {
        self.route.access == Access::Public
    }
}

impl Planner<'_> {
    /// The attack on a path that matches no route.
    fn no_route(&self) -> Result<Suite, SelfTestError> {
        let (path, host) = (format!("/tollgate-self-test-{}", self.nonce), self.settings.origin.to_string());
        let host = host.split_once("://").map_or(&*host, |(_, host)| host).to_owned();
        let mut suite = Suite { name: "no route".to_owned(), line: None, cases: vec![], skipped: vec![] };
        if self.refuses("GET", path.as_bytes(), &host, Credential::None)? {
            suite.cases.push(Case {
                attack: Attack::NoToken,
                what: "a path that no route is for".to_owned(),
                bytes: request("GET", path.as_bytes(), &host, &[]),
                expected: Expected::Refused,
            });
        }
        Ok(suite)
    }

    /// Returns the attacks on a route.
    fn route(&self, route: &Route) -> Result<Suite, SelfTestError> {
        let methods = route
            .methods
            .only()
            .map(|methods| methods.iter().map(Method::as_str).collect::<Vec<_>>().join(","));
        let name = format!(
            "{} {}{}",
            methods.as_deref().unwrap_or("any method"),
            route.sample_host().unwrap_or_default(),
            route.path.as_str()
        );
        let line = Some(route.position.line);
        let mut suite = Suite { name, line, cases: vec![], skipped: vec![] };
        let Some(method) = self.settings.method(route) else {
            suite.skipped.push((
                Attack::NoToken,
                "the route has no method without an effect; --unsafe-methods attacks it anyway".to_owned(),
            ));
            return Ok(suite);
        };
        let origin = self.settings.origin.to_string();
        let own_host = origin.split_once("://").map_or(&*origin, |(_, host)| host);
        let sample = Sample {
            route,
            method: method.to_string(),
            path: route.path.sample(),
            host: route.sample_host().unwrap_or_else(|| own_host.to_owned()),
            token_header: route.token_header.as_ref().map_or(AUTHORIZATION.to_owned(), ToString::to_string),
        };
        if self.reached(&sample)? != Some(route.position.line) {
            suite.skipped.push((
                Attack::NoToken,
                format!("another route takes {} {}{}", sample.method, sample.host, sample.path),
            ));
            return Ok(suite);
        }
        let good = self.client.and_then(|client| tokens::good(client, route));
        let good = good.as_ref().and_then(|wanted| self.tokens.get(wanted));
        if !sample.is_public() {
            self.without_token(&sample, &mut suite)?;
            self.invalid_tokens(&sample, good, &mut suite);
            self.other_tokens(&sample, &mut suite)?;
        }
        self.methods(&sample, &mut suite)?;
        if sample.is_public() || good.is_some() {
            let field = good.map(|token| token_field(&sample.token_header, token));
            suite.cases.push(identity::case(
                route,
                (&sample.method, &sample.path, &sample.host),
                field.as_deref(),
                &self.nonce,
            ));
        } else {
            suite.skipped.push((Attack::Identity, "there is no token that passes".to_owned()));
        }
        let field = good.map(|token| token_field(&sample.token_header, token));
        suite.cases.extend(framing::cases(&sample.method, &sample.path, &sample.host, field.as_deref()));
        Ok(suite)
    }

    fn without_token(&self, sample: &Sample<'_>, suite: &mut Suite) -> Result<(), SelfTestError> {
        let mut targets = vec![("no token", sample.path.clone().into_bytes(), Attack::NoToken)];
        let spellings = spelling::spellings(&sample.path, &sample.host);
        targets.extend(spellings.into_iter().map(|(what, target)| (what, target, Attack::Spelling)));
        for (what, target, attack) in targets {
            if self.refuses(&sample.method, &target, &sample.host, Credential::None)? {
                let bytes = request(&sample.method, &target, &sample.host, &[]);
                let case = Case { attack, what: what.to_owned(), bytes, expected: Expected::Refused };
                suite.cases.push(case);
            }
        }
        Ok(())
    }

    fn invalid_tokens(&self, sample: &Sample<'_>, good: Option<&str>, suite: &mut Suite) {
        let header = &sample.token_header;
        let mut random = [0; 32];
        let _ = getrandom::fill(&mut random);
        let never_issued = AccessToken::from_random(&random).expose().to_owned();
        let mut add = |attack, what: &str, bytes| {
            suite.cases.push(Case { attack, what: what.to_owned(), bytes, expected: Expected::Refused });
        };
        add(Attack::InvalidToken, "a token that was never issued", sample.with_token(&never_issued));
        add(Attack::InvalidToken, "an empty token", sample.request(&[format!("{header}: Bearer ")]));
        add(Attack::InvalidToken, "no scheme", sample.request(&[format!("{header}: {never_issued}")]));
        let Some(good) = good else {
            suite.skipped.push((Attack::TokenElsewhere, "there is no token that passes".to_owned()));
            return;
        };
        let cut = good.get(..good.len().saturating_sub(1)).unwrap_or_default();
        let field = token_field(header, good);
        let other =
            if header.eq_ignore_ascii_case(AUTHORIZATION) { "Proxy-Authorization" } else { AUTHORIZATION };
        let lines =
            |lines: &[&str]| sample.request(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>());
        add(Attack::InvalidToken, "a token without its last character", sample.with_token(cut));
        add(Attack::InvalidToken, "a token with one more character", sample.with_token(&format!("{good}a")));
        add(Attack::InvalidToken, "a token in upper case", sample.with_token(&good.to_ascii_uppercase()));
        add(
            Attack::InvalidToken,
            "a token with the scheme Basic",
            lines(&[&format!("{header}: Basic {good}")]),
        );
        add(Attack::InvalidToken, "two tokens", lines(&[&token_field(header, &never_issued), &field]));
        add(Attack::InvalidToken, "a list of tokens", lines(&[&format!("{field}, Bearer {never_issued}")]));
        let target = format!("{}?access_token={good}", sample.path);
        let query = request(&sample.method, target.as_bytes(), &sample.host, &[]);
        add(Attack::TokenElsewhere, "the token in the query", query);
        add(
            Attack::TokenElsewhere,
            "the token in a cookie",
            lines(&[&format!("Cookie: access_token={good}")]),
        );
        add(Attack::TokenElsewhere, "the token in another header", lines(&[&token_field(other, good)]));
        let tunneled = [format!("Connection: {header}"), field.clone(), format!("X-{field}")];
        // The gateway itself reads the token, so this one passes or not, but the second copy must not count.
        let second_only = sample.request(&[tunneled[2].clone()]);
        add(Attack::TokenElsewhere, "the token in a header with a prefix", second_only);
        suite.cases.push(Case {
            attack: Attack::Control,
            what: "a token that opens the route".to_owned(),
            bytes: sample.with_token(good),
            expected: Expected::Passes,
        });
    }

    /// Tokens that are valid but not accepted on this route, or no longer valid.
    fn other_tokens(&self, sample: &Sample<'_>, suite: &mut Suite) -> Result<(), SelfTestError> {
        let Some(client) = self.client else {
            for attack in [Attack::ForeignScope, Attack::OtherAudience, Attack::Revoked, Attack::Expired] {
                suite.skipped.push((attack, "--client names no client that gets tokens".to_owned()));
            }
            return Ok(());
        };
        let route = sample.route;
        match tokens::foreign(client, route) {
            None => suite
                .skipped
                .push((Attack::ForeignScope, format!("every scope of \"{}\" opens the route", client.id))),
            Some(wanted) => {
                let scope = wanted.scope.clone().unwrap_or_default();
                self.token(
                    sample,
                    Attack::ForeignScope,
                    &format!("a token with the scope {scope} alone"),
                    &wanted,
                    suite,
                )?;
            }
        }
        match tokens::misdirected(client, route) {
            None => suite.skipped.push((
                Attack::OtherAudience,
                "the route needs no audience, or the client does not get through".to_owned(),
            )),
            Some(wanted) => {
                let what = match &wanted.audience {
                    Some(audience) => format!("a token for {audience}"),
                    None => "a token without an audience".to_owned(),
                };
                self.token(sample, Attack::OtherAudience, &what, &wanted, suite)?;
            }
        }
        let mut ended = |attack, what: &str, token: &str| {
            let bytes = sample.with_token(token);
            suite.cases.push(Case { attack, what: what.to_owned(), bytes, expected: Expected::Refused });
        };
        if let Some(token) = &self.tokens.revoked {
            ended(Attack::Revoked, "a revoked token", token);
        }
        match &self.tokens.expired {
            Some(Ok(token)) => ended(Attack::Expired, "an expired token", token),
            Some(Err(reason)) => suite.skipped.push((Attack::Expired, reason.clone())),
            None => {}
        }
        Ok(())
    }

    /// Adds a request with a token if `explain` says that it must not pass.
    fn token(
        &self,
        sample: &Sample<'_>,
        attack: Attack,
        what: &str,
        wanted: &Wanted,
        suite: &mut Suite,
    ) -> Result<(), SelfTestError> {
        let (Some(token), Some(client)) = (self.tokens.get(wanted), self.client) else { return Ok(()) };
        let scopes =
            Scopes::parse(wanted.scope.as_deref().unwrap_or_default()).unwrap_or_else(|_| Scopes::none());
        let audience = wanted.audience.clone();
        // `explain` gives a token of a client the audience that the route needs, unless one is named.
        let is_refused = if attack == Attack::OtherAudience && audience.is_none() {
            true
        } else {
            let credential = Credential::Client { id: client.id.to_string(), scopes, audience };
            self.refuses(&sample.method, sample.path.as_bytes(), &sample.host, credential)?
        };
        if is_refused {
            suite.cases.push(Case {
                attack,
                what: what.to_owned(),
                bytes: sample.with_token(token),
                expected: Expected::Refused,
            });
        }
        Ok(())
    }

    fn methods(&self, sample: &Sample<'_>, suite: &mut Suite) -> Result<(), SelfTestError> {
        let mut methods = vec!["get", "HEAD", "OPTIONS", "TRACE", "TRACK", "CONNECT", "SELFTEST", "G\u{1}ET"];
        if self.settings.unsafe_methods {
            methods.extend(["POST", "PUT", "PATCH", "DELETE"]);
        }
        for method in methods.into_iter().filter(|method| *method != sample.method) {
            if self.refuses(method, sample.path.as_bytes(), &sample.host, Credential::None)? {
                suite.cases.push(Case {
                    attack: Attack::Method,
                    what: format!("the method {}", method.escape_debug()),
                    bytes: request(method, sample.path.as_bytes(), &sample.host, &[]),
                    expected: Expected::Refused,
                });
            }
        }
        Ok(())
    }

    /// Returns whether the gateway must refuse a request, by `explain`.
    fn refuses(
        &self,
        method: &str,
        target: &[u8],
        host: &str,
        credential: Credential,
    ) -> Result<bool, SelfTestError> {
        let (Ok(method), Ok(target)) = (Method::from_bytes(method.as_bytes()), str::from_utf8(target)) else {
            return Ok(true);
        };
        // Only the part behind the authority of an absolute target decides, and its host.
        let (host, path) = match target.strip_prefix("http://") {
            None => (host, target),
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (authority, path)
            }
        };
        if !path.starts_with('/') {
            return Ok(true);
        }
        let path = path.split_once('#').map_or(path, |(path, _)| path);
        let verdict = self.verdict(method, path, host, credential)?.0;
        Ok(matches!(verdict, Verdict::Refused { .. }))
    }

    /// Returns the line of the route that takes the sample.
    fn reached(&self, sample: &Sample<'_>) -> Result<Option<u32>, SelfTestError> {
        let Ok(method) = Method::from_bytes(sample.method.as_bytes()) else { return Ok(None) };
        Ok(self.verdict(method, &sample.path, &sample.host, Credential::None)?.1)
    }

    fn verdict(
        &self,
        method: Method,
        path: &str,
        host: &str,
        credential: Credential,
    ) -> Result<(Verdict, Option<u32>), SelfTestError> {
        let Origin { scheme, .. } = self.settings.origin;
        let target = Target {
            scheme: Some(if scheme == Scheme::Https { Scheme::Https } else { Scheme::Http }),
            authority: Some(host.to_owned()),
            path: path.to_owned(),
            query: None,
        };
        let sample = SampleRequest {
            method,
            target,
            credential,
            from: None,
            origin: None,
            request_method: None,
            body: 0,
        };
        match explain(self.config, &sample, |config| build::rules(config, None)) {
            Ok(explanation) => Ok((explanation.verdict, explanation.route.map(|route| route.position.line))),
            Err(ExplainError::Rules(error)) => Err(SelfTestError::Usage(error.to_string())),
            Err(ExplainError::Gate(error)) => Err(SelfTestError::Failed(error.to_string())),
            Err(ExplainError::Token) => {
                Err(SelfTestError::Failed("a token for a sample cannot be made".to_owned()))
            }
        }
    }
}
