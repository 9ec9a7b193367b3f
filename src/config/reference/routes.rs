//! `[[routes]]`.

use serde_json::{Value as Json, json};

use super::clients::at_most_one;
use super::cors;
use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::compile::headers::{CONNECTION, GATEWAY};
use crate::config::settings::routes::BUFFER_REQUEST;
use crate::config::settings::{limits, upstreams};

const DOCUMENT: &str = "[scopes]\nread = \"Read\"\nadmin = \"All\"\n[upstreams.hello]\nservers = \
    [\"http://127.0.0.1:9000\"]\n[[routes]]\n§";
const BASE: &str = "path = \"/v1/orders\"\nupstream = \"hello\"";

pub(super) fn route() -> Table {
    let host = || Kind::text("DNS name, IP address, or `*.` and a DNS name", pattern::host_pattern());
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
            Kind::Either(vec![host(), Kind::set(host()).not_empty()]),
            "Matches requests for this host only, or for one of these hosts. `*.example.com` is every name below \
             example.com, at any depth, and not example.com itself. A route of exactly the request's host is more \
             specific than one of `*.example.com`, of which the longest name counts, and that is more specific than a \
             route without a host.",
        )
        .default_note("any host")
        .example(r#"["api.example.com", "*.apis.example.com"]"#)
        .wrong(r#""api.*.example.com""#),
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
        Key::new(
            "mode",
            Kind::Choice(vec!["enforce", "shadow"]),
            "What becomes of requests whose token is missing or not good enough. `enforce` refuses them. `shadow` \
             forwards them without the credentials of the upstream, and learns which callers would be refused. \
             Everything else is enforced in both.",
        )
        .default_note("`mode` of `[server]`")
        .example(r#""shadow""#)
        .wrong(r#""off""#),
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
        Key::new(
            "upstream_path",
            Kind::text("path; a segment can be a `{name}` of the route's own path", pattern::path(true, false)),
            "Sends this path upstream instead. Each `{name}` becomes what the request has in its place. On a route \
             with a `prefix`, what is below the prefix is put behind it.",
        )
        .default_note("the path of the request")
        .example(r#""/registered/{id}""#)
        .wrong_for_check(r#""/registered/{uid}""#)
        .beside("path = \"/users/{id}\"\nupstream = \"hello\""),
        Key::flag(
            "map_response_urls",
            true,
            "Maps `Location`, `Content-Location` and the path and domain of `Set-Cookie` in responses back: \
             through `strip_prefix`, `upstream_path` and the path of the servers, and from the servers' own \
             origin to the one that the client used.",
        ),
        Key::new(
            "token_header",
            Kind::text("header name", pattern::HEADER_NAME)
                .but_not(pattern::one_of(CONNECTION.into_iter().chain(GATEWAY).chain(["authorization"]), true)),
            "Takes the token from this header instead of `Authorization`, after `Bearer` or alone. \
             `Authorization` is then passed on, for APIs that need it for themselves.",
        )
        .default_note("`Authorization`")
        .example(r#""X-Gateway-Token""#)
        .wrong(r#""Authorization""#),
        Key::new(
            "identity_headers",
            Kind::Table(identity_headers()),
            "Names the headers that say who the client is.",
        )
        .default_note("`X-Client-Id` and `X-Client-Scope`")
        .example(r#"{ client_id = "X-Consumer", scope = false }"#)
        .wrong(r#"{ client_id = "X Consumer" }"#),
        Key::new(
            "request_headers",
            Kind::Table(request_headers()),
            "Changes the headers of requests on their way to the upstream: first `remove`, then `set`.",
        )
        .default_note("nothing is changed")
        .example(r#"{ remove = ["Cookie"], set = { X-Tenant = "7" } }"#)
        .wrong(r#"{ remove = ["Host"] }"#),
        Key::new(
            BUFFER_REQUEST.name,
            Kind::Size(BUFFER_REQUEST.least.0, BUFFER_REQUEST.most.0),
            "Reads the whole body of a request, up to this size, before anything is sent upstream. Servers that \
             do not know chunked bodies then get a `Content-Length`, and slow clients keep no server busy. A \
             larger body is answered with 413. Not for upstreams with `protocol = \"http2\"`.",
        )
        .default_note("bodies are streamed")
        .example(r#""1MiB""#)
        .wrong("1048576"),
        Key::new(
            "forward_token",
            Kind::Either(vec![Kind::Flag, Kind::Choice(vec!["jwt"])]),
            "What the upstream gets in place of the client's token. `false`: nothing. `true`: the client's `Authorization` \
             header as it is. `\"jwt\"`: a signed JWT (RFC 9068) with the client, its scopes and the upstream as its \
             audience, in `Authorization: Bearer`, or in the header of `token_header` without `Bearer`.",
        )
        .default(false)
        .example(r#""jwt""#)
        .wrong(r#""JWT""#),
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
        Key::flag(
            "allow_encoded_delimiters",
            false,
            "Accepts paths with `%3F` (`?`) or `%23` (`#`). Some servers decode them before they look for the end \
             of the path.",
        ),
        Key::flag(
            "allow_empty_segments",
            false,
            "Accepts paths with empty segments, such as `/a//b`, but never at the beginning. Some servers merge the \
             slashes, others do not.",
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
            Kind::Table(cors::of_route(methods())),
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
        .rule(
            "A route has `strip_prefix` or `upstream_path`, not both.",
            at_most_one(&["strip_prefix", "upstream_path"]),
        )
        .rule("A route has `scopes` or `any_scope`, not both.", at_most_one(&["scopes", "any_scope"]))
        .rule(
            "A `public` route has no `mode`, `scopes`, `any_scope`, `audience`, `token_header` or `forward_token = \"jwt\"`.",
            json!({
                "if": { "properties": { "access": { "const": "public" } }, "required": ["access"] },
                "then": { "properties": {
                    "mode": false, "scopes": false, "any_scope": false, "audience": false,
                    "token_header": false, "forward_token": { "type": "boolean" },
                } },
            }),
        );
    [
        ("`;` in the pattern needs `allow_semicolon = true`.", ";", "allow_semicolon"),
        ("`%2F` in the pattern needs `allow_encoded_slash = true`.", "%2F", "allow_encoded_slash"),
        (
            "`%3F` or `%23` in the pattern needs `allow_encoded_delimiters = true`.",
            "%(3F|23)",
            "allow_encoded_delimiters",
        ),
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

fn header_value() -> Kind {
    Kind::text("text without control characters and without spaces at its ends", "|[!-~]([ -~\\t]*[!-~])?")
}

fn request_headers() -> Table {
    let refused = || pattern::one_of(CONNECTION.into_iter().chain(GATEWAY), true);
    let name = Kind::text("header name", pattern::HEADER_NAME).but_not(refused());
    Table::new(
        "request_headers",
        "Changes the headers of requests.",
        "[upstreams.hello]\nservers = [\"http://127.0.0.1:9000\"]\n[[routes]]\npath = \"/\"\nupstream = \
         \"hello\"\nrequest_headers = { § }",
    )
    .keys([
        Key::new(
            "remove",
            Kind::set(name),
            "The headers of the client that do not go upstream, in any spelling.",
        )
        .default("[]")
        .example(r#"["Cookie", "X-Debug"]"#)
        .wrong(r#"["X-Forwarded-For"]"#),
        Key::new(
            "set",
            Kind::map("NAME", pattern::HEADER_NAME, "a header name", header_value()).but_not(refused()),
            "The headers that are added, instead of any of the same name.",
        )
        .default_note("none")
        .example(r#"{ X-Tenant = "7" }"#)
        .wrong(r#"{ Host = "other" }"#),
    ])
}

fn identity_headers() -> Table {
    let header = || {
        let name = Kind::text("header name", pattern::HEADER_NAME).but_not(pattern::one_of(
            CONNECTION.into_iter().chain(GATEWAY.into_iter().filter(|name| !name.starts_with("x-client"))),
            true,
        ));
        Kind::Either(vec![name, Kind::Flag])
    };
    Table::new(
        "identity_headers",
        "The headers that say who the client is. What the client sends under these names is removed.",
        "[upstreams.hello]\nservers = [\"http://127.0.0.1:9000\"]\n[[routes]]\npath = \"/\"\nupstream = \
         \"hello\"\nidentity_headers = { § }",
    )
    .keys([
        Key::new("client_id", header(), "The header with the client's id; `false` for none.")
            .default("true")
            .example(r#""X-Consumer-Username""#)
            .wrong(r#""Host""#),
        Key::new("scope", header(), "The header with the scopes of its token; `false` for none.")
            .default("true")
            .example("false")
            .wrong(r#""X Scope""#),
    ])
}

fn response_headers() -> Table {
    let name = || Kind::text("header name", pattern::HEADER_NAME).but_not(pattern::one_of(CONNECTION, false));
    let value = header_value();
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
