//! `[[routes]]`.

use serde_json::{Value as Json, json};

use super::clients::at_most_one;
use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::compile::headers::CONNECTION;
use crate::config::settings::{cors, limits, upstreams};

const DOCUMENT: &str = "[scopes]\nread = \"Read\"\nadmin = \"All\"\n[upstreams.hello]\nservers = \
    [\"http://127.0.0.1:9000\"]\n[[routes]]\n§";
const BASE: &str = "path = \"/v1/orders\"\nupstream = \"hello\"";

pub(super) fn route() -> Table {
    let scope = || Kind::text("scope name", pattern::SCOPE);
    let range = || Kind::set(Kind::text("address or range", pattern::address_range()));
    let table = Table::new("[[routes]]", "A route.", DOCUMENT).base(BASE).keys([
        Key::new(
            "path",
            Kind::text("path; a segment can be `{name}`", pattern::path(true, false)),
            "Matches requests for exactly this path. `{name}` stands for one segment of any content. Written \
             in canonical form: without escapes that are not needed.",
        )
        .example(r#""/users/{id}""#)
        .wrong(r#""/users/../admin""#)
        .beside("upstream = \"hello\""),
        Key::new(
            "prefix",
            Kind::text(
                "path without a slash at the end; a segment can be `{name}`",
                pattern::path(true, true),
            ),
            "Matches requests for this path and everything below it, by whole segments: `/orders` matches \
             `/orders/7`, never `/ordersX`. `/` matches everything.",
        )
        .example(r#""/orders""#)
        .wrong(r#""/orders/""#)
        .beside("upstream = \"hello\""),
        Key::new(
            "upstream",
            Kind::text("name", pattern::UPSTREAM_NAME),
            "The upstream that requests are \
            forwarded to: one of `[upstreams]`.",
        )
        .required()
        .example(r#""hello""#)
        .wrong_for_check(r#""helo""#)
        .beside("path = \"/v1/orders\""),
        Key::new(
            "host",
            Kind::text("DNS name or IP address", pattern::host()),
            "Matches requests for this \
            host only. A route with a host is more specific than one without.",
        )
        .default_note("any host")
        .example(r#""api.example.com""#)
        .wrong(r#""*.example.com""#),
        Key::new(
            "methods",
            methods(),
            "Matches requests with these methods only. HEAD is not implied by \
            GET. TRACE and CONNECT are refused on every route.",
        )
        .default_note("all methods")
        .example(r#"["GET", "HEAD"]"#)
        .wrong(r#"["get"]"#),
        Key::new(
            "access",
            Kind::Choice(vec!["token", "public"]),
            "Whether a request needs a token. A `public` route checks nothing.",
        )
        .default(r#""token""#)
        .example(r#""public""#)
        .wrong(r#""open""#),
        Key::new("scopes", Kind::set(scope()), "The token needs all of these scopes.")
            .default_note("any valid token is accepted")
            .example(r#"["read"]"#)
            .wrong_for_check(r#"["raed"]"#),
        Key::new("any_scope", Kind::set(scope()).not_empty(), "The token needs one of these scopes.")
            .example(r#"["read", "admin"]"#)
            .wrong("[]"),
        Key::new(
            "audience",
            Kind::text("visible ASCII without `#`", pattern::AUDIENCE),
            "The token must be for this resource (RFC 8707).",
        )
        .default_note("a token for any resource, or for none")
        .example(r#""https://api.example.com""#)
        .wrong(r#""my api""#),
        Key::new(
            "strip_prefix",
            Kind::text("path without a slash at the end", pattern::path(true, true)),
            "Removes these segments from the front of the path on its way to the upstream. They must be the \
             first segments of the route's own path.",
        )
        .default_note("nothing is removed")
        .example(r#""/v1""#)
        .wrong_for_check(r#""/v2""#),
        Key::flag("forward_token", false, "Sends the client's `Authorization` header to the upstream."),
        Key::flag(
            "allow_semicolon",
            false,
            "Accepts paths with `;` or `%3B`. Some servers take what follows \
            for a parameter, others do not.",
        ),
        Key::flag(
            "allow_encoded_slash",
            false,
            "Accepts paths with `%2F`. Some servers take it for a \
            separator, others do not.",
        ),
        Key::new(
            limits::MAX_BODY_SIZE.bounds.name,
            Kind::Size(limits::MAX_BODY_SIZE.bounds.least.0, limits::MAX_BODY_SIZE.bounds.most.0),
            "The largest request body. `\"0\"` is no limit.",
        )
        .default_note("`max_body_size` of `[server.limits]`")
        .example(r#""1GiB""#)
        .wrong("1048576"),
        Key::new(
            "rate_limit",
            Kind::Rate,
            "The requests that the route accepts, of all clients together. \
            More are answered with 429.",
        )
        .default_note("no limit")
        .example(r#"{ rate = "100/s", burst = 200 }"#)
        .wrong(r#""100""#),
        Key::new(
            "rate_limit_by_address",
            Kind::Rate,
            "The requests that the route accepts of each client address (IPv6: of its /64). More are answered with \
             429. They are counted before the token is looked at. Behind `trusted_proxies`, the address is the one \
             that they report.",
        )
        .default_note("no limit")
        .example(r#""50/s""#)
        .wrong(r#""50""#),
        Key::optional_number(
            &upstreams::MAX_IN_FLIGHT,
            "The most requests in flight on this route. More are \
            answered with 503.",
        )
        .default_note("no limit")
        .example("20"),
        Key::new(
            "response_headers",
            Kind::Table(response_headers()),
            "Changes the headers of the upstream's \
            responses: first `remove`, then `set`.",
        )
        .default_note("nothing is changed")
        .example(r#"{ remove = ["Server"], set = { X-Frame-Options = "DENY" } }"#)
        .wrong(r#"{ remove = ["Connection"] }"#),
        Key::new("allow", range(), "Accepts requests from these addresses only.")
            .default("[]")
            .example(r#"["10.0.0.0/8"]"#)
            .wrong_for_check(r#"["10.1.2.3/8"]"#),
        Key::new("deny", range(), "Accepts no requests from these addresses. It comes before `allow`.")
            .default("[]")
            .example(r#"["10.1.2.3"]"#)
            .wrong(r#"["10.0.0.0/33"]"#),
        Key::new(
            "cors",
            Kind::Table(cors()),
            "Allows web pages from other origins to call the route, and \
            answers their preflight requests.",
        )
        .default_note("not allowed")
        .example(r#"{ origins = ["https://app.example.com"], max_age = "10m" }"#)
        .wrong("{}"),
    ]);
    let table = table
        .rule(
            "A route has `path` or `prefix`, not both.",
            json!({ "oneOf": [{ "required": ["path"] }, { "required": ["prefix"] }] }),
        )
        .rule("A route has `scopes` or `any_scope`, not both.", at_most_one(&["scopes", "any_scope"]))
        .rule(
            "A `public` route has no `scopes`, `any_scope` or `audience`.",
            json!({
                "if": { "properties": { "access": { "const": "public" } }, "required": ["access"] },
                "then": { "properties": { "scopes": false, "any_scope": false, "audience": false } },
            }),
        );
    [
        ("`;` in the pattern needs `allow_semicolon = true`.", ";", "allow_semicolon"),
        ("`%2F` in the pattern needs `allow_encoded_slash = true`.", "%2F", "allow_encoded_slash"),
    ]
    .into_iter()
    .fold(table, |table, (about, text, flag)| table.rule(about, needs_flag(text, flag)))
}

fn needs_flag(text: &str, flag: &str) -> Json {
    let contains = json!({ "type": "string", "pattern": text });
    let has = |key: &str| json!({ "properties": { key: contains }, "required": [key] });
    let patterns = ["path", "prefix", "strip_prefix"].map(has);
    json!({
        "if": { "anyOf": patterns },
        "then": { "properties": { flag: { "const": true } }, "required": [flag] },
    })
}

fn methods() -> Kind {
    Kind::set(Kind::text("method in capitals", pattern::METHOD).but_not("TRACE|CONNECT".to_owned()))
        .not_empty()
}

fn response_headers() -> Table {
    let name = || Kind::text("header name", pattern::HEADER_NAME).but_not(pattern::one_of(CONNECTION, false));
    let value = Kind::text(
        "text without control characters and without spaces at its ends",
        "|[!-~]([ -~\\t]*[!-~])?",
    );
    Table::new(
        "response_headers",
        "Changes the headers of the upstream's responses.",
        "[upstreams.hello]\nservers = [\"http://127.0.0.1:9000\"]\n[[routes]]\npath = \"/\"\nupstream = \
         \"hello\"\nresponse_headers = { § }",
    )
    .keys([
        Key::new("remove", Kind::set(name()), "The headers that are removed.")
            .default("[]")
            .example(r#"["Server", "X-Powered-By"]"#)
            .wrong(r#"["Transfer-Encoding"]"#),
        Key::new(
            "set",
            Kind::map("NAME", pattern::HEADER_NAME, "a header name", value)
                .but_not(pattern::one_of(CONNECTION, false)),
            "The headers that are added, instead of any of the same name.",
        )
        .default_note("none")
        .example(r#"{ X-Frame-Options = "DENY" }"#)
        .wrong(r#"{ "X Frame" = "DENY" }"#),
    ])
}

fn cors() -> Table {
    Table::new(
        "cors",
        "Cross-origin requests from web pages.",
        "[upstreams.hello]\nservers = [\"http://127.0.0.1:9000\"]\n[[routes]]\npath = \"/\"\nupstream = \
         \"hello\"\ncors = { § }",
    )
    .base("origins = [\"https://app.example.com\"]")
    .keys([
        Key::new(
            "origins",
            Kind::set(Kind::text("origin, or `*` alone for any", pattern::web_origin())).not_empty(),
            "The origins of the pages.",
        )
        .required()
        .example(r#"["https://app.example.com"]"#)
        .wrong(r#"["https://app.example.com/"]"#)
        .beside(""),
        Key::new("methods", methods(), "The methods that the pages may use.")
            .default_note("those of the route")
            .example(r#"["GET"]"#)
            .wrong(r#"["get"]"#),
        Key::new(
            "headers",
            Kind::set(Kind::text("header name", pattern::HEADER_NAME)),
            "The request headers that the pages may set, beside those that are always allowed.",
        )
        .default("[]")
        .example(r#"["X-Request-Id"]"#)
        .wrong(r#"["X Request"]"#),
        Key::optional_duration(
            &cors::MAX_AGE,
            "How long a browser may remember the answer to a preflight \
            request.",
        )
        .default_note("the browser decides")
        .example(r#""10m""#),
        Key::flag(
            "credentials",
            false,
            "Allows cookies and other credentials of the browser. Not together \
            with the origin `*`.",
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
