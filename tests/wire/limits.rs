//! Limits on requests: addresses, rates, requests in flight, time; and changes to responses.

use crate::support::config::SECRET;
use crate::support::{Config, Fixture, Next, PATIENCE, TOKEN, TestResponse, Upstream, get, post_form};
use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Repeats a request until the response is as expected, for effects of the end of another connection.
#[track_caller]
fn eventually(gateway: &Fixture, request: &[u8], status: u16) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = gateway.raw(request);
        if answer.code() == status {
            return;
        }
        assert!(Instant::now() < deadline, "no {status} within 5 s\n{answer}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Makes `path` send its head and half of its body immediately, and the rest for each message in the channel.
fn half_answers(upstream: &Upstream, path: &str) -> Sender<()> {
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let released = Arc::new(Mutex::new(released));
    upstream.on(path, move |_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")?;
        let _ = released.lock().expect("the channel").recv_timeout(Duration::from_secs(10));
        out.write_all(b"rest").map(|()| Next::KeepAlive)
    });
    release
}

#[test]
fn addresses_are_checked_before_the_token() {
    let gateway = Fixture::start(|config| {
        config
            .route("path = \"/a/denied\"\nupstream = \"api\"\ndeny = [\"127.0.0.0/8\"]")
            .route("path = \"/a/elsewhere\"\nupstream = \"api\"\nallow = [\"192.0.2.0/24\"]")
            .route(
                "path = \"/a/both\"\naccess = \"public\"\nupstream = \"api\"\nallow = [\"127.0.0.0/8\"]\ndeny = [\"127.0.0.1\"]",
            )
            .route(
                "path = \"/a/here\"\nupstream = \"api\"\nallow = [\"127.0.0.0/8\"]\ndeny = [\"127.9.0.0/16\", \"::1\"]",
            )
    });
    let bearer = gateway.bearer("server", "read");
    let mut conn = gateway.connect();
    for path in ["/a/denied", "/a/elsewhere", "/a/both"] {
        for fields in [&[bearer.as_str()][..], &[], &["Authorization: Bearer bad"]] {
            let forged = "X-Forwarded-For: 192.0.2.1";
            let answer = conn.request(get(&format!("{path}?m=refused"), &[fields, &[forged]].concat()));
            answer.problem(403).lacks("www-authenticate");
        }
    }
    assert!(!gateway.upstream.saw("m=refused"));
    conn.request(get("/a/here?m=here", &[&bearer])).status(200);
    conn.request(get("/a/here?m=here", &[])).bearer_error(401, None);
    gateway.upstream.only("m=here");
}

/// Asserts a 429 response and returns its `Retry-After`.
#[track_caller]
fn too_many(answer: &TestResponse, policy: &str) -> u64 {
    answer.problem(429).lacks("www-authenticate").has("ratelimit-policy", policy);
    let wait: u64 = answer.one("retry-after").parse().expect("seconds");
    let name = policy.split(';').next().unwrap_or("");
    answer.has("ratelimit", &format!("{name};r=0;t={wait}"));
    wait
}

#[test]
fn a_client_has_one_rate_for_all_its_tokens() {
    let gateway = Fixture::start(|config| {
        config.client(
            "limited",
            SECRET,
            "scopes = [\"read\", \"write\"]\nrate_limit = { rate = \"6/h\", burst = 3 }",
        )
    });
    let (one, two) = (gateway.bearer("limited", "read"), gateway.bearer("limited", "read write"));
    let mut conn = gateway.connect();
    // Requests that the gate refuses do not count for the client: anybody could use up its rate otherwise.
    for _ in 0..5 {
        conn.request(get("/hello", &["Authorization: Bearer bad"])).status(401);
        conn.request(get("/write", &[&one])).status(403);
    }
    conn.request(get("/hello?m=passed", &[&one])).status(200).lacks("ratelimit");
    conn.request(get("/write?m=passed", &[&two])).status(200);
    conn.request(get("/hello?m=passed", &[&two])).status(200);
    for bearer in [&one, &two] {
        let wait = too_many(&conn.request(get("/hello?m=refused", &[bearer])), "\"client\";q=6;w=3600");
        assert!((590..=600).contains(&wait), "{wait}");
    }
    assert_eq!(gateway.upstream.requests("m=passed").len(), 3);
    assert!(!gateway.upstream.saw("m=refused"));
    // Other clients, public routes and the token endpoint do not count.
    conn.request(get("/hello", &[&gateway.bearer("server", "read")])).status(200);
    conn.request(get("/public", &[&one])).status(200);
    gateway.token("limited", "read");
}

