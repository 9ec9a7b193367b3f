//! `[token_service]`.

use serde_json::json;

use super::cors;
use super::key::{Key, Kind, Table};
use super::pattern;
use super::registration::registration;
use crate::config::settings::{jwt as jwt_settings, token_service as settings};
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
        Key::table("jwt", jwt()),
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

fn jwt() -> Table {
    Table::new(
        "[token_service.jwt]",
        "How the JWTs of routes with `forward_token = \"jwt\"` are signed. The keys that verify them are at \
         `/.well-known/jwks.json`, if a route asks for JWTs or the file has this table.",
        "[token_service.jwt]\n§",
    )
    .keys([
        Key::new(
            "algorithm",
            Kind::Choice(vec!["ES256", "EdDSA"]),
            "The algorithm of the keys that the gateway makes. A change is a rotation: a key of the other kind is \
             published, and signs after `publish_before`.",
        )
        .default(r#""ES256""#)
        .example(r#""EdDSA""#)
        .wrong(r#""RS256""#),
        Key::duration(
            &jwt_settings::LIFETIME,
            "The longest lifetime of a JWT. No JWT expires later than the token that it stands for.",
        ),
        Key::duration(
            &jwt_settings::ROTATE_EVERY,
            "How long a key that the gateway has made signs. `tollgate keys rotate` replaces it earlier.",
        ),
        Key::duration(
            &jwt_settings::PUBLISH_BEFORE,
            "How long a new key is published before it signs, so that upstreams that keep the key set know it in time. \
             At most half of `rotate_every`. Upstreams are told to keep the key set for a quarter of it.",
        ),
        Key::new(
            "keys",
            Kind::set(Kind::text("path of a PEM file", pattern::LINE)).not_empty(),
            "Private keys in files, instead of keys that the gateway makes: P-256 or Ed25519, in PKCS #8. The first one \
             signs, and all are published. Gateways on one shared store need the same files.",
        )
        .default_note("the gateway makes its keys and keeps them in `state_dir`")
        .wrong_for_check(r#"["missing.pem"]"#),
    ])
    .rule(
        "`keys` is never together with `algorithm`, `rotate_every` or `publish_before`.",
        json!({
            "if": { "required": ["keys"] },
            "then": { "properties": { "algorithm": false, "rotate_every": false, "publish_before": false } },
        }),
    )
}
