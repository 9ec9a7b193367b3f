//! `[token_service]`.

use std::{num::NonZeroU32, time::Duration};

use super::{addresses::secure_url, cors, jwt, registration, scopes::Names};
use crate::config::{
    address::Scheme,
    error::ErrorKind,
    model::{Issuer, ListenerProtocol, Server, Throttle, TokenService},
    reader::{Table, Value},
    settings::token_service::{
        MAX_TOKENS, MAX_TOKENS_PER_CLIENT, THROTTLE_FAILURES, THROTTLE_PER, TOKEN_LIFETIME,
    },
    units::Shown,
    warning::Lint,
};
use crate::gate::defaults;
use crate::oauth::endpoints::metadata::{self, issuer_path};
use crate::oauth::public_origin::PublicOrigin;
use crate::oauth::scope::RestrictedTokens;
use crate::route::marks::Marks;
use crate::route::pattern::{Pattern, PatternError};

/// The paths of the metadata documents of RFC 8414 and RFC 9728, and their names.
const METADATA: [(&str, &str); 2] = [
    (metadata::AUTHORIZATION_SERVER, "the authorization server metadata (RFC 8414)"),
    (metadata::PROTECTED_RESOURCE, "the protected resource metadata (RFC 9728)"),
];

impl TokenService {
    /// Returns every path that the gateway answers itself, and the name of its endpoint.
    #[must_use]
    pub fn endpoints(&self) -> Vec<(String, &'static str)> {
        let mut endpoints = vec![
            (self.token_endpoint.clone(), "the token endpoint"),
            (self.introspection_endpoint.clone(), "the introspection endpoint"),
            (self.revocation_endpoint.clone(), "the revocation endpoint"),
        ];
        for (document, what) in METADATA {
            endpoints.push((document.to_owned(), what));
            // RFC 8414 §3.1, RFC 9728 §3.1.
            match issuer_path(self.issuer.as_str()) {
                "" => {}
                path => endpoints.push((format!("{document}{path}"), what)),
            }
        }
        if let Some(registration) = &self.registration {
            endpoints.push((registration.endpoint.clone(), "the registration endpoint"));
        }
        if self.jwt.is_some() {
            endpoints.push((metadata::KEY_SET.to_owned(), "the keys that verify JWTs (RFC 7517)"));
        }
        endpoints
    }
}

/// Reads `[token_service]`, or returns its defaults.
pub(super) fn token_service(root: &mut Table<'_>, server: &Server, names: &Names<'_>) -> TokenService {
    root.take("token_service")
        .and_then(|value| value.table("a table: [token_service]", |table| read(table, server, names)))
        .unwrap_or_else(|| without_table(server))
}

fn without_table(server: &Server) -> TokenService {
    let positive = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    TokenService {
        issuer: default_issuer(server),
        token_endpoint: defaults::TOKEN_ENDPOINT.to_owned(),
        introspection_endpoint: defaults::INTROSPECTION_ENDPOINT.to_owned(),
        revocation_endpoint: defaults::REVOCATION_ENDPOINT.to_owned(),
        token_lifetime: TOKEN_LIFETIME.default,
        max_tokens: positive(MAX_TOKENS.default),
        max_tokens_per_client: positive(MAX_TOKENS_PER_CLIENT.default),
        throttle: Throttle { failures: positive(THROTTLE_FAILURES.default), per: THROTTLE_PER.default },
        cors: None,
        realm: defaults::REALM.to_owned(),
        public_origins: Vec::new(),
        restricted_tokens: RestrictedTokens::default(),
        registration: None,
        jwt: None,
    }
}

fn default_issuer(server: &Server) -> Issuer {
    match server.first_serving() {
        Some((_, listener)) => {
            let scheme = match listener.protocol {
                // Clients see the TLS of the terminator.
                ListenerProtocol::Https | ListenerProtocol::Http { behind_tls: true, .. } => Scheme::Https,
                ListenerProtocol::Http { behind_tls: false, .. } | ListenerProtocol::Redirect => Scheme::Http,
            };
            Issuer::of_listener(scheme, listener.address)
        }
        None => Issuer::FromListener("https://localhost:8443".to_owned()),
    }
}

