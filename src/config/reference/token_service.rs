//! `[token_service]`.

use super::cors;
use super::key::{Key, Kind, Table};
use super::pattern;
use super::registration::registration;
use crate::config::settings::token_service as settings;
use crate::gate::defaults;

pub(super) fn token_service() -> Table {
    let endpoint = |name, default: &str, about| {
        Key::new(name, Kind::text("path without `{name}`", pattern::path(false, false)), about)
            .default(format!("{default:?}"))
            .example(format!("{default:?}"))
            .wrong(format!("{:?}", default.trim_start_matches('/')))
    };
    Table::new(
        "[token_service]",
        "The OAuth endpoints, and how many tokens there can be.",
        "[token_service]\n§",
    )
    .keys([
        Key::new(
            "issuer",
            Kind::text(
                "URL: `https://`, or `http://` on loopback; no query, no fragment",
                pattern::secure_url(false),
            ),
            "The issuer identifier (RFC 8414 §2): what comes before the paths of the endpoints in public \
             URLs.",
        )
        .default_note("the first listener, as a client on this machine calls it")
        .example(r#""https://gateway.example.com""#)
        .wrong(r#""http://gateway.example.com""#),
        endpoint("token_endpoint", defaults::TOKEN_ENDPOINT, "The path where clients get tokens."),
        endpoint(
            "introspection_endpoint",
            defaults::INTROSPECTION_ENDPOINT,
            "The path where clients with the capability `introspection` ask about tokens (RFC 7662).",
        ),
        endpoint(
            "revocation_endpoint",
            defaults::REVOCATION_ENDPOINT,
            "The path where clients revoke their own tokens (RFC 7009).",
        ),
        Key::duration(&settings::TOKEN_LIFETIME, "The lifetime of tokens. A client can set its own."),
        Key::number(
            &settings::MAX_TOKENS,
            "The most live tokens. Beyond it, the token endpoint answers 503; no live token is removed to \
             make room.",
        ),
        Key::number(
            &settings::MAX_TOKENS_PER_CLIENT,
            "The most live tokens of one client. It cannot be more than `max_tokens`.",
        ),
        Key::new(
            "throttle",
            Kind::Table(throttle()),
            "When failed client authentications with a secret are answered with 429: counted for a client id \
             from one address, and ten times as many for an address (IPv6: its /64). The address is the client's, \
             as far as `trusted_proxies` or the PROXY protocol report it. Requests without credentials and wrong \
             signatures never count.",
        )
        .default(format!(
            "{{ failures = {}, per = \"{}\" }}",
            settings::THROTTLE_FAILURES.default,
            crate::config::units::Shown(settings::THROTTLE_PER.default)
        ))
        .example(r#"{ failures = 5, per = "1m" }"#)
        .wrong("10"),
        Key::new(
            "cors",
            Kind::Table(cors::of_endpoints()),
            "Allows web pages from other origins, such as a Swagger UI, to use the OAuth endpoints, and answers their \
             preflight requests.",
        )
        .default_note("not allowed")
        .example(r#"{ origins = ["https://docs.example.com"] }"#)
        .wrong("{}"),
        Key::new(
            "realm",
            Kind::text("printable ASCII without `\"` and backslash, at most 100 characters", pattern::REALM),
            "The realm in `WWW-Authenticate` headers.",
        )
        .default(format!("{:?}", defaults::REALM))
        .example(r#""my apis""#)
        .wrong(r#""my \"apis\"""#),
        Key::new(
            "public_origins",
            Kind::set(Kind::text("origin: scheme, host, and a port unless it is the scheme's own", pattern::ORIGIN)),
            "The origins under which clients know the gateway, besides that of `issuer` and the hosts of routes. \
             A DPoP proof must name one of them; the `Host` of the request is not believed. A host can begin \
             with `*.`.",
        )
        .default("[]")
        .example(r#"["https://api.example.com", "https://*.apps.example.com:8443"]"#)
        .wrong(r#"["https://api.example.com/orders"]"#),
        Key::new(
            "restricted_tokens",
            Kind::Choice(vec!["own_routes", "any_route"]),
            "Where a token that was requested for one `resource` (RFC 8707) is accepted. `own_routes`: on routes \
             with that `audience`, and, for the issuer itself, on routes without an `audience`. `any_route`: on \
             every route without an `audience` too.",
        )
        .default(r#""own_routes""#)
        .example(r#""any_route""#)
        .wrong(r#""all""#),
        Key::table("registration", registration()),
    ])
}

fn throttle() -> Table {
    Table::new("throttle", "How many failures, and in which time.", "[token_service]\nthrottle = { § }").keys(
        [
            Key::number(&settings::THROTTLE_FAILURES, "The failures that are allowed."),
            Key::duration(
                &settings::THROTTLE_PER,
                "The time in which they are counted, from the first of them.",
            ),
        ],
    )
}
