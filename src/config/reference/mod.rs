//! Every key of gateway.toml, described once: the JSON Schema and the configuration reference are made from
//! this.
//!
//! To add a key:
//!
//! 1. `settings.rs`: its name, default and bounds, if it is a number, a duration or a size;
//! 2. `model/`: the field that holds its value, with a summary;
//! 3. `compile/`: the line that reads it. Say in the message of every error what would be right;
//! 4. `reference/`, the file of its table: what it is for, a good and a bad example, and whether it needs a
//!    restart;
//! 5. `tests/maximal.toml`: a value other than the default;
//! 6. `TOLLGATE_BLESS=1 cargo test --lib reference` writes `docs/configuration.md`.
//!
//! The tests here fail if a step was forgotten: the reader and this description are compared in both
//! directions, each example is read, and the committed reference must be the generated one.

mod acme;
mod admin;
mod clients;
mod cors;
mod expect;
mod key;
mod markdown;
mod number;
mod observe;
mod pattern;
mod registration;
mod routes;
mod schema;
mod server;
mod store;
#[cfg(test)]
mod tests;
mod token_service;
mod upstreams;

use super::settings::expect::MAX_EXPECTATIONS;
use key::{Key, Kind, Table};

/// The JSON Schema (2020-12) of gateway.toml.
pub(crate) fn json_schema() -> String {
    schema::of(&document())
}

/// The configuration reference, in Markdown.
pub(crate) fn markdown() -> String {
    markdown::of(&document())
}

/// The whole file.
fn document() -> Table {
    let scopes = Kind::map(
        "NAME",
        pattern::SCOPE,
        "a scope name without spaces (RFC 6749 §3.3)",
        Kind::any_text("a description for people"),
    );
    Table::new(
        "gateway.toml",
        "OAuth 2.0 client-credentials protection for HTTP APIs. `tollgate check` also finds what a schema \
         cannot: names that are not defined, files that cannot be read, routes that conflict.",
        "§",
    )
    .keys([
        Key::new(
            "include",
            Kind::list(Kind::text("path, relative to the folder of this file", pattern::LINE)),
            "Other files that are part of the configuration. `*` and `?` in the name of a file make a pattern, whose \
             files are read in the order of their names; names that begin with a dot never match. Tables of all files \
             are joined: a scope, a client or an upstream is in one of them, and `[[routes]]` follow each other. \
             Relative paths in an included file start at the folder of the main file, too. An included file includes \
             no others.",
        )
        .default("[]")
        .example(r#"["conf.d/*.toml"]"#)
        .wrong_for_check(r#"["conf.d/missing.toml"]"#),
        Key::table("server", server::server()),
        Key::table("token_service", token_service::token_service()),
        Key::table("store", store::store()),
        Key::new(
            "scopes",
            scopes,
            "Every scope that a client or a route names, with a description for people. The metadata \
             document lists them.",
        )
        .default_note("no scopes")
        .example(r#"{ read = "Read from the APIs" }"#)
        .wrong(r#"{ "read write" = "Both" }"#),
        Key::new(
            "clients",
            Kind::map("NAME", pattern::CLIENT_ID, "a client id", Kind::Table(clients::client())),
            "The clients. The name of the table is the client id: 1 to 255 visible ASCII characters, with \
             spaces only inside.",
        )
        .default_note("no clients"),
        Key::new(
            "upstreams",
            Kind::map("NAME", pattern::UPSTREAM_NAME, "a name", Kind::Table(upstreams::upstream())),
            "The APIs behind the gateway. The name of the table is what routes call the upstream.",
        )
        .default_note("no upstreams"),
        Key::new(
            "routes",
            Kind::list(Kind::Table(routes::route())).most(super::Config::MAX_ROUTES).repeating(),
            "Which requests go to which upstream, and what they need.",
        )
        .default_note("no routes: every request is answered with 404"),
        Key::new(
            "expect",
            Kind::list(Kind::Table(expect::expectation())).most(MAX_EXPECTATIONS).repeating(),
            "Access tests: what clients must be able to do, and what they must never be able to do. `tollgate check` \
             verifies them, and a gateway neither starts nor reloads with one that is violated.",
        )
        .default_note("no access tests"),
        Key::table("metrics", server::metrics()),
        Key::table("security_log", observe::security_log()),
        Key::table("tracing", observe::tracing()),
        Key::table("admin", admin::admin()),
        Key::table("demo", server::demo()),
    ])
}
