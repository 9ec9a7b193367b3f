//! `cors`, of a route and of the OAuth endpoints.

use serde_json::json;

use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::settings::cors::MAX_AGE;

/// Returns the `cors` table of a route. `methods` is the kind of a list of methods.
pub(super) fn of_route(methods: Kind) -> Table {
    Table::new(
        "cors",
        "Cross-origin requests from web pages.",
        "[upstreams.hello]\nservers = [\"http://127.0.0.1:9000\"]\n[[routes]]\npath = \"/\"\nupstream = \
         \"hello\"\ncors = { § }",
    )
    .base("origins = [\"https://app.example.com\"]")
    .keys([
        origins("https://app.example.com"),
        Key::new("methods", methods, "The methods that the pages may use.")
            .default_note("those of the route")
            .example(r#"["GET"]"#)
            .wrong(r#"["get"]"#),
        headers("The request headers that the pages may set, beside those that are always allowed."),
        max_age(),
        Key::flag(
            "credentials",
            false,
            "Allows cookies and other credentials of the browser. Not together with the origin `*`.",
        ),
    ])
    .rule(
        "`*` is alone in `origins`, and not together with `credentials = true`.",
        json!({
            "if": { "properties": { "origins": { "contains": { "const": "*" } } } },
            "then": { "properties": { "origins": { "maxItems": 1 }, "credentials": { "const": false } } },
        }),
    )
}

/// Returns the `cors` table of the OAuth endpoints.
pub(super) fn of_endpoints() -> Table {
    Table::new(
        "cors",
        "Cross-origin requests from web pages. They send the client's credentials themselves, so those of the browser are \
         never asked for.",
        "[token_service]\ncors = { § }",
    )
    .base("origins = [\"https://docs.example.com\"]")
    .keys([
        origins("https://docs.example.com"),
        headers(
            "The request headers that the pages may set, beside `Authorization`, `DPoP` and `X-Requested-With`.",
        ),
        max_age(),
    ])
}

fn origins(example: &str) -> Key {
    Key::new(
        "origins",
        Kind::set(Kind::text("origin, or `*` alone for any", pattern::web_origin())).not_empty(),
        "The origins of the pages.",
    )
    .required()
    .example(format!("[\"{example}\"]"))
    .wrong(format!("[\"{example}/\"]"))
    .beside("")
}

fn headers(about: &'static str) -> Key {
    Key::new("headers", Kind::set(Kind::text("header name", pattern::HEADER_NAME)), about)
        .default("[]")
        .example(r#"["X-Request-Id"]"#)
        .wrong(r#"["X Request"]"#)
}

fn max_age() -> Key {
    Key::optional_duration(&MAX_AGE, "How long a browser may remember the answer to a preflight request.")
        .default_note("the browser decides")
        .example(r#""10m""#)
}
