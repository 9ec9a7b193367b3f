use std::path::Path;

use http::Method;
use proptest::prelude::*;

use super::sample::decide;
use super::{Violation, violations};
use crate::access::explain::Verdict;
use crate::access::reach::Reach;
use crate::config::{Access, Config, Expected, RequestPattern};
use crate::gateway::build;
use crate::route::path::{Canonical, canonical};
use crate::route::table::{Match, RouteTable};

const FRAME: &str = r#"
[scopes]
r = "Read"
w = "Write"

[clients.report]
secret = "$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8"
capabilities = ["client_credentials"]
scopes = ["r"]

[clients.bound]
secret = "$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8"
capabilities = ["client_credentials"]
scopes = ["r"]
dpop_bound_tokens = true

[upstreams.plain]
servers = ["http://127.0.0.1:9"]

[upstreams.folded]
servers = ["http://127.0.0.1:9"]
case_insensitive = true
"#;

fn parse(lines: &str) -> Option<Config> {
    Config::parse(&format!("{FRAME}{lines}"), Path::new("gateway.toml"), Path::new("."), &|_| None).ok()
}

fn verify(lines: &str) -> Vec<Violation> {
    let config = parse(lines).unwrap_or_else(|| panic!("not a configuration: {lines}"));
    violations(&config, &|config| build::rules(config, None))
}

fn messages(lines: &str) -> Vec<String> {
    verify(lines).into_iter().map(|violation| violation.message).collect()
}

#[test]
fn outcomes_are_those_of_explain() {
    let routes =
        "[[routes]]\nprefix = \"/orders\"\nmethods = [\"GET\"]\nscopes = [\"r\"]\nupstream = \"plain\"\n";
    let expect = |lines: &str| messages(&format!("{routes}[[expect]]\n{lines}\n"));
    for good in [
        "url = \"/orders\"\nresult = 401",
        "client = \"report\"\nurl = \"https://a.example/orders/7\"\nresult = \"pass\"",
        "client = \"bound\"\nurl = \"/orders/7\"\nresult = \"pass\"",
        "client = \"report\"\nmethod = \"POST\"\nurl = \"/orders\"\nresult = 405",
        "url = \"/other\"\nresult = 404",
        "url = \"/orders/../x\"\nresult = 400",
    ] {
        assert_eq!(expect(good), [""; 0], "{good}");
    }
    for (bad, part) in [
        ("url = \"/orders\"\nresult = \"pass\"", "the gateway answers 401"),
        ("client = \"report\"\nurl = \"/orders\"\nresult = 403", "it goes to the upstream \"plain\""),
        ("url = \"/oauth/v2/oauth-token\"\nresult = \"pass\"", "the token endpoint"),
    ] {
        let messages = expect(bad);
        assert!(messages.len() == 1 && messages[0].contains(part), "{bad}: {messages:?}");
    }
}

