//! Protected routes: RFC 6750, route selection, and connections that stay usable after a refusal.

use crate::support::{basic, get, shared};

/// Returns the value of a challenge's parameter.
#[track_caller]
fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> &'a str {
    let found = parameters.iter().find(|(n, _)| n == name);
    found.map(|(_, v)| v.as_str()).unwrap_or_else(|| panic!("no {name} in {parameters:?}"))
}

#[test]
fn a_valid_token_is_accepted_and_the_scheme_is_case_insensitive() {
    let gateway = shared();
    let token = gateway.token("server", "read");
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        gateway.raw(get("/hello", &[&format!("Authorization: {scheme} {token}")])).status(200);
    }
    gateway.raw(get("/hello", &[&format!("aUTHORIZATION:Bearer {token}")])).status(200);
}

#[test]
fn a_request_without_a_token_gets_a_challenge_without_an_error() {
    let gateway = shared();
    let before = basic("server", "Password1");
    for fields in
        [&[][..], &[before.as_str()], &["Authorization: Digest a=\"b\""], &["Authorization: Bearerx abc"]]
    {
        let answer = gateway.raw(get("/hello?m=no-token", fields));
        answer.bearer_error(401, None);
    }
    assert!(!gateway.upstream.saw("m=no-token"));
}

#[test]
fn malformed_or_repeated_credentials_are_invalid_request() {
    let gateway = shared();
    let good = gateway.bearer("server", "read");
    let token = good.trim_start_matches("Authorization: Bearer ");
    let lines = [
        vec!["Authorization: Bearer".to_owned()],
        vec!["Authorization: Bearer ".to_owned()],
        vec![format!("Authorization: Bearer {token} x")],
        vec![format!("Authorization: Bearer {token},")],
        vec![format!("Authorization: Bearer {token}, Bearer {token}")],
        vec![format!("Authorization: Bearer \"{token}\"")],
        vec!["Authorization: Bearer t\u{e9}l".to_owned()],
        vec!["Authorization: Bearer ab=c".to_owned()],
        vec!["Authorization: Bearer =".to_owned()],
        vec![good.clone(), good.clone()],
        vec![good.clone(), "Authorization: Basic YTpi".to_owned()],
        vec!["Authorization: Basic YTpi".to_owned(), good.clone()],
        vec![good.clone(), "authorization: ".to_owned()],
    ];
    for fields in &lines {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        gateway.raw(get("/hello?m=malformed", &fields)).bearer_error(400, Some("invalid_request"));
    }
    assert!(!gateway.upstream.saw("m=malformed"));
}

#[test]
fn unknown_tokens_are_invalid_token() {
    let gateway = shared();
    let token = gateway.token("server", "read");
    let flipped: String = token
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    let mut swapped: Vec<char> = token.chars().collect();
    let last = swapped.len() - 1;
    swapped[last] = if swapped[last] == 'A' { 'B' } else { 'A' };
    let mut inner: Vec<char> = token.chars().collect();
    inner[10] = if inner[10] == 'x' { 'y' } else { 'x' };
    let tokens = [
        token[..token.len() - 1].to_owned(),
        token[..20].to_owned(),
        token[3..].to_owned(),
        format!("{token}A"),
        format!("{token}="),
        format!("x{token}"),
        flipped,
        token.replacen("tg_", "TG_", 1),
        swapped.into_iter().collect(),
        inner.into_iter().collect(),
        "tg_".to_owned(),
        format!("tg_{}", "A".repeat(49)),
        "0470b16b-7bf8-4fa3-9ae1-6a10e0f0b699".to_owned(),
        "a".repeat(4000),
        "~+/.-_==".to_owned(),
    ];
    for token in tokens {
        let answer = gateway.raw(get("/hello?m=unknown-token", &[&format!("Authorization: Bearer {token}")]));
        let parameters = answer.bearer_error(401, Some("invalid_token"));
        assert!(parameter(&parameters, "error_description").to_lowercase().contains("new"), "{answer}");
        let text = answer.to_string();
        let answered = text.split("--- response").nth(1).expect("an answer");
        assert!(token.len() < 10 || !answered.contains(&token), "the response contains the token\n{answer}");
    }
    assert!(!gateway.upstream.saw("m=unknown-token"));
    gateway.raw(get("/hello", &[&format!("Authorization: Bearer {token}")])).status(200);
}

#[test]
fn a_token_outside_the_header_is_ignored() {
    let gateway = shared();
    let token = gateway.token("server", "read");
    gateway.raw(get(&format!("/hello?m=elsewhere&access_token={token}"), &[])).bearer_error(401, None);
    for line in [
        format!("X-Authorization: Bearer {token}"),
        format!("Proxy-Authorization: Bearer {token}"),
        format!("Cookie: access_token={token}"),
        format!("Authorization_: Bearer {token}"),
    ] {
        gateway.raw(get("/hello?m=elsewhere", &[&line])).bearer_error(401, None);
    }
    let body = format!("access_token={token}");
    let answer = gateway.raw(crate::support::post_form("/hello?m=elsewhere", &[], body));
    answer.bearer_error(401, None);
    assert!(!gateway.upstream.saw("m=elsewhere"));
}

