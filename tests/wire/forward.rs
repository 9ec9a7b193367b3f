//! What reaches the upstream and what comes back: heads, identity, and bodies in both directions.

mod bodies;

use crate::support::config::SECRET;
use crate::support::upstream::{OK_BODY, Recorded};
use crate::support::{Next, basic, get, shared};

/// Field names that a server may read as `name`: CGI and its successors treat `-` and `_` alike.
fn spellings_of<'a>(request: &'a Recorded, name: &str) -> Vec<(&'a str, &'a str)> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('_', "-");
    let fields = request.headers.iter().filter(|(n, _)| plain(n) == plain(name));
    fields.map(|(n, v)| (n.as_str(), v.as_str())).collect()
}

#[track_caller]
fn identity(request: &Recorded, client: &str, scope: &str) {
    for (name, value) in [("x-client-id", client), ("x-client-scope", scope)] {
        let found = spellings_of(request, name);
        assert_eq!(found.len(), 1, "{name}: {found:?}\n{}", request.text());
        assert!(found[0].0.eq_ignore_ascii_case(name), "{found:?}\n{}", request.text());
        assert_eq!(found[0].1, value, "{name}\n{}", request.text());
    }
}

#[test]
fn the_request_is_forwarded_in_origin_form_with_the_identity_and_without_the_token() {
    let gateway = shared();
    let token = gateway.token("server", "write read");
    let answer = gateway.raw(get(
        "/hello?m=origin&x=1",
        &[&format!("Authorization: Bearer {token}"), "Accept: text/plain", "X-Twice: 1", "X-Twice: 2"],
    ));
    answer.status(200).lacks("www-authenticate");
    assert_eq!(answer.body(), OK_BODY.as_bytes(), "{answer}");
    let request = gateway.upstream.only("m=origin");
    assert_eq!(request.line, "GET /hello?m=origin&x=1 HTTP/1.1", "{}", request.text());
    identity(&request, "server", "write read");
    assert!(!gateway.upstream.saw(&token), "the token reached the upstream\n{}", request.text());
    assert!(spellings_of(&request, "authorization").is_empty(), "{}", request.text());
    assert_eq!(request.all("accept"), ["text/plain"], "{}", request.text());
    assert_eq!(request.all("x-twice"), ["1", "2"], "{}", request.text());
    assert_eq!(request.all("host").len(), 1, "{}", request.text());
    assert!(request.all("content-length").iter().all(|v| *v == "0"), "{}", request.text());
    assert!(request.all("transfer-encoding").is_empty(), "{}", request.text());
}

#[test]
fn forwarding_fields_and_via_are_set_by_the_gateway() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    gateway
        .raw(format!("GET /hello?m=forwarded HTTP/1.1\r\nHost: front.example.test:81\r\n{bearer}\r\n\
            X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil.example\r\n\
            X-Forwarded-Port: 6666\r\nx_forwarded_for: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\
            Via: 1.0 before\r\n\r\n"))
        .status(200);
    let request = gateway.upstream.only("m=forwarded");
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "front.example.test:81"),
    ] {
        let found = spellings_of(&request, name);
        assert_eq!(found.iter().map(|(_, v)| *v).collect::<Vec<_>>(), [value], "{name}\n{}", request.text());
    }
    let head = String::from_utf8_lossy(&request.head).into_owned();
    for foreign in ["6.6.6.6", "gopher", "evil.example", "6666"] {
        assert!(!head.contains(foreign), "{foreign}\n{}", request.text());
    }
    let via = request.all("via").join(", ");
    assert!(via.starts_with("1.0 before, 1.1 "), "Via {via:?}\n{}", request.text());
}

#[test]
fn spoofed_identity_is_removed_in_every_spelling() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let cases: &[&[&str]] = &[
        &["X-Client-Id: evil"],
        &["x-client-id: evil", "X-CLIENT-ID: evil2"],
        &["x_client_id: evil", "X_Client_Id: evil", "X-Client_Id: evil", "x_client-scope: evil"],
        &["X-CLIENT_ID: evil", "X_CLIENT-SCOPE: evil"],
        &["X-Client-Scope: evil", "X-Client-Scope: evil2", "x_client_scope: evil"],
        &["Connection: X-Client-Id, x-client-scope", "X-Client-Id: evil"],
        &["Connection: keep-alive, x_client_id, Authorization"],
        &["X-Client-Id:", "X-Client-Scope:"],
    ];
    for (number, case) in cases.iter().enumerate() {
        for (path, token) in [("/hello", true), ("/public/x", true), ("/public/x", false)] {
            let marker = format!("m=spoof-{number}-{}-{token}.", path.len());
            let mut fields = case.to_vec();
            if token {
                fields.push(&bearer);
            }
            gateway.raw(get(&format!("{path}?{marker}"), &fields)).status(200);
            let request = gateway.upstream.only(&marker);
            let head = String::from_utf8_lossy(&request.head).into_owned();
            assert!(!head.contains("evil"), "{}", request.text());
            if path == "/hello" {
                identity(&request, "server", "read");
            } else {
                for name in ["x-client-id", "x-client-scope"] {
                    let found = spellings_of(&request, name);
                    assert!(found.is_empty(), "{found:?} on a public route\n{}", request.text());
                }
            }
        }
    }
}