#[test]
fn a_route_has_one_rate_for_all_clients_that_a_reload_keeps() {
    let upstream = Upstream::start();
    let config = |burst: u32| {
        Config::standard(upstream.address())
            .route(&format!(
                "path = \"/rated\"\nupstream = \"api\"\nrate_limit = {{ rate = \"60/m\", burst = {burst} }}"
            ))
            .route("path = \"/rated/slow\"\naccess = \"public\"\nupstream = \"api\"\nrate_limit = \"1/h\"")
    };
    let gateway = crate::support::Gateway::start(&config(1));
    let gateway = Fixture { gateway, upstream: upstream.clone() };
    let (one, other) = (gateway.bearer("server", "read"), gateway.bearer("other", "read"));
    let mut conn = gateway.connect();
    conn.request(get("/rated/slow", &[])).status(200);
    too_many(&conn.request(get("/rated/slow", &[])), "\"route\";q=1;w=3600");
    conn.request(get("/rated", &[&one])).status(200);
    // A machine that needs a second for a request never gets there.
    let mut refused = conn.request(get("/rated", &[&other]));
    let started = Instant::now();
    while refused.code() == 200 && started.elapsed() < PATIENCE {
        refused = conn.request(get("/rated", &[&other]));
    }
    assert_eq!(too_many(&refused, "\"route\";q=60;w=60"), 1);
    // A client that waits for `Retry-After` is admitted.
    thread::sleep(Duration::from_secs(1));
    conn.request(get("/rated", &[&other])).status(200);

    std::fs::write(gateway.gateway.dir().join("gateway.toml"), config(1_000).text()).expect("gateway.toml");
    gateway.gateway.signal("HUP");
    let deadline = Instant::now() + PATIENCE;
    while !gateway.gateway.written().contains("reloaded:") {
        assert!(Instant::now() < deadline, "{}", gateway.gateway.written());
        thread::sleep(Duration::from_millis(10));
    }
    // The changed rate starts fresh, the other one continues.
    for _ in 0..5 {
        conn.request(get("/rated", &[&one])).status(200);
    }
    too_many(&conn.request(get("/rated/slow", &[])), "\"route\";q=1;w=3600");
}

#[test]
fn a_request_counts_as_in_flight_until_its_response_ends() {
    for (name, route_lines, upstream_lines) in
        [("route", "max_in_flight = 1", ""), ("upstream", "", "max_in_flight = 1")]
    {
        let api = Upstream::start();
        let address = api.address();
        let gateway = Fixture::start(|config| {
            config
                .table(&format!("[upstreams.few]\nservers = [\"http://{address}\"]\n{upstream_lines}"))
                .route(&format!("prefix = \"/few\"\naccess = \"public\"\nupstream = \"few\"\n{route_lines}"))
        });
        let release = half_answers(&api, "/few/half");
        let mut first = gateway.connect();
        let mut second = gateway.connect();
        for round in 0..3 {
            first.send(get("/few/half", &[]));
            first.read_only_head().status(200);
            first.read_some("half");
            let refused = second.request(get(&format!("/few/more?m=refused-{name}"), &[]));
            refused.problem(503).has("retry-after", "1");
            assert_eq!(api.requests("/few/half").len(), round + 1);
            release.send(()).expect("a handler waits");
            first.read_some("halfrest");
            // Immediately: the permit is free before the client has the last byte.
            second.request(get("/few/more", &[])).status(200);
            first = gateway.connect();
        }
        assert!(!api.saw("m=refused"), "{name}");
        // A client that disconnects releases its permit.
        let mut leaving = gateway.connect();
        leaving.send(get("/few/half", &[]));
        leaving.read_only_head().status(200);
        drop(leaving);
        eventually(&gateway, &get("/few/more", &[]), 200);
        // Other refusals and dead servers hold no permit.
        gateway.raw(get("/hello", &[])).status(401);
    }
}

#[test]
fn a_tunnel_counts_as_a_request_in_flight() {
    let gateway = Fixture::start(|config| {
        config.route("path = \"/tunnel\"\naccess = \"public\"\nupstream = \"api\"\nmax_in_flight = 1")
    });
    gateway.upstream.on_bytes(
        "/tunnel",
        Next::KeepAlive,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello",
    );
    let upgrade = get("/tunnel", &["Connection: upgrade", "Upgrade: x"]);
    let mut tunnel = gateway.connect();
    tunnel.send(&upgrade);
    tunnel.read_only_head().status(101);
    tunnel.read_some("hello");
    gateway.raw(&upgrade).problem(503).has("retry-after", "1");
    drop(tunnel);
    gateway.upstream.close_all();
    eventually(&gateway, &upgrade, 101);
}

#[test]
fn a_response_must_end_within_the_total_timeout() {
    let api = Upstream::start();
    let gateway = Fixture::start(|config| {
        config
            .table(&format!(
                "[upstreams.timed]\nservers = [\"http://{}\"]\ntotal_timeout = \"400ms\"",
                api.address()
            ))
            .route("prefix = \"/timed\"\naccess = \"public\"\nupstream = \"timed\"")
    });
    api.on("/timed/late", |_, _| {
        thread::sleep(2 * PATIENCE);
        Ok(Next::Close)
    });
    // Never silent for long, so that the read timeout does not apply.
    api.on("/timed/drip", |_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
        for _ in 0..1_000 {
            out.write_all(b".")?;
            thread::sleep(Duration::from_millis(30));
        }
        Ok(Next::Close)
    });
    api.on("/timed/stall", |_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n.")?;
        thread::sleep(2 * PATIENCE);
        Ok(Next::Close)
    });
    let in_time = |started: Instant, what: &str| {
        let took = started.elapsed();
        assert!((Duration::from_millis(350)..PATIENCE).contains(&took), "{what}: {took:?}");
    };
    let started = Instant::now();
    gateway.raw(get("/timed/late", &[])).problem(504);
    in_time(started, "late");
    for path in ["/timed/drip", "/timed/stall"] {
        let mut conn = gateway.connect();
        let started = Instant::now();
        conn.send(get(path, &[]));
        conn.read_only_head().status(200);
        let (body, _) = conn.read_rest();
        in_time(started, path);
        assert!(body.len() < 100, "{path}");
    }
    let mut conn = gateway.connect();
    for _ in 0..3 {
        conn.request(get("/timed/well", &[])).status(200);
    }
}