/// The routes, the client and pattern, and the request that gets through.
const TABLE: &[(&str, &str, Option<&str>)] = &[
    // Another prefix, or another method.
    ("prefix = \"/\"\nscopes = [\"r\"]", "* /orders/**", Some("GET /orders")),
    ("prefix = \"/\"\nscopes = [\"w\"]", "* /orders/**", None),
    ("prefix = \"/\"\nmethods = [\"GET\"]\nscopes = [\"r\"]", "POST,PUT /orders/**", None),
    ("prefix = \"/\"\nmethods = [\"PUT\"]\nscopes = [\"r\"]", "POST,PUT /orders/**", Some("PUT /orders")),
    // An exact route hides one path only.
    (
        "prefix = \"/\"\nscopes = [\"r\"]\nupstream = \"plain\"\n[[routes]]\npath = \"/orders\"\nscopes = [\"w\"]",
        "GET /orders/**",
        Some("GET /orders/x"),
    ),
    (
        "prefix = \"/\"\nscopes = [\"r\"]\nupstream = \"plain\"\n[[routes]]\nprefix = \"/orders\"\nscopes = [\"w\"]",
        "GET /orders/**",
        None,
    ),
    // Another name in a wildcard.
    (
        "host = \"*.example.com\"\nprefix = \"/\"\nscopes = [\"r\"]",
        "* a.example.com/**",
        Some("GET https://a.example.com/x"),
    ),
    ("host = \"*.example.com\"\nprefix = \"/\"\nscopes = [\"r\"]", "* example.com/**", None),
    (
        "host = \"a.example.com\"\nprefix = \"/\"\nscopes = [\"r\"]",
        "* *.example.com/b",
        Some("GET https://a.example.com/b"),
    ),
    // Readings of paths.
    (
        "path = \"/files/{name}\"\nallow_encoded_slash = true\nscopes = [\"r\"]",
        "* /files/{name}/admin",
        Some("GET /files/x%2Fadmin"),
    ),
    ("path = \"/files/{name}\"\nscopes = [\"r\"]", "* /files/{name}/admin", None),
    (
        "path = \"/a/{b}/c\"\nallow_encoded_delimiters = true\nscopes = [\"r\"]",
        "* /a/{b}",
        Some("GET /a/x%3Fx/c"),
    ),
    ("path = \"/a/b\"\nallow_semicolon = true\nscopes = [\"r\"]", "* /a;v=1/b", Some("GET /a;v=1/b")),
    // The gateway's own endpoints are no upstream's.
    ("prefix = \"/\"\nscopes = [\"r\"]", "* /oauth/v2/oauth-token", None),
];

#[test]
fn a_counterexample_is_named_if_there_is_one() {
    for (route, pattern, found) in TABLE {
        let lines = format!(
            "[[routes]]\n{route}\nupstream = \"plain\"\n[[expect]]\nclient = \"report\"\nnever = [\"{pattern}\"]\n"
        );
        let messages = messages(&lines);
        match found {
            None => assert_eq!(messages, [""; 0], "{lines}"),
            Some(request) => assert!(
                messages.len() == 1
                    && messages[0].starts_with(&format!("is violated: {request} gets through")),
                "{lines}{messages:?}"
            ),
        }
    }
}

#[test]
fn an_upstream_that_ignores_case_is_proved_in_every_case() {
    let lines = "[[routes]]\nprefix = \"/api\"\nscopes = [\"r\"]\nupstream = \"folded\"\n\
        [[routes]]\nprefix = \"/api/orders\"\nscopes = [\"w\"]\nupstream = \"plain\"\n\
        [[expect]]\nclient = \"report\"\nnever = [\"GET /api/orders/**\"]\n";
    let messages = messages(lines);
    assert!(messages[0].contains("GET /Api/orders gets through"), "{messages:?}");
}

#[test]
fn a_bound_token_and_no_token_are_proved_too() {
    let lines = |client: &str, access: &str| {
        format!(
            "[[routes]]\nprefix = \"/\"\n{access}\nupstream = \"plain\"\n[[expect]]\n{client}\nnever = [\"GET /a/**\"]\n"
        )
    };
    assert_eq!(messages(&lines("client = \"bound\"", "scopes = [\"r\"]")).len(), 1);
    assert_eq!(messages(&lines("", "access = \"public\"")).len(), 1);
    assert_eq!(messages(&lines("", "scopes = [\"r\"]")), [""; 0]);
}

fn segment() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("b"), Just("A"), Just("{n}"), Just("a;v"), Just("a%2Fb")]
}

fn joined(segments: &[&str]) -> String {
    let named = |(at, segment): (usize, &&str)| match *segment {
        "{n}" => format!("/{{n{at}}}"),
        other => format!("/{other}"),
    };
    segments.iter().enumerate().map(named).collect()
}

