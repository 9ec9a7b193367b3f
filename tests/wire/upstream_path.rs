//! Paths that are changed on their way upstream, and URLs and cookies that are changed on their way back.

use crate::support::h2_upstream::{Act, H2Upstream};
use crate::support::{Config, Conn, Fixture, Gateway, Next, Upstream, get, run};
use http::Response;
use std::net::SocketAddr;

/// A gateway whose upstream `legacy` has a base path. `{A}` in the lines is its address.
fn gateway(upstream: &Upstream, lines: &str) -> Gateway {
    let address = upstream.address();
    Gateway::start(
        &Config::bare()
            .listen("https://127.0.0.1:0")
            .table(&format!("[upstreams.legacy]\nservers = [\"http://{address}/base/v2\"]\n{lines}"))
            .table(&format!("[upstreams.plain]\nservers = [\"http://{address}\"]"))
            .route("prefix = \"/app\"\naccess = \"public\"\nupstream = \"legacy\"")
            .route("prefix = \"/v1\"\nstrip_prefix = \"/v1\"\naccess = \"public\"\nupstream = \"legacy\"")
            .route("path = \"/users/{id}\"\nupstream_path = \"/registered/{id}\"\naccess = \"public\"\nupstream = \"plain\"")
            .route("prefix = \"/t/{tenant}\"\nupstream_path = \"/{tenant}/api\"\naccess = \"public\"\nupstream = \"plain\"")
            .route("prefix = \"/s/{tenant}\"\nstrip_prefix = \"/s/{tenant}\"\naccess = \"public\"\nupstream = \"plain\"")
            .route("prefix = \"/as-is\"\naccess = \"public\"\nupstream = \"plain\"")
            .route("prefix = \"/kept\"\nmap_response_urls = false\naccess = \"public\"\nupstream = \"plain\""),
    )
}

#[test]
fn the_upstream_gets_the_path_that_the_route_says() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, "");
    for (number, (requested, sent, prefix)) in [
        ("/app/x", "/base/v2/app/x", None),
        ("/v1", "/base/v2/", Some("/v1")),
        ("/v1/orders/7", "/base/v2/orders/7", Some("/v1")),
        ("/users/7", "/registered/7", None),
        ("/users/a%20b", "/registered/a%20b", None),
        ("/t/acme/orders/1", "/acme/api/orders/1", None),
        ("/t/acme", "/acme/api", None),
        ("/s/acme/orders", "/orders", Some("/s/acme")),
    ]
    .into_iter()
    .enumerate()
    {
        let mark = format!("m=path-{number}.");
        let mut conn = Conn::plain(gateway.plain());
        conn.request(get(&format!("{requested}?{mark}&q=%2F"), &["X-Forwarded-Prefix: /evil"])).status(200);
        let seen = upstream.only(&mark);
        assert_eq!(seen.line, format!("GET {sent}?{mark}&q=%2F HTTP/1.1"), "{requested}");
        assert_eq!(seen.all("x-forwarded-prefix"), Vec::from_iter(prefix), "{}", seen.text());
    }
}

#[test]
fn a_prefix_of_a_trusted_proxy_is_extended() {
    let fixture = Fixture::start(|config| {
        config
            .server("trusted_proxies = [\"127.0.0.1\"]")
            .route("prefix = \"/v9\"\nstrip_prefix = \"/v9\"\naccess = \"public\"\nupstream = \"api\"")
    });
    let outer = ["X-Forwarded-Prefix: /outer"];
    fixture.raw(get("/v9/x?m=extended", &outer)).status(200);
    assert_eq!(fixture.upstream.only("m=extended").all("x-forwarded-prefix"), ["/outer/v9"]);
    fixture.raw(get("/public/x?m=passed", &outer)).status(200);
    assert_eq!(fixture.upstream.only("m=passed").all("x-forwarded-prefix"), ["/outer"]);
}

