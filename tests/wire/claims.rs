//! Headers that claim an identity or another resource, and what a route changes in the headers of requests.

use crate::support::{Fixture, get};

const CLAIMS: [&str; 14] = [
    "Remote-User: root",
    "X-Remote-User: root",
    "X_Forwarded_User: root",
    "X-Auth-Request-Email: root",
    "X-SSL-Client-Verify: SUCCESS",
    "X-Client-Cert: MII",
    "X-Consumer-Username: root",
    "X-Original-URI: /admin",
    "X-Original-URL: /admin",
    "X-Envoy-Original-Path: /admin",
    "x.rewrite.url: /admin",
    "X-HTTP-Method-Override: DELETE",
    "X-Forwarded-Uri: /admin",
    "Proxy: http://evil",
];

const ADDRESSES: [&str; 7] = [
    "X-Real-IP: 6.6.6.6",
    "True-Client-IP: 6.6.6.6",
    "X-Client-IP: 6.6.6.6",
    "CF-Connecting-IP: 6.6.6.6",
    "Fastly-Client-IP: 6.6.6.6",
    "X-Cluster-Client-IP: 6.6.6.6",
    "X-Envoy-External-Address: 6.6.6.6",
];

#[test]
fn claims_never_arrive_and_addresses_only_from_trusted_proxies() {
    for trusted in [false, true] {
        let fixture = Fixture::start(|config| match trusted {
            true => config.server("trusted_proxies = [\"127.0.0.1\"]"),
            false => config,
        });
        let bearer = fixture.bearer("server", "read");
        let fields = [&CLAIMS[..], &ADDRESSES, &[&*bearer]].concat();
        for path in ["/public/x?m=claims-public", "/hello?m=claims-token"] {
            fixture.raw(get(path, &fields)).status(200);
            let seen = fixture.upstream.only(path.split("?").nth(1).expect("a mark"));
            for line in CLAIMS {
                let (name, value) = line.split_once(": ").expect("a header");
                assert!(
                    seen.all(name).is_empty() && !seen.text().contains(&format!(": {value}\r")),
                    "{line}"
                );
            }
            for line in ADDRESSES {
                let (name, value) = line.split_once(": ").expect("a header");
                assert_eq!(seen.all(name), if trusted { vec![value] } else { vec![] }, "{}", seen.text());
            }
        }
    }
}

#[test]
fn a_route_removes_and_sets_request_headers() {
    let fixture = Fixture::start(|config| {
        config.route(
            "prefix = \"/changed\"\naccess = \"public\"\nupstream = \"api\"\nrequest_headers = { remove = [\"Cookie\", \
             \"X-Debug\"], set = { X-Tenant = \"7\", Authorization = \"Basic eDp5\" } }",
        )
    });
    let sent = [
        "Cookie: a=b",
        "x_debug: 1",
        "X-Tenant: 8",
        "X_Tenant: 9",
        "Authorization: Bearer mine",
        "X-Kept: 1",
    ];
    fixture.raw(get("/changed?m=changes", &sent)).status(200);
    let seen = fixture.upstream.only("m=changes");
    assert_eq!(
        String::from_utf8_lossy(&seen.head),
        format!(
            "GET /changed?m=changes HTTP/1.1\r\nHost: localhost\r\nX-Kept: 1\r\nx-tenant: 7\r\n\
             authorization: Basic eDp5\r\nx-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: http\r\n\
             x-forwarded-host: localhost\r\nvia: 1.1 tollgate\r\n\r\n"
        )
    );
}

#[test]
fn a_trailer_cannot_pass_for_a_header_that_the_route_changes() {
    let fixture = Fixture::start(|config| {
        config.route(
            "prefix = \"/changed\"\naccess = \"public\"\nupstream = \"api\"\nrequest_headers = { set = { X-Tenant = \"7\" } }",
        )
    });
    let request = "POST /changed?m=trailer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
                   2\r\nhi\r\n0\r\nX-Tenant: 8\r\nRemote-User: root\r\nX-Sum: 1\r\n\r\n";
    fixture.raw(request).status(200);
    assert!(fixture.upstream.saw("X-Sum: 1"));
    assert!(!fixture.upstream.saw("X-Tenant: 8") && !fixture.upstream.saw("root"));
}