prop_compose! {
    fn route()(
        segments in prop::collection::vec(segment(), 0..3),
        prefix in any::<bool>(),
        slash in any::<bool>(),
        flags in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        folded in any::<bool>(),
        access in prop_oneof![Just("scopes = [\"r\"]"), Just("scopes = [\"w\"]"), Just("access = \"public\"")],
        methods in prop_oneof![Just(""), Just("methods = [\"GET\"]\n"), Just("methods = [\"PUT\"]\n")],
        host in prop_oneof![
            Just(""), Just("host = \"h.example\"\n"), Just("host = \"*.example\"\n"),
            Just("host = [\"*.h.example\", \"other.example\"]\n")
        ],
        strip in any::<bool>(),
    ) -> String {
        let path = joined(&segments);
        let (semicolon, encoded_slash, delimiters, empty) = flags;
        let upstream = if folded { "folded" } else { "plain" };
        let pattern = match (prefix, path.as_str()) {
            (true, "") => "prefix = \"/\"".to_owned(),
            (true, path) => format!("prefix = \"{path}\""),
            (false, path) if slash || path.is_empty() => format!("path = \"{path}/\""),
            (false, path) => format!("path = \"{path}\""),
        };
        let first = segments.first().map(|_| joined(&segments[..1])).filter(|_| strip);
        let strip = first.map(|first| format!("strip_prefix = \"{first}\"\n")).unwrap_or_default();
        format!(
            "[[routes]]\n{pattern}\n{host}{methods}{strip}{access}\nupstream = \"{upstream}\"\n\
             allow_semicolon = {semicolon}\nallow_encoded_slash = {encoded_slash}\n\
             allow_encoded_delimiters = {delimiters}\nallow_empty_segments = {empty}\n"
        )
    }
}

prop_compose! {
    fn never()(
        segments in prop::collection::vec(segment(), 0..3),
        rest in prop_oneof![Just("/**"), Just("/"), Just("")],
        methods in prop_oneof![Just("*"), Just("GET"), Just("PUT,DELETE")],
        host in prop_oneof![Just(""), Just("h.example"), Just("*.example"), Just("*.h.example")],
    ) -> String {
        let rest = if segments.is_empty() && rest.is_empty() { "/" } else { rest };
        format!("{methods} {host}{}{rest}", joined(&segments))
    }
}

/// Every path of up to three segments of these.
fn all_paths() -> Vec<String> {
    const SEGMENTS: [&str; 9] = ["", "a", "A", "b", "q", "a;v", "a%2Fb", "q%2FA%2Fq", "a%3Fq"];
    let mut paths = vec![String::new()];
    let mut all = Vec::new();
    for _ in 0..3 {
        paths = paths.iter().flat_map(|path| SEGMENTS.map(|segment| format!("{path}/{segment}"))).collect();
        all.extend(paths.iter().cloned());
    }
    all.retain(|path| canonical(path).is_ok());
    all
}

/// A matcher that shares nothing with the proof: it compares texts.
fn matches(pattern: &RequestPattern, path: &str, folded: bool) -> bool {
    let fold = |text: &str| if folded { text.to_ascii_lowercase() } else { text.to_owned() };
    let wanted: Vec<String> = pattern.path.as_str().split('/').skip(1).map(str::to_owned).collect();
    let wanted = if pattern.path.as_str() == "/" && pattern.path.is_prefix() { Vec::new() } else { wanted };
    let got: Vec<&str> = path.split('/').skip(1).collect();
    let long_enough =
        if pattern.path.is_prefix() { got.len() >= wanted.len() } else { got.len() == wanted.len() };
    long_enough
        && wanted.iter().zip(&got).all(|(wanted, got)| {
            if wanted.starts_with('{') { !got.is_empty() } else { fold(wanted) == fold(got) }
        })
}

/// Whether a path matches literally, or as one of the servers reads it that are known.
fn is_of(pattern: &RequestPattern, path: &Canonical<'_>, folded: bool) -> bool {
    let mut readings = vec![path.as_str().to_owned()];
    let cut = |path: &str| path.split("%3F").next().unwrap_or_default().to_owned();
    let plain = |path: &str| {
        let segments = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
        segments.collect::<Vec<_>>().join("/")
    };
    let merge = |path: &str| {
        let mut path = path.to_owned();
        while path.contains("//") {
            path = path.replace("//", "/");
        }
        path
    };
    let decode = |path: &str| merge(&path.replace("%2F", "/"));
    let steps: [&dyn Fn(&str) -> String; 5] = [&cut, &plain, &decode, &plain, &merge];
    for step in steps {
        readings.extend(readings.clone().iter().map(|path| step(path)));
    }
    readings.iter().any(|path| matches(pattern, path, folded))
}