#[test]
fn a_token_without_scope_removes_a_scope_header_of_the_client() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "");
    gateway.raw(get("/authenticated?m=unscoped", &[&bearer, "X-Client-Scope: admin"])).status(200);
    let request = gateway.upstream.only("m=unscoped");
    assert_eq!(request.all("x-client-id"), ["server"], "{}", request.text());
    let scopes = spellings_of(&request, "x-client-scope");
    assert!(scopes.iter().all(|(_, value)| value.is_empty()), "{scopes:?}\n{}", request.text());
}

#[test]
fn hop_by_hop_and_routing_fields_are_not_forwarded() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let fields = [
        bearer.as_str(),
        "Connection: keep-alive, X-Hop",
        "X-Hop: removed-1",
        "Keep-Alive: timeout=99",
        "Proxy-Connection: removed-2",
        "Proxy-Authorization: Basic removed-3",
        "TE: gzip;q=0.5",
        "Proxy: http://removed-4",
        "X-Original-URL: /removed-5",
        "X-Rewrite-URL: /removed-6",
        "X-Forwarded-Uri: /removed-7",
        "X-Forwarded-Prefix: /removed-8",
        "X-Forwarded-Path: /removed-9",
        "x_original_url: /removed-10",
        "X-Kept: here",
    ];
    gateway.raw(get("/hello?m=hop", &fields)).status(200);
    let request = gateway.upstream.only("m=hop");
    let head = String::from_utf8_lossy(&request.head).to_ascii_lowercase();
    for gone in ["removed-", "x-hop", "keep-alive: timeout", "proxy", "gzip", "x-original", "x-rewrite"] {
        assert!(!head.contains(gone), "{gone}\n{}", request.text());
    }
    assert_eq!(request.all("x-kept"), ["here"], "{}", request.text());
}

#[test]
fn an_upgrade_that_the_server_ignores_is_an_ordinary_request() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let answer = gateway.raw(get(
        "/hello?m=h2c",
        &[&bearer, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
    ));
    answer.status(200);
    let request = gateway.upstream.only("m=h2c");
    assert!(request.all("http2-settings").is_empty(), "{}", request.text());
    assert!(!request.all("upgrade").contains(&"h2c"), "{}", request.text());
}

#[test]
fn the_path_is_canonical_and_the_query_is_unchanged() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let query = "m=QUERY&a=%2e%2e/..//&b=%zz&c=a%2Fb&&d;e=[x]{y}|^`~'%00%e2";
    for (number, (sent, reached)) in [
        ("/%68ello", "/hello"),
        ("/h%65%6C%6co", "/hello"),
        ("/api/%e2%82%ac%2b%20", "/api/%E2%82%AC%2B%20"),
        ("/api/a%7eb%2Dc%5f", "/api/a~b-c_"),
        ("/api", "/api"),
        ("/api/", "/api/"),
        ("/api/a/b/", "/api/a/b/"),
        ("/api/.hidden/..x/a..b", "/api/.hidden/..x/a..b"),
        ("/api/!$&'()*+,=:@", "/api/!$&'()*+,=:@"),
        ("/v1/orders", "/orders"),
        ("/v1/orders/7/", "/orders/7/"),
        ("/v1/%6frders/7", "/orders/7"),
        ("/users/j%C3%a9", "/users/j%C3%A9"),
        ("/semi/a;b=c", "/semi/a;b=c"),
        ("/slash/a%2fb", "/slash/a%2Fb"),
        // Double encoding is never decoded: a server that decodes once more would see another path.
        ("/api/%252e%252e/hello", "/api/%252e%252e/hello"),
        ("/api/%252f..%255c", "/api/%252f..%255c"),
        ("/api/%2561", "/api/%2561"),
    ]
    .into_iter()
    .enumerate()
    {
        let marker = format!("path-{number}-");
        let query = query.replace("QUERY", &marker);
        gateway.raw(get(&format!("{sent}?{query}"), &[&bearer])).status(200);
        let request = gateway.upstream.only(&marker);
        assert_eq!(request.target(), format!("{reached}?{query}"), "{sent}\n{}", request.text());
    }
    // An empty query is different from no query.
    gateway.raw(get("/api/empty-query?", &[&bearer])).status(200);
    assert_eq!(gateway.upstream.only("/api/empty-query").target(), "/api/empty-query?");
}

#[test]
fn absolute_form_and_http_1_0_become_origin_form_1_1() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    gateway
        .raw(format!("GET http://localhost/hello?m=absolute HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n"))
        .status(200);
    assert_eq!(gateway.upstream.only("m=absolute").line, "GET /hello?m=absolute HTTP/1.1");
    gateway
        .raw(format!("GET /hello?m=one-dot-zero HTTP/1.0\r\nHost: localhost\r\n{bearer}\r\n\r\n"))
        .status(200);
    assert_eq!(gateway.upstream.only("m=one-dot-zero").line, "GET /hello?m=one-dot-zero HTTP/1.1");
}