#[test]
fn scopes_decide_and_403_names_what_is_needed() {
    let gateway = shared();
    let read = gateway.bearer("server", "read");
    let both = gateway.bearer("server", "write read");
    let none = gateway.bearer("server", "");
    let admin = gateway.bearer("administrator", "admin");
    let rows = [
        ("/hello", &read, None),
        ("/hello", &both, None),
        ("/hello", &none, Some("read")),
        ("/hello", &admin, Some("read")),
        ("/write", &read, Some("write")),
        ("/both", &read, Some("read write")),
        ("/both", &both, None),
        ("/any", &both, None),
        ("/any", &admin, None),
        ("/any", &read, Some("write admin")),
        ("/authenticated", &none, None),
        ("/users/jane", &read, None),
        ("/users/me", &read, Some("admin")),
        ("/users/me", &admin, None),
    ];
    for (path, bearer, needed) in rows {
        let answer = gateway.raw(get(&format!("{path}?m=scopes-{}", needed.is_some()), &[bearer]));
        match needed {
            None => {
                answer.status(200);
            }
            Some(needed) => {
                let parameters = answer.bearer_error(403, Some("insufficient_scope"));
                assert_eq!(parameter(&parameters, "scope"), needed, "{answer}");
            }
        }
    }
    assert!(!gateway.upstream.saw("m=scopes-true"), "a refused request reached the upstream");
}

#[test]
fn the_host_picks_the_more_specific_route() {
    let gateway = shared();
    let read = gateway.bearer("server", "read");
    let admin = gateway.bearer("administrator", "admin");
    for host in ["api.example.test", "API.Example.Test", "api.example.test:8080"] {
        let send_bearer = |bearer: &str| {
            gateway.raw(format!("GET /hello?m=host HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n\r\n"))
        };
        send_bearer(&read).bearer_error(403, Some("insufficient_scope"));
        send_bearer(&admin).status(200);
    }
    let elsewhere = format!("GET /hello HTTP/1.1\r\nHost: api.example.test.evil\r\n{read}\r\n\r\n");
    gateway.raw(elsewhere).status(200);
}

#[test]
fn no_route_is_404_and_reaches_no_upstream() {
    let gateway = shared();
    let bearer = gateway.bearer("administrator", "admin read write");
    for path in [
        "/",
        "/nowhere",
        "/Hello",
        "/hello/",
        "/hello/x",
        "/hellox",
        "/users",
        "/users/",
        "/users/a/b",
        "/apix",
        "/API/x",
        "/v1",
        "/v1/ordersX",
        "/orders",
        "/publicity",
        "/.well-known/none",
        "/oauth/v2/oauth-tokenx",
    ] {
        for fields in [&[][..], &[bearer.as_str()]] {
            gateway.raw(get(&format!("{path}?m=no-route"), fields)).problem(404);
        }
    }
    assert!(!gateway.upstream.saw("m=no-route"));
}

#[test]
fn a_wrong_method_is_405_with_allow() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    for fields in ["", &format!("{bearer}\r\n")] {
        for method in ["POST", "DELETE", "BREW", "get"] {
            let answer = gateway.raw(format!(
                "{method} /get-only?m=wrong-method HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: 0\r\n\r\n"
            ));
            answer.problem(405);
            let mut allowed: Vec<&str> = answer.one("allow").split(',').map(str::trim).collect();
            allowed.sort_unstable();
            assert_eq!(allowed, ["GET", "HEAD"], "{answer}");
        }
    }
    assert!(!gateway.upstream.saw("m=wrong-method"));
    gateway.raw(get("/get-only", &[&bearer])).status(200);
}

#[test]
fn a_connection_stays_usable_after_refusals() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let mut conn = gateway.connect();
    conn.request(get("/hello", &[])).bearer_error(401, None);
    conn.request(get("/hello", &[&bearer])).status(200);
    conn.request(get("/hello", &["Authorization: Bearer nonsense"])).bearer_error(401, Some("invalid_token"));
    conn.request(get("/write", &[&bearer])).bearer_error(403, Some("insufficient_scope"));
    conn.request(get("/nowhere", &[&bearer])).problem(404);
    conn.request(get("/hello", &[&bearer])).status(200);
    conn.send(b"HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    conn.read_head_only().bearer_error(401, None);
    conn.request(get("/hello", &[&bearer])).status(200);
}

#[test]
fn a_token_is_valid_on_every_connection_and_listener() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let mut tls = crate::support::Conn::tls(gateway.gateway.tls(), &["http/1.1"]);
    tls.request(get("/hello", &[&bearer])).status(200);
    tls.request(get("/hello", &[])).bearer_error(401, None);
    gateway.raw(get("/hello", &[&bearer])).status(200);
}

#[test]
fn made_up_tokens_of_disabled_or_unknown_clients_are_refused() {
    // A route reveals nothing about clients: every foreign token gets the same challenge.
    let gateway = shared();
    let one = gateway.raw(get("/hello", &["Authorization: Bearer aaaa"]));
    let two = gateway.raw(get("/hello", &[&format!("Authorization: Bearer tg_{}", "b".repeat(49))]));
    assert_eq!(one.essence(), two.essence(), "{one}\n{two}");
}
