//! Forwarding fields: kept from trusted proxies, replaced from everybody else.

use crate::support::{Config, Conn, Fixture, Gateway, TOKEN, get, post_form};

/// The fields that a proxy, or a client that pretends to be one, sends.
const SAID: [&str; 8] = [
    "Forwarded: for=198.51.100.1;proto=https;by=203.0.113.9",
    "forwarded: for=\"[2001:db8::1]:4711\"",
    "X-Forwarded-For: 198.51.100.1",
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: public.example.test",
    "X-Real-IP: 198.51.100.1",
    // No proxy uses this spelling, and no server may see it.
    "x_forwarded_for: 6.6.6.6",
];

#[test]
fn forwarding_fields_of_a_trusted_proxy_are_kept_and_extended() {
    let fixture = Fixture::start(|config| config.server("trusted_proxies = [\"127.0.0.0/8\", \"::1\"]"));
    fixture.raw(get("/public/x?m=trusted", &SAID)).status(200);
    let request = fixture.upstream.only("m=trusted");
    for (name, value) in [
        // One line each, with the address of the proxy itself at the end.
        ("x-forwarded-for", "198.51.100.1, 203.0.113.9, 127.0.0.1"),
        (
            "forwarded",
            "for=198.51.100.1;proto=https;by=203.0.113.9, for=\"[2001:db8::1]:4711\", for=127.0.0.1;proto=http",
        ),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "public.example.test"),
        ("x-real-ip", "198.51.100.1"),
    ] {
        assert_eq!(request.all(name), [value], "{name}\n{}", request.text());
    }
    assert!(!request.text().contains("6.6.6.6"), "{}", request.text());
    // Without such fields, the gateway adds one form only.
    fixture.raw(get("/public/x?m=silent", &[])).status(200);
    let request = fixture.upstream.only("m=silent");
    assert_eq!(request.all("x-forwarded-for"), ["127.0.0.1"], "{}", request.text());
    assert!(request.all("forwarded").is_empty(), "{}", request.text());
}

#[test]
fn forwarding_fields_of_other_clients_are_replaced() {
    let fixture = Fixture::start(|config| config.server("trusted_proxies = [\"192.0.2.0/24\", \"::/0\"]"));
    fixture.raw(get("/public/x?m=untrusted", &SAID)).status(200);
    let request = fixture.upstream.only("m=untrusted");
    for (name, value) in
        [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "http"), ("x-forwarded-host", "localhost")]
    {
        assert_eq!(request.all(name), [value], "{name}\n{}", request.text());
    }
    for said in ["198.51.100.1", "203.0.113.9", "2001:db8", "public.example", "6.6.6.6"] {
        assert!(!request.text().contains(said), "{said}\n{}", request.text());
    }
}

/// Failed authentications count for the address that trusted proxies report, so clients of one proxy do not
/// lock each other out. What a client claims about itself does not matter.
#[test]
fn failures_count_for_the_client_behind_the_proxies() {
    let try_secret = |gateway: &Gateway, client: &str, forwarded: &[&str]| {
        let body = format!("grant_type=client_credentials&client_id={client}&client_secret=wrong");
        Conn::plain(gateway.plain()).request(post_form(TOKEN, forwarded, body)).code()
    };
    let config = |proxies: &str| {
        Config::bare()
            .throttle("throttle = { failures = 2, per = \"10m\" }")
            .server(&format!("trusted_proxies = {proxies}"))
            .client("server", "0ther-S3cret-x7", "scopes = []")
    };
    let gateway = Gateway::start(&config("[\"127.0.0.0/8\", \"10.0.0.0/8\"]"));
    let from = |address: &str| format!("X-Forwarded-For: {address}");
    for (forwarded, codes) in [
        (from("198.51.100.1"), [401, 401, 429]),
        // Another client of the same proxy.
        (from("198.51.100.2"), [401, 401, 429]),
        // The client changes what it claims; what the proxies have added counts.
        (from("203.0.113.9, 198.51.100.1"), [429, 429, 429]),
        (from("198.51.100.9, 198.51.100.2, 10.0.0.7"), [429, 429, 429]),
        (from("198.51.100.3:4711"), [401, 401, 429]),
        (from("203.0.113.9, 198.51.100.3, 10.1.2.3, 10.0.0.7"), [429, 429, 429]),
        ("Forwarded: for=203.0.113.9, for=\"[2001:db8::1]:80\"".to_owned(), [401, 401, 429]),
        // The same /64.
        (from("2001:db8::2"), [429, 429, 429]),
    ] {
        let answers = codes.map(|_| try_secret(&gateway, "server", &[&forwarded]));
        assert_eq!(answers, codes, "{forwarded}");
    }

    // A client that is not a trusted proxy cannot choose an address.
    let gateway = Gateway::start(&config("[\"192.0.2.0/24\"]"));
    let codes: Vec<u16> = (0..4)
        .map(|number| try_secret(&gateway, "server", &[&from(&format!("198.51.100.{number}"))]))
        .collect();
    assert_eq!(codes, [401, 401, 429, 429]);
}
