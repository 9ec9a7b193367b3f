//! `[clients.NAME]`.

use serde_json::{Value as Json, json};

use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::settings::clients::{MAX_KEYS, MAX_SECRETS, PRIVATE_KEY_PARTS, TOKEN_GENERATION};
use crate::config::settings::token_service::TOKEN_LIFETIME;

/// The hash of the tutorial's secret, for the examples.
macro_rules! hash {
    () => {
        "$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8"
    };
}

const WITH_SECRET: &str = concat!("secret = \"", hash!(), "\"");
const WITH_SCOPE: &str = concat!("secret = \"", hash!(), "\"\nscopes = [\"read\"]");
const WITH_HASH: &str = concat!("hash = \"", hash!(), "\"");
const ONE_SECRET: &str = concat!("id = \"2026-11\"\nhash = \"", hash!(), "\"");
const METHODS: &str = "token_endpoint_auth_methods";
const NAMES: [&str; 3] = ["tls_subject_dn", "tls_san_dns", "tls_san_uri"];

pub(super) fn client() -> Table {
    let scope = || Kind::text("scope name", pattern::SCOPE);
    let document = "[server.tls]\nclient_ca = \"tls/clients.pem\"\n[scopes]\nread = \"Read\"\nwrite = \
        \"Write\"\n[clients.server]\n§";
    authentication(Table::new("[clients.NAME]", "A client.", document).base(WITH_SECRET)).keys([
        Key::new(
            "capabilities",
            Kind::set(Kind::Choice(vec!["client_credentials", "introspection"])),
            "What the client may do: get tokens (`client_credentials`), ask about any token \
             (`introspection`).",
        )
        .default("[]")
        .example(r#"["client_credentials"]"#)
        .wrong(r#"["client_credential"]"#),
        Key::new(
            "scopes",
            Kind::set(scope()),
            "The scopes that the client may ask for. Each must be in \
            `[scopes]`.",
        )
        .default("[]")
        .example(r#"["read", "write"]"#)
        .wrong(r#"["read write"]"#),
        Key::new(
            "default_scopes",
            Kind::set(scope()),
            "The scopes of a token if the request names none. Each must be one of the client's `scopes`.",
        )
        .default("[]")
        .example(r#"["read"]"#)
        .wrong_for_check(r#"["write"]"#)
        .beside(WITH_SCOPE),
        Key::optional_duration(&TOKEN_LIFETIME.bounds, "The lifetime of the client's tokens.")
            .default_note("`token_lifetime` of `[token_service]`")
            .example(r#""1h""#)
            .wrong(r#""31d""#),
        Key::flag(
            "enabled",
            true,
            "Whether the client may authenticate and its tokens are valid. `false` \
            refuses both with the next request.",
        ),
        Key::new(
            "rate_limit",
            Kind::Rate,
            "The API requests that the client may make, with all its tokens \
            together. More are answered with 429.",
        )
        .default_note("no limit")
        .example(r#""100/s""#)
        .wrong(r#""100/d""#),
        Key::new(
            "audiences",
            Kind::set(Kind::text("visible ASCII without `#`", pattern::AUDIENCE)),
            "The resources for which the client may ask for tokens (RFC 8707).",
        )
        .default("[]")
        .example(r#"["https://api.example.com"]"#)
        .wrong(r##"["https://api.example.com#top"]"##),
        Key::flag(
            "certificate_bound_tokens",
            false,
            "Binds the client's tokens to the certificate that it \
            got them with (RFC 8705 §3).",
        ),
        Key::flag(
            "dpop_bound_tokens",
            false,
            "Binds the client's tokens to a key of the client by DPoP (RFC \
            9449).",
        ),
        Key::new(
            TOKEN_GENERATION.name,
            Kind::Schema(
                "whole number from 0 to 9007199254740991",
                json!({ "type": "integer", "minimum": TOKEN_GENERATION.least, "maximum": TOKEN_GENERATION.most }),
            ),
            "When this number changes, all tokens of the client end. `tollgate client add`, `disable`, \
             `revoke-tokens` and `reset-secret --revoke-tokens` set it to the time in milliseconds; by hand, any \
             other number will do.",
        )
        .default("0")
        .example("1")
        .wrong("-1"),
    ])
}

/// The keys by which a client authenticates.
fn authentication(table: Table) -> Table {
    let table = table.keys([
        Key::new(
            "secret",
            Kind::text(
                "argon2id PHC string (`$argon2id$v=19$…`), or a secret that is one",
                pattern::secret_hash(),
            ),
            "The hash of the client's secret. `tollgate client reset-secret NAME` makes a secret, prints it \
             once and writes its hash here. The secret itself is refused.",
        )
        .example(concat!("\"", hash!(), "\""))
        .wrong(r#""Password1""#)
        .beside(""),
        Key::new(
            "secrets",
            Kind::list(Kind::Table(secret())).not_empty().most(MAX_SECRETS),
            "Several secrets at once, for rotation: the client can use each of them until it expires.",
        )
        .example(concat!("[{ id = \"2026-11\", hash = \"", hash!(), "\", expires = 2026-12-01T00:00:00Z }]"))
        .wrong("[]")
        .beside(""),
        Key::new(
            METHODS,
            Kind::set(Kind::Choice(vec![
                "client_secret_basic",
                "client_secret_post",
                "private_key_jwt",
                "tls_client_auth",
                "self_signed_tls_client_auth",
            ]))
            .not_empty(),
            "How the client may authenticate at the OAuth endpoints. What a method needs must be there, and \
             nothing else.",
        )
        .default_note("both `client_secret_…` methods, if there is a secret")
        .example(r#"["client_secret_basic"]"#)
        .wrong(r#"["client_secret_jwt"]"#),
        Key::new("jwks", jwks(), "The public keys for `private_key_jwt` (RFC 7517).")
            .example(
                r#"[{ kty = "OKP", crv = "Ed25519", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }]"#,
            )
            .wrong("[]")
            .beside("token_endpoint_auth_methods = [\"private_key_jwt\"]"),
        Key::new(
            "jwks_uri",
            Kind::text("URL: `https://`, or `http://` on loopback; no fragment", pattern::secure_url(true)),
            "Where the gateway fetches the public keys for `private_key_jwt`.",
        )
        .example(r#""https://client.example.com/keys""#)
        .wrong(r#""http://client.example.com/keys""#)
        .beside("token_endpoint_auth_methods = [\"private_key_jwt\"]"),
        Key::new(
            NAMES[0],
            Kind::text("distinguished name (RFC 4514)", pattern::LINE),
            "The subject of the client's certificate, for `tls_client_auth`.",
        )
        .example(r#""CN=server,O=Example""#)
        .wrong_for_check(r#""server""#)
        .beside("token_endpoint_auth_methods = [\"tls_client_auth\"]"),
        Key::new(
            NAMES[1],
            Kind::text("DNS name", pattern::dns_name()),
            "The DNS name in the client's certificate, for `tls_client_auth`.",
        )
        .example(r#""server.example.com""#)
        .wrong(r#""server example""#)
        .beside("token_endpoint_auth_methods = [\"tls_client_auth\"]"),
        Key::new(
            NAMES[2],
            Kind::text("URI", "[!-~]*:[!-~]*"),
            "The URI in the client's certificate, for `tls_client_auth`.",
        )
        .example(r#""spiffe://example.com/server""#)
        .wrong(r#""server""#)
        .beside("token_endpoint_auth_methods = [\"tls_client_auth\"]"),
        Key::new(
            "tls_thumbprint",
            Kind::text("SHA-256 in base64url without padding, 43 characters", pattern::SHA256),
            "The SHA-256 of the client's own certificate, for `self_signed_tls_client_auth`.",
        )
        .example(r#""AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#)
        .wrong(r#""AB:CD:EF""#)
        .beside("token_endpoint_auth_methods = [\"self_signed_tls_client_auth\"]"),
    ]);
    let secret = ["secret", "secrets"];
    let needs_secret = json!({ "anyOf": required(&secret) });
    let table = table
        .rule(
            "A client needs a way to authenticate: `secret` or `secrets`, or `token_endpoint_auth_methods` \
             with what they need.",
            json!({ "if": { "not": { "required": [METHODS] } }, "then": needs_secret }),
        )
        .rule(
            "`client_secret_basic` and `client_secret_post` need `secret` or `secrets`.",
            json!({
                "if": names_one_of(&["client_secret_basic", "client_secret_post"]),
                "then": needs_secret,
                "else": { "if": { "required": [METHODS] }, "then": { "not": needs_secret } },
            }),
        );
    [
        ("`private_key_jwt` needs `jwks` or `jwks_uri`.", "private_key_jwt", &["jwks", "jwks_uri"][..]),
        (
            "`tls_client_auth` needs `tls_subject_dn`, `tls_san_dns` or `tls_san_uri`, and `client_ca` in \
            `[server.tls]`.",
            "tls_client_auth",
            &NAMES,
        ),
        (
            "`self_signed_tls_client_auth` needs `tls_thumbprint`.",
            "self_signed_tls_client_auth",
            &["tls_thumbprint"],
        ),
    ]
    .into_iter()
    .fold(table, |table, (about, method, keys)| {
        let there = json!({ "anyOf": required(keys) });
        table.rule(about, json!({ "if": names_one_of(&[method]), "then": there, "else": { "not": there } }))
    })
    .rule("Only one of `secret` and `secrets`.", at_most_one(&secret))
    .rule("Only one of `jwks` and `jwks_uri`.", at_most_one(&["jwks", "jwks_uri"]))
    .rule(
        "Only one of `tls_subject_dn`, `tls_san_dns` and `tls_san_uri` (RFC 8705 §2.1.2).",
        at_most_one(&NAMES),
    )
}

fn secret() -> Table {
    let document = "[clients.server]\nsecrets = [{ § }]";
    Table::new("secret", "One of several secrets.", document).base(ONE_SECRET).keys([
        Key::new(
            "id",
            Kind::text("text of at most 64 bytes", r"[^\x00-\x1f\x7f-\x9f]{1,64}"),
            "Its name in listings and logs. Another one for each secret of the client.",
        )
        .required()
        .example(r#""2026-11""#)
        .wrong(r#""""#)
        .beside(WITH_HASH),
        Key::new(
            "hash",
            Kind::text("argon2id PHC string, or a secret that is one", pattern::secret_hash()),
            "The hash of the secret.",
        )
        .required()
        .example(r#""env:SERVER_SECRET_HASH""#)
        .wrong(r#""Password1""#)
        .beside("id = \"2026-11\""),
        Key::new("expires", Kind::DateTime, "From when on the secret is refused.")
            .default_note("never")
            .example("2026-12-01T00:00:00Z")
            .wrong("2026-12-01"),
    ])
}

fn jwks() -> Kind {
    let of_type = |kty: &str, needs: &[&str]| {
        json!({
            "if": { "properties": { "kty": { "const": kty } } },
            "then": { "required": needs },
        })
    };
    Kind::Schema(
        "list of public keys, or a JSON key set in a string",
        json!({ "anyOf": [
            { "type": "string", "pattern": r"^\s*[\[{]" },
            {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_KEYS,
                "items": {
                    "type": "object",
                    "required": ["kty"],
                    "properties": { "kty": { "enum": ["EC", "OKP", "RSA"] } },
                    "allOf": [
                        of_type("EC", &["crv", "x", "y"]),
                        of_type("OKP", &["crv", "x"]),
                        of_type("RSA", &["n", "e"]),
                        { "not": { "anyOf": required(&PRIVATE_KEY_PARTS) } },
                    ],
                },
            },
        ] }),
    )
}

fn names_one_of(methods: &[&str]) -> Json {
    json!({ "required": [METHODS], "properties": { METHODS: { "contains": { "enum": methods } } } })
}

fn required(keys: &[&str]) -> Vec<Json> {
    keys.iter().map(|key| json!({ "required": [key] })).collect()
}

pub(super) fn at_most_one(keys: &[&str]) -> Json {
    let pairs =
        keys.iter().enumerate().flat_map(|(at, key)| keys[..at].iter().map(move |other| [other, key]));
    json!({ "not": { "anyOf": pairs.map(|pair| json!({ "required": pair })).collect::<Vec<_>>() } })
}