#[test]
fn a_public_route_forwards_foreign_credentials_and_removes_our_tokens() {
    let gateway = shared();
    let token = gateway.token("server", "read");
    let foreign = basic("legacy", "secret");
    let cases = [
        ("m=public-1.", foreign.clone(), true),
        ("m=public-2.", "Authorization: Bearer legacy-token".to_owned(), true),
        ("m=public-3.", format!("Authorization: Bearer {token}"), false),
        ("m=public-4.", format!("authorization: bearer {token}"), false),
        ("m=public-5.", "Authorization: Bearer tg_nonsense".to_owned(), false),
    ];
    for (marker, line, passes) in cases {
        gateway.raw(get(&format!("/public/x?{marker}"), &[&line])).status(200);
        let request = gateway.upstream.only(marker);
        let value = line.split_once(": ").map_or("", |(_, value)| value);
        let expected = if passes { vec![value] } else { vec![] };
        assert_eq!(request.all("authorization"), expected, "{}", request.text());
    }
    gateway.raw(get("/public?m=public-6.", &[])).status(200);
    gateway.upstream.only("m=public-6.");
    assert!(!gateway.upstream.saw(&token), "our token reached the upstream");
}

#[test]
fn forward_token_keeps_the_token() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    gateway.raw(get("/keep?m=keep", &[&bearer])).status(200);
    let request = gateway.upstream.only("m=keep");
    let value = bearer.trim_start_matches("Authorization: ");
    assert_eq!(request.all("authorization"), [value], "{}", request.text());
    identity(&request, "server", "read");
}

#[test]
fn the_response_is_forwarded_unchanged() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    gateway.upstream.on_bytes(
        "/api/answer",
        Next::KeepAlive,
        "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 3\r\nCache-Control: max-age=60\r\nSet-Cookie: a=1\r\n\
         Set-Cookie: b=2\r\nETag: \"x\"\r\nWWW-Authenticate: Basic realm=\"legacy\"\r\nConnection: X-Internal\r\n\
         X-Internal: secret\r\nKeep-Alive: timeout=7\r\nProxy-Authenticate: Basic\r\n\r\nabc",
    );
    let mut conn = gateway.connect();
    let answer = conn.request(get("/api/answer", &[&bearer]));
    answer.status(418).has("cache-control", "max-age=60").has("etag", "\"x\"").lacks("x-internal");
    answer.has("www-authenticate", "Basic realm=\"legacy\"").lacks("x-content-type-options");
    assert_eq!(answer.all("set-cookie"), ["a=1", "b=2"], "{answer}");
    assert!(!answer.head().contains("timeout=7"), "{answer}");
    assert_eq!(answer.body(), b"abc", "{answer}");
    conn.request(get("/hello", &[&bearer])).status(200);
}

#[test]
fn responses_without_a_body_keep_the_connection_in_sync() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    gateway.upstream.on_bytes("/api/204", Next::KeepAlive, "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n");
    gateway.upstream.on_bytes(
        "/api/304",
        Next::KeepAlive,
        "HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\nContent-Length: 1234\r\n\r\n",
    );
    gateway.upstream.on_bytes("/api/empty", Next::KeepAlive, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let mut conn = gateway.connect();
    conn.request(get("/api/204", &[&bearer])).status(204).has("x-a", "1").lacks("content-length");
    conn.request(get("/api/304", &[&bearer])).status(304).has("etag", "\"e\"");
    conn.send(format!("HEAD /hello?m=head HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n"));
    conn.read_head_only().status(200).has("content-length", &OK_BODY.len().to_string());
    assert_eq!(gateway.upstream.only("m=head").method(), "HEAD");
    assert_eq!(conn.request(get("/api/empty", &[&bearer])).status(200).body(), b"");
    assert_eq!(conn.request(get("/hello", &[&bearer])).status(200).body(), OK_BODY.as_bytes());
}

#[test]
fn two_clients_on_one_connection_are_distinguished() {
    let gateway = shared();
    let (server, other) = (gateway.bearer("server", "read"), gateway.bearer("other", "read"));
    let special = gateway.raw(crate::support::post_form(
        crate::support::TOKEN,
        &[&basic("administrator", SECRET)],
        "grant_type=client_credentials&scope=admin+read",
    ));
    let special = format!("Authorization: Bearer {}", crate::support::token_of(&special));
    let mut conn = gateway.connect();
    for (number, (bearer, client, scope)) in
        [(&server, "server", "read"), (&special, "administrator", "admin read"), (&other, "other", "read")]
            .into_iter()
            .cycle()
            .take(9)
            .enumerate()
    {
        let marker = format!("m=turn-{number}.");
        conn.request(get(&format!("/hello?{marker}"), &[bearer])).status(200);
        identity(&gateway.upstream.only(&marker), client, scope);
    }
}