fn takes_host(pattern: &RequestPattern, host: &str) -> bool {
    match pattern.host.as_ref().map(ToString::to_string) {
        None => true,
        Some(wanted) => match wanted.strip_prefix('*') {
            Some(suffix) => host.ends_with(suffix) && host.len() > suffix.len(),
            None => wanted == host,
        },
    }
}

/// Finds a request that gets through by asking the table about all of them.
fn brute_force(config: &Config, client: &str, pattern: &RequestPattern, paths: &[String]) -> Option<String> {
    let entries = config.routes.iter().flat_map(|route| config.table_entries(route, &route));
    let table = RouteTable::build(entries).ok()?;
    let methods = [Method::GET, Method::PUT, Method::PATCH];
    let client = config.client(client)?;
    for host in ["nowhere.test", "h.example", "z.example", "z.h.example"] {
        if !takes_host(pattern, host) {
            continue;
        }
        for path in paths {
            let canonical = canonical(path).ok()?;
            for method in &methods {
                if pattern.methods.as_ref().is_some_and(|methods| !methods.contains(method)) {
                    continue;
                }
                let Match::Found(route) = table.find(host, &canonical, method) else { continue };
                let folded = config.upstream_of(route).is_some_and(|upstream| upstream.case_insensitive);
                let strips = route.strip_prefix.as_ref();
                let passes = (route.access == Access::Public || Reach::of(client, route).is_allowed())
                    && strips.is_none_or(|strip| {
                        crate::route::strip::strip_prefix(canonical.as_str(), strip).is_some()
                    });
                if passes && is_of(pattern, &canonical, folded) {
                    return Some(format!("{method} {host} {}", canonical.as_str()));
                }
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    /// What brute force finds, the proof finds, and what the proof finds gets through.
    #[test]
    fn the_proof_agrees_with_brute_force(routes in prop::collection::vec(route(), 1..5), never in never()) {
        let lines = format!("{}[[expect]]\nclient = \"report\"\nnever = [\"{never}\"]\n", routes.concat());
        let Some(config) = parse(&lines) else { return Err(TestCaseError::reject("not a configuration")) };
        let compile = |config: &Config| build::rules(config, None);
        let found = violations(&config, &compile);
        let Expected::Never(patterns) = &config.expectations[0].expected else { panic!("never") };
        let pattern = &patterns[0];
        let by_force = brute_force(&config, "report", pattern, &all_paths());
        match found.as_slice() {
            [] => prop_assert_eq!(by_force, None, "{}", lines),
            [violation] => {
                let message = &violation.message;
                let request = message.strip_prefix("is violated: ").and_then(|rest| rest.split_once(" gets"));
                let Some((request, _)) = request else {
                    // Nothing is claimed.
                    prop_assert!(message.contains("too many routes"), "{message}\n{lines}");
                    return Ok(());
                };
                let (method, url) = request.split_once(' ').unwrap_or_default();
                let method: Method = method.parse().unwrap_or_default();
                let explanation = decide(&config, Some("report"), &method, url, &compile).unwrap();
                prop_assert!(matches!(explanation.verdict, Verdict::Passes { .. }), "{}\n{}", message, lines);
                let path = explanation.canonical_path.unwrap_or_default();
                let folded = explanation.route.and_then(|route| config.upstream_of(route));
                let folded = folded.is_some_and(|upstream| upstream.case_insensitive);
                prop_assert!(is_of(pattern, &canonical(&path).unwrap(), folded), "{}\n{}", message, lines);
                prop_assert!(pattern.methods.as_ref().is_none_or(|methods| methods.contains(&method)));
                let host = url.strip_prefix("https://").and_then(|rest| rest.split('/').next());
                prop_assert!(takes_host(pattern, host.unwrap_or("_")), "{}\n{}", message, lines);
            }
            _ => prop_assert!(false, "one pattern"),
        }
    }
}