#[test]
fn identity_headers_have_other_names_or_none() {
    let fixture = Fixture::start(|config| {
        config
            .route(
                "path = \"/named\"\nscopes = [\"read\"]\nupstream = \"api\"\nidentity_headers = { client_id = \
                 \"X-Consumer\", scope = false }",
            )
            .route(
                "path = \"/nameless\"\nscopes = [\"read\"]\nupstream = \"api\"\nidentity_headers = { client_id = \
                 false, scope = \"X-Rights\" }",
            )
    });
    let bearer = fixture.bearer("server", "read");
    let forged = [&*bearer, "X-Consumer: root", "x_consumer: root", "X-Client-Id: root", "X-Rights: all"];
    fixture.raw(get("/named?m=named", &forged)).status(200);
    let seen = fixture.upstream.only("m=named");
    assert_eq!((seen.all("x-consumer"), seen.all("x_consumer")), (vec!["server"], vec![]), "{}", seen.text());
    assert!(seen.all("x-client-id").is_empty() && seen.all("x-client-scope").is_empty(), "{}", seen.text());
    fixture.raw(get("/nameless?m=nameless", &forged)).status(200);
    let seen = fixture.upstream.only("m=nameless");
    assert_eq!((seen.all("x-rights"), seen.all("x-client-id")), (vec!["read"], vec![]), "{}", seen.text());
}

#[test]
fn the_token_is_in_another_header_and_authorization_is_the_apis_own() {
    let fixture = Fixture::start(|config| {
        config
            .route(
                "path = \"/own-login\"\nscopes = [\"read\"]\nupstream = \"api\"\ntoken_header = \"X-Gateway-Token\"",
            )
            .route(
                "path = \"/sees-both\"\nscopes = [\"read\"]\nupstream = \"api\"\ntoken_header = \"X-Gateway-Token\"\n\
                 forward_token = true",
            )
    });
    let token = fixture.token("server", "read");
    let basic = "Authorization: Basic bGVnYWN5OnB3";
    for (number, value) in
        [format!("Bearer {token}"), format!("bearer {token}"), token.clone()].iter().enumerate()
    {
        let mark = format!("m=token-{number}.");
        let header = format!("X-Gateway-Token: {value}");
        fixture.raw(get(&format!("/own-login?{mark}"), &[&header, "x_gateway_token: 1", basic])).status(200);
        let seen = fixture.upstream.only(&mark);
        assert_eq!(seen.all("authorization"), ["Basic bGVnYWN5OnB3"], "{}", seen.text());
        assert_eq!(seen.all("x-client-id"), ["server"]);
        assert!(!seen.text().to_ascii_lowercase().contains("gateway_token") && !seen.text().contains(&token));
        assert!(seen.all("x-gateway-token").is_empty(), "{}", seen.text());
    }
    let header = format!("X-Gateway-Token: {token}");
    fixture.raw(get("/sees-both?m=both", &[&header, basic])).status(200);
    let seen = fixture.upstream.only("m=both");
    assert_eq!((seen.all("x-gateway-token"), seen.all("authorization").len()), (vec![&*token], 1));
    // `Authorization` gives no access here, and one of our tokens in it does not arrive.
    let bearer = format!("Authorization: Bearer {token}");
    fixture.raw(get("/own-login", &[&bearer])).bearer_error(401, None);
    fixture.raw(get("/own-login?m=leak", &[&header, &bearer])).status(200);
    assert!(fixture.upstream.only("m=leak").all("authorization").is_empty());
    for bad in
        [&["X-Gateway-Token: tg_wrong"][..], &["X-Gateway-Token: Basic bGVnYWN5OnB3"], &["X-Gateway-Token:"]]
    {
        fixture.raw(get("/own-login", bad)).status_in(&[400, 401]);
    }
    fixture.raw(get("/own-login", &[&header, &header])).status(400);
}
