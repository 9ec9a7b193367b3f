//! `[token_service.registration]`.

use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::settings::registration as settings;
use crate::config::settings::token_service::TOKEN_LIFETIME;
use crate::gate::defaults;

/// A template, so that the table is complete.
const TEMPLATE: &str = "templates.partner = { scopes = [] }";

pub(super) fn registration() -> Table {
    Table::new(
        "[token_service.registration]",
        "Dynamic client registration (RFC 7591, RFC 7592): programs that have an initial access token register clients. \
         Without this table nobody can. Registered clients are kept in the store, not in this file; if the table or a \
         template is removed, its clients are refused and their tokens end.",
        "[token_service.registration]\n§",
    )
    .base(TEMPLATE)
    .keys([
        Key::new(
            "endpoint",
            Kind::text("path without `{name}`", pattern::path(false, false)),
            "The path where clients register. The registration of each client is below it.",
        )
        .default(format!("{:?}", defaults::REGISTRATION_ENDPOINT))
        .example(r#""/register""#)
        .wrong(r#""register""#),
        Key::number(&settings::MAX_CLIENTS, "The most registered clients, of all templates together."),
        Key::number(
            &settings::MAX_PER_MINUTE,
            "The most requests a minute to register with one initial access token, and for one client to replace its \
             registration; ten times as many for an address (IPv6: its /64). Beyond it, the answer is 429.",
        ),
        Key::new(
            "templates",
            Kind::map("NAME", NAME, "a name", Kind::Table(template())),
            "The bounds of what clients may register: at least one. What a client asks for beyond them is refused, and what \
             it leaves out is filled in. A template that changes later bounds the clients that are registered already.",
        )
        .required()
        .example("{ partner = { scopes = [] } }")
        .wrong_for_check("{}")
        .beside(""),
        Key::new(
            "tokens",
            Kind::map("NAME", NAME, "a name", Kind::Table(token())),
            "The initial access tokens. `tollgate registration token NAME` makes one, prints it once, and writes this.",
        )
        .default_note("none: nobody can register"),
        Key::new(
            "disabled_clients",
            Kind::set(Kind::text("client id", pattern::CLIENT_ID)).most(settings::MAX_LISTED),
            "Registered clients that are refused, with all their tokens. `tollgate client disable ID` writes it.",
        )
        .default("[]")
        .example(r#"["reg_AAAAAAAAAAAAAAAAAAAAAA"]"#)
        .wrong(r#"[""]"#),
        Key::new(
            "removed_clients",
            Kind::set(Kind::text("client id", pattern::CLIENT_ID)).most(settings::MAX_LISTED),
            "Registered clients that are removed from the store. `tollgate client remove ID` writes it. An id can be taken \
             out again once every gateway has read the file.",
        )
        .default("[]")
        .example(r#"["reg_AAAAAAAAAAAAAAAAAAAAAA"]"#)
        .wrong(r#"[""]"#),
    ])
}

/// The name of a template or of an initial access token.
const NAME: &str = "[A-Za-z0-9._-]{1,64}";

fn template() -> Table {
    Table::new(
        "[token_service.registration.templates.NAME]",
        "The bounds of what clients may register.",
        "[scopes]\nread = \"Read\"\n[token_service.registration.templates.partner]\n§",
    )
    .keys([
        Key::new(
            "scopes",
            Kind::set(Kind::text("scope of `[scopes]`", pattern::SCOPE)),
            "The scopes that a client may have. A client that names none gets all of them.",
        )
        .default("[]")
        .example(r#"["read"]"#)
        .wrong_for_check(r#"["missing"]"#),
        Key::new(
            "default_scopes",
            Kind::set(Kind::text("scope of `scopes`", pattern::SCOPE)),
            "The scopes of a token if the request names none, as far as the client has them.",
        )
        .default("[]")
        .example(r#"["read"]"#)
        .wrong_for_check(r#"["missing"]"#)
        .beside("scopes = [\"read\"]"),
        Key::duration(&TOKEN_LIFETIME, "The longest lifetime of a client's tokens, and the one of clients that name none."),
        Key::new(
            "token_endpoint_auth_methods",
            Kind::set(Kind::Choice(vec!["client_secret_basic", "client_secret_post", "private_key_jwt"])).not_empty(),
            "How clients may authenticate. The gateway makes the secrets; the keys of `private_key_jwt` are the client's.",
        )
        .default(r#"["client_secret_basic"]"#)
        .example(r#"["client_secret_basic", "private_key_jwt"]"#)
        .wrong(r#"["none"]"#),
        Key::new(
            "audiences",
            Kind::set(Kind::text("visible ASCII without spaces and without a fragment", pattern::AUDIENCE)),
            "The resources that a client may request tokens for (RFC 8707).",
        )
        .default("[]")
        .example(r#"["https://orders.example.com"]"#)
        .wrong(r#"["https://orders.example.com/#top"]"#),
        Key::flag(
            "dpop_bound_tokens",
            false,
            "Whether all tokens of the clients must be bound to a key by DPoP (RFC 9449).",
        ),
        Key::new(
            "rate_limit",
            Kind::Rate,
            "The API requests that each client of the template may make, with all its tokens together. More are answered \
             with 429.",
        )
        .default_note("no limit")
        .example(r#""100/s""#)
        .wrong(r#""100/d""#),
        Key::number(&settings::MAX_CLIENTS_OF_TEMPLATE, "The most clients that are registered at the same time."),
        Key::duration(
            &settings::UNUSED_EXPIRY,
            "How long a client may be unused before it is removed. A client is used when it authenticates.",
        ),
    ])
}

fn token() -> Table {
    Table::new(
        "[token_service.registration.tokens.NAME]",
        "An initial access token.",
        "[token_service.registration]\ntemplates.partner = { scopes = [] }\n[token_service.registration.tokens.ci]\n§",
    )
    .base("digest = \"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"\ntemplate = \"partner\"")
    .keys([
        Key::new(
            "digest",
            Kind::text("`sha256:` and the SHA-256 of the token in base64url", format!("sha256:{}", pattern::SHA256)),
            "The digest of the token. The token itself is kept nowhere.",
        )
        .required()
        .example(r#""sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#)
        .wrong(r#""tgi_""#)
        .beside("template = \"partner\""),
        Key::new("template", Kind::text("name of a template", NAME), "The bounds of what is registered with it.")
            .required()
            .example(r#""partner""#)
            .wrong_for_check(r#""missing""#)
            .beside("digest = \"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""),
        Key::new("expires", Kind::DateTime, "From when on the token is refused.")
            .default_note("never")
            .example("2026-12-01T00:00:00Z")
            .wrong("2026-12-01"),
        Key::optional_number(&settings::MAX_USES, "How many clients can be registered with it.")
            .default_note("any number")
            .example("1"),
    ])
}