fn read(table: &mut Table<'_>, server: &Server, names: &Names<'_>) -> TokenService {
    let TokenService {
        issuer,
        token_endpoint,
        introspection_endpoint,
        revocation_endpoint,
        token_lifetime: _,
        max_tokens: _,
        max_tokens_per_client,
        throttle,
        cors: no_cors,
        realm,
        public_origins,
        restricted_tokens,
        registration: no_registration,
        jwt: no_jwt,
    } = without_table(server);
    let mut taken: Vec<(String, &'static str)> =
        METADATA.iter().map(|(path, _)| ((*path).to_owned(), "metadata")).collect();
    taken.push((metadata::KEY_SET.to_owned(), "the key set"));
    let mut endpoint = |name: &'static str, default: String, table: &mut Table<'_>| {
        let value = table.take(name);
        let path = value.as_ref().and_then(endpoint_path).map_or(default, str::to_owned);
        if let Some((_, other)) = taken.iter().find(|(other, _)| *other == path) {
            let message = format!("{path:?} is already the path of `{other}`: every endpoint needs its own");
            match &value {
                Some(value) => value.problem(ErrorKind::Duplicate, message),
                None => table.problem(
                    ErrorKind::Duplicate,
                    format!("`{name}` is left out, and its default {message}"),
                ),
            }
        }
        taken.push((path.clone(), name));
        path
    };
    let token_endpoint = endpoint("token_endpoint", token_endpoint, table);
    let introspection_endpoint = endpoint("introspection_endpoint", introspection_endpoint, table);
    let revocation_endpoint = endpoint("revocation_endpoint", revocation_endpoint, table);
    let registration = table.take("registration").map(|value| {
        registration::registration(&value, names, |table| {
            endpoint("endpoint", defaults::REGISTRATION_ENDPOINT.to_owned(), table)
        })
    });
    let max_tokens = table.positive(&MAX_TOKENS);
    let per_client = table.take(MAX_TOKENS_PER_CLIENT.bounds.name);
    TokenService {
        issuer: table.or("issuer", issuer, |value| {
            secure_url(&value, "the issuer's identifier", false).map(|url| Issuer::Configured(url.to_owned()))
        }),
        token_endpoint,
        introspection_endpoint,
        revocation_endpoint,
        token_lifetime: table.duration(&TOKEN_LIFETIME),
        max_tokens,
        max_tokens_per_client: per_client
            .and_then(|value| match NonZeroU32::new(value.number(&MAX_TOKENS_PER_CLIENT.bounds)?) {
                Some(number) if number > max_tokens => {
                    value.fail(ErrorKind::Conflict, format!("is more than max_tokens, which is {max_tokens}"))
                }
                number => number,
            })
            .unwrap_or(max_tokens_per_client.min(max_tokens)),
        throttle: table.or("throttle", throttle, |value| {
            let throttle = value.table("{ failures = 10, per = \"1m\" }", |table| Throttle {
                failures: table.positive(&THROTTLE_FAILURES),
                per: table.duration(&THROTTLE_PER),
            })?;
            warn_if_absurd(&value, throttle);
            Some(throttle)
        }),
        cors: table.or("cors", no_cors, |value| cors::of_endpoints(&value).map(Some)),
        realm: table.or("realm", realm, |value| {
            let text = value.text("a name for challenges", 100)?;
            // It is put into a quoted string without escapes (RFC 9110 §5.6.4).
            if text.bytes().any(|byte| !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\')) {
                return value.invalid(
                    "must be printable ASCII without \" and \\: it goes into WWW-Authenticate headers",
                );
            }
            Some(text.to_owned())
        }),
        public_origins: table.or("public_origins", public_origins, |value| {
            value.set_of("origins such as \"https://api.example.com\"", |item| {
                let text = item.string("an origin such as \"https://api.example.com\"")?;
                PublicOrigin::parse(text).map_or_else(
                    || {
                        item.invalid(
                            "must be https:// or http://, a host, and a port if it is not the scheme's own",
                        )
                    },
                    Some,
                )
            })
        }),
        restricted_tokens: table.or("restricted_tokens", restricted_tokens, |value| {
            value.choice(&[
                ("own_routes", RestrictedTokens::OwnRoutes),
                ("any_route", RestrictedTokens::AnyRoute),
            ])
        }),
        registration: registration.unwrap_or(no_registration),
        jwt: table.or("jwt", no_jwt, |value| jwt::service(&value).map(Some)),
    }
}

/// Warns about a throttle that lets guesses through as fast as they come, or that one typing error triggers.
fn warn_if_absurd(value: &Value<'_>, throttle: Throttle) {
    /// Faster than this, a hash is what limits the guesses.
    const GUESSES_PER_MINUTE: f64 = 600.0;
    /// A client that was given a wrong secret by mistake fails a few times before anybody notices.
    const MISTAKES: u32 = 3;
    const LONG: Duration = Duration::from_secs(3600);
    let failures = throttle.failures.get();
    let per_minute = f64::from(failures) * 60.0 / throttle.per.as_secs_f64();
    if per_minute > GUESSES_PER_MINUTE {
        value.warn(
            Lint::AbsurdThrottle,
            format!(
                "allows {per_minute:.0} guesses a minute for one client from one address, which stops nobody: \
                 {{ failures = 10, per = \"1m\" }} is the default"
            ),
        );
    } else if failures < MISTAKES && throttle.per >= LONG {
        value.warn(
            Lint::AbsurdThrottle,
            format!(
                "refuses a client for up to {} after {failures} wrong secret(s), also if somebody made a mistake: \
                 {{ failures = 10, per = \"1m\" }} is the default",
                Shown(throttle.per)
            ),
        );
    }
}

fn endpoint_path<'a>(value: &Value<'a>) -> Option<&'a str> {
    let text = value.string("a path such as \"/oauth/v2/oauth-token\"")?;
    let parsed = Pattern::path(text);
    match parsed.and_then(|pattern| pattern.check_allowed(Marks::NONE).map(|()| pattern)) {
        Ok(pattern) if pattern.has_names() => {
            value.invalid("must be a plain path: only a route can have a {name} in it")
        }
        Ok(_) if text == "/" => value.invalid("must be more than /, such as \"/oauth/v2/oauth-token\""),
        Ok(_) => Some(text),
        Err(PatternError::Semicolon) => value.invalid("must be a path without a ;"),
        Err(PatternError::EncodedSlash) => value.invalid("must be a path without an encoded slash"),
        Err(error) => value.invalid(error.to_string()),
    }
}