/// Makes the server answer this request with the header lines, and returns what arrives under their names.
#[track_caller]
fn comes_back(upstream: &Upstream, conn: &mut Conn, requested: &str, sent: &str, line: &str) -> String {
    let (name, _) = line.split_once(':').expect("a header");
    let answer = format!("HTTP/1.1 302 Found\r\n{line}\r\nContent-Length: 0\r\n\r\n");
    upstream.on_bytes(sent, Next::KeepAlive, answer);
    let request = format!("GET {requested} HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
    conn.request(request).status(302).one(name).to_owned()
}

#[test]
fn locations_and_cookies_come_back_as_the_client_knows_them() {
    let upstream = Upstream::start();
    let address = upstream.address();
    let gateway = gateway(&upstream, "host = \"upstream\"");
    let mut conn = Conn::tls(gateway.tls(), &[]);
    let own = |path: &str| format!("Location: http://{address}{path}");
    for (requested, sent, line, expected) in [
        ("/app/a", "/base/v2/app/a", "Location: /base/v2/app/b?x=/base".to_owned(), "/app/b?x=/base"),
        ("/app/a", "/base/v2/app/a", "Location: /login".to_owned(), "/login"),
        ("/app/a", "/base/v2/app/a", own("/base/v2/app/b"), "https://api.example.com/app/b"),
        ("/v1/a", "/base/v2/a", own("/base/v2/b"), "https://api.example.com/v1/b"),
        ("/v1/a", "/base/v2/a", "Content-Location: /base/v2/a.json".to_owned(), "/v1/a.json"),
        ("/v1/a", "/base/v2/a", "Location: b".to_owned(), "b"),
        ("/v1/a", "/base/v2/a", "Location: https://other.example/x".to_owned(), "https://other.example/x"),
        ("/v1/a", "/base/v2/a", "Set-Cookie: s=1; Path=/base/v2; Secure".to_owned(), "s=1; Path=/v1; Secure"),
        (
            "/v1/a",
            "/base/v2/a",
            "Set-Cookie: s=1; Domain=127.0.0.1; Path=/".to_owned(),
            "s=1; Domain=api.example.com; Path=/v1",
        ),
        ("/users/7", "/registered/7", "Location: /registered/8".to_owned(), "/users/8"),
        ("/t/acme/x", "/acme/api/x", "Location: /acme/api/y".to_owned(), "/t/acme/y"),
        ("/s/acme/x", "/x", "Location: /y".to_owned(), "/s/acme/y"),
        // A server that knows X-Forwarded-Prefix.
        ("/s/acme/x", "/x", "Location: /s/acme/y".to_owned(), "/s/acme/y"),
        // TLS ends at the gateway.
        (
            "/as-is/a",
            "/as-is/a",
            "Location: http://api.example.com/as-is/b".to_owned(),
            "https://api.example.com/as-is/b",
        ),
        ("/as-is/a", "/as-is/a", own("/as-is/b"), "https://api.example.com/as-is/b"),
        ("/kept/a", "/kept/a", "Location: http://api.example.com/b".to_owned(), "http://api.example.com/b"),
    ] {
        assert_eq!(
            comes_back(&upstream, &mut conn, requested, sent, &line),
            expected,
            "{line} of {requested}"
        );
    }
}

/// What the client asked for is known although the head of the request is gone by then.
#[test]
fn the_location_of_a_created_resource_comes_back_after_a_long_body() {
    let upstream = Upstream::start();
    let address = upstream.address();
    let gateway = gateway(&upstream, "");
    let answer = format!(
        "HTTP/1.1 201 Created\r\nLocation: http://{address}/base/v2/a/1\r\nContent-Length: 0\r\n\r\n"
    );
    upstream.on_bytes("/base/v2/a", Next::KeepAlive, answer);
    let mut conn = Conn::tls(gateway.tls(), &[]);
    let size = 600_000;
    conn.send(format!("POST /v1/a HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: {size}\r\n\r\n"));
    for _ in 0..size / 1000 {
        conn.send(vec![b'x'; 1000]);
    }
    conn.read().status(201).has("location", "https://api.example.com/v1/a/1");
}

#[test]
fn an_http_2_upstream_gets_and_returns_the_same() {
    let upstream = H2Upstream::start(|arrived| {
        let host = arrived.head.uri.authority().expect("an authority").to_string();
        let location = format!("http://{host}/base/b");
        Act::TestResponse(
            Response::builder().status(302).header("location", location).body(()).expect("a head"),
            vec![],
            None,
        )
    });
    let address: SocketAddr = upstream.address();
    let gateway = Gateway::start(
        &Config::bare()
            .table(&format!(
                "[upstreams.h2]\nservers = [\"http://{address}/base\"]\nprotocol = \"http2\"\nhost = \"upstream\""
            ))
            .route("prefix = \"/v1\"\nstrip_prefix = \"/v1\"\naccess = \"public\"\nupstream = \"h2\""),
    );
    let mut conn = Conn::plain(gateway.plain());
    let answer = conn.request("GET /v1/a?m=h2 HTTP/1.1\r\nHost: api.example.com:81\r\n\r\n");
    answer.status(302).has("location", "http://api.example.com:81/v1/b");
    let arrived = upstream.only("m=h2");
    assert_eq!(arrived.head.uri.to_string(), format!("http://{address}/base/a?m=h2"));
    assert_eq!(arrived.head.headers["x-forwarded-host"], "api.example.com:81");
    assert_eq!(arrived.head.headers["x-forwarded-prefix"], "/v1");
}

#[test]
fn paths_with_delimiters_and_empty_segments_need_permission() {
    let fixture = Fixture::start(|config| {
        config
            .route(
                "prefix = \"/wide\"\nallow_encoded_delimiters = true\nallow_empty_segments = true\n\
                 access = \"public\"\nupstream = \"api\"",
            )
            .route("prefix = \"/wide/admin\"\nscopes = [\"admin\"]\nupstream = \"api\"")
    });
    for (number, (path, arrives)) in [
        ("/wide/a%3Fb%23c", true),
        ("/wide/a//b/", true),
        ("/wide/http://example.com/x", true),
        ("/public/a%3Fb", false),
        ("/public/a%23b", false),
        ("/public/a//b", false),
        ("//wide/a", false),
        // To a server that decodes first, or merges slashes, this is another route's.
        ("/wide/admin%3F", false),
        ("/wide//admin", false),
    ]
    .into_iter()
    .enumerate()
    {
        let mark = format!("m=wide-{number}.");
        let answer = fixture.raw(get(&format!("{path}?{mark}"), &[]));
        if arrives {
            answer.status(200);
            assert_eq!(fixture.upstream.only(&mark).target(), format!("{path}?{mark}"));
        } else {
            answer.problem(400);
            assert!(!fixture.upstream.saw(&mark), "{path}");
        }
    }
}

#[test]
fn an_upstream_that_ignores_case_gets_no_names_that_windows_shortens() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(
        &Config::bare()
            .table(&format!(
                "[upstreams.iis]\nservers = [\"http://{}\"]\ncase_insensitive = true",
                upstream.address()
            ))
            .route("prefix = \"/\"\naccess = \"public\"\nupstream = \"iis\"")
            .route("prefix = \"/admin\"\nscopes = [\"admin\"]\nupstream = \"iis\""),
    );
    let get_path = |path: &str| Conn::plain(gateway.plain()).request(get(path, &[]));
    for path in ["/admin./x", "/ADMIN.", "/admin%20/x", "/admin%20.", "/adm%C4%B1n", "/x/%EF%BD%81dmin"] {
        get_path(path).problem(400);
    }
    assert_eq!(upstream.bytes(), 0);
    get_path("/Admin/x").status(401);
    get_path("/x/%C3%9Cbersicht.htm").status(200);
}

#[test]
fn explain_shows_what_goes_upstream() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, "host = \"orders.internal\"\nidle_timeout = \"20s\"");
    let explain = |path: &str| run(gateway.dir(), &["explain", "GET", path]).all();
    for (path, expected) in [
        ("/users/7", "as /registered/7"),
        ("/t/acme/x", "as /acme/api/x"),
        ("/v1/orders", "as /base/v2/orders"),
        ("/v1/orders", "the upstream gets Host orders.internal"),
        ("/v1/orders", "an idle connection to the upstream is kept for 20s"),
        ("/kept/x", "URLs and cookies of responses stay as they are"),
        ("/v1%2Forders", "400: "),
        ("/as-is//x", "400: the path has an empty segment"),
        ("/as-is/x%3F", "400: the path has an encoded question mark or number sign"),
    ] {
        let output = explain(path);
        assert!(output.contains(expected), "{path}: {expected:?} is not in\n{output}");
    }
}