#[test]
fn response_headers_apply_to_upstream_responses_only() {
    let gateway = Fixture::start(|config| {
        config.route(
            "prefix = \"/changed\"\nscopes = [\"read\"]\nupstream = \"api\"\n\
             response_headers = { remove = [\"Server\", \"X-Powered-By\"], set = { \"X-Frame-Options\" = \"DENY\", \"X-Powered-By\" = \"us\" } }",
        )
    });
    gateway.upstream.on_bytes(
        "/changed",
        Next::KeepAlive,
        "HTTP/1.1 200 OK\r\nServer: old/1\r\nX-Powered-By: a\r\nX-Powered-By: b\r\nX-Frame-Options: ALLOW\r\n\
         X-Frame-Options: SAMEORIGIN\r\nX-Kept: yes\r\nContent-Length: 2\r\n\r\nhi",
    );
    let bearer = gateway.bearer("server", "read");
    let answer = gateway.raw(get("/changed", &[&bearer]));
    answer.status(200).lacks("server").has("x-powered-by", "us");
    answer.has("x-frame-options", "DENY").has("x-kept", "yes");
    gateway.raw(get("/changed", &[])).status(401).lacks("x-frame-options").lacks("x-powered-by");
    let other = gateway.raw(get("/hello", &[&bearer]));
    other.status(200).lacks("x-frame-options");
}

#[test]
fn each_address_has_a_rate_that_counts_before_the_token() {
    let gateway = Fixture::start(|config| {
        config.server("trusted_proxies = [\"127.0.0.0/8\"]").route(
            "path = \"/each\"\nscopes = [\"read\"]\nupstream = \"api\"\nrate_limit_by_address = \"3/h\"",
        )
    });
    let bearer = gateway.bearer("server", "read");
    let mut conn = gateway.connect();
    let from = |address: &str| format!("X-Forwarded-For: {address}");
    let (one, two) = (from("198.51.100.1"), from("198.51.100.2"));
    conn.request(get("/each?m=passed", &[&bearer, &one])).status(200);
    // Requests without a good token count, too.
    conn.request(get("/each", &[&one])).status(401);
    conn.request(get("/each", &["Authorization: Bearer bad", &one])).status(401);
    for headers in [&[bearer.as_str(), one.as_str()][..], &[&one]] {
        let answer = conn.request(get("/each?m=refused", headers));
        assert!((1190..=1200).contains(&too_many(&answer, "\"address\";q=3;w=3600")), "{answer}");
    }
    assert!(!gateway.upstream.saw("m=refused"));
    // What the client claims does not matter: the proxy has added its address.
    conn.request(get("/each", &[&bearer, &from("203.0.113.1, 198.51.100.1")])).problem(429);
    // Another client of the same proxy, the proxy itself, and other routes are not affected.
    conn.request(get("/each", &[&bearer, &two])).status(200);
    conn.request(get("/each", &[&bearer])).status(200);
    conn.request(get("/hello", &[&bearer, &one])).status(200);
}

#[test]
fn the_server_has_one_rate_of_an_address_for_everything() {
    let upstream = Upstream::start();
    let config = Config::standard(upstream.address())
        .table("[server.limits]\nrate_limit_by_address = { rate = \"8/h\", burst = 8 }")
        .table("[metrics]\nlisten = \"http://127.0.0.1:0\"");
    let gateway = crate::support::Gateway::start(&config);
    let gateway = Fixture { gateway, upstream };
    let bearer = gateway.bearer("server", "read");
    let mut conn = gateway.connect();
    for (path, status) in [
        ("/hello", 200),
        ("/public/x", 200),
        ("/nowhere", 404),
        ("/hello", 200),
        ("/.well-known/oauth-authorization-server", 200),
        ("/hello", 200),
    ] {
        conn.request(get(path, &[&bearer])).status(status);
    }
    // The claim of a stranger about its address does not matter.
    conn.request(get("/hello", &[&bearer, "X-Forwarded-For: 198.51.100.1"])).status(200);
    for path in ["/hello", "/public/x", "/nowhere", "/.well-known/oauth-authorization-server"] {
        too_many(&conn.request(get(path, &[&bearer])), "\"address\";q=8;w=3600");
    }
    let body = "grant_type=client_credentials&client_id=server&client_secret=Password1";
    too_many(&conn.request(post_form(TOKEN, &[], body)), "\"address\";q=8;w=3600");
}
