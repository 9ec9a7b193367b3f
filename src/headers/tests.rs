use http::{HeaderMap, HeaderName, HeaderValue, Request, Version};

use super::class::Class;
use super::response::ResponseError;
use super::spelling::same_variable;
use super::*;

mod framing;

/// Headers from lines `name: value`.
fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header line");
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, HeaderValue::from_str(value.trim()).expect("a value"));
    }
    headers
}

/// Lines again, sorted by name; those of one name in their order.
fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let line = |name: &str, value: &HeaderValue| format!("{name}: {}", value.to_str().expect("text"));
    names.iter().flat_map(|name| headers.get_all(*name).iter().map(|value| line(name, value))).collect()
}

fn value(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// What the gateway adds for the peer 192.0.2.7 over TLS and `Host: h`, if nothing else is known.
const OURS: [&str; 5] = [
    "host: h",
    "via: 1.1 tollgate",
    "x-forwarded-for: 192.0.2.7",
    "x-forwarded-host: h",
    "x-forwarded-proto: https",
];

const PEER_OF_IPV6: &[u8] = b"2001:db8::7";
const PEER: &[u8] = b"192.0.2.7";

fn upstream_sees<'a>(lines_in: &[&str], change: impl FnOnce(&mut Outgoing<'a>)) -> Vec<String> {
    let mut outgoing = Outgoing::new(PEER, Proto::Https);
    change(&mut outgoing);
    let mut sent = HeaderMap::new();
    let (mut request, ()) = Request::new(()).into_parts();
    request.headers = headers(lines_in);
    for_upstream(&MapHead::new(&request), &outgoing, &mut sent);
    lines(&sent)
}

/// `OURS` and `more`, sorted, without the names that `more` gives anew.
fn ours_and(more: &[&str]) -> Vec<String> {
    let name = |line: &str| line.split_once(':').map(|(name, _)| name.to_owned());
    let mut all: Vec<String> = more.iter().map(|line| (*line).to_owned()).collect();
    all.extend(
        OURS.iter()
            .filter(|line| !more.iter().any(|new| name(new) == name(line)))
            .map(|line| (*line).to_owned()),
    );
    all.sort_by_key(|line| name(line));
    all
}

#[test]
fn ordinary_headers_go_through() {
    let kept = [
        "accept: */*",
        "content-length: 3",
        "content-type: text/plain",
        "cookie: a=b",
        "te-x: 1",
        "trailer: checksum",
        "user-agent: x",
        "x-request-id: 7",
        "x_request_id: 8",
    ];
    let mut sent = vec!["host: h"];
    sent.extend(kept);
    assert_eq!(upstream_sees(&sent, |_| {}), ours_and(&kept));
}

#[test]
fn cookies_that_http_2_split_are_one_again() {
    let sent = ["host: h", "cookie: a=1", "cookie: b=2; c=3", "cookie: d=4"];
    let from_http2 = |outgoing: &mut Outgoing<'_>| outgoing.version = Version::HTTP_2;
    let seen = upstream_sees(&sent, from_http2);
    assert_eq!(seen, ours_and(&["cookie: a=1; b=2; c=3; d=4", "via: 2 tollgate"]));
    // HTTP/2 to HTTP/2 may leave them so; one of HTTP/1.1 that repeats them is its client's business.
    let split = ["cookie: a=1", "cookie: b=2; c=3", "cookie: d=4"];
    assert_eq!(upstream_sees(&sent, |_| {}), ours_and(&split));
    let seen = upstream_sees(&sent, |outgoing| {
        from_http2(outgoing);
        outgoing.upstream_http2 = true;
    });
    assert_eq!(seen.iter().filter(|line| line.starts_with("cookie")).count(), 3, "{seen:?}");
}

#[test]
fn identity_is_what_the_gateway_says() {
    let (id, scope) = (value("server"), value("read"));
    for spoofed in [
        &["x-client-id: admin"][..],
        &["X-Client-Id: admin", "X-CLIENT-ID: root"],
        &["x_client_id: admin"],
        &["X_Client-Id: admin", "x-client_scope: all", "x_client_scope: all"],
        &["x.client.id: admin", "x~client!scope: all"],
        &["connection: x-client-id", "x-client-id: admin"],
        &["connection: X-Client-Id, x-client-scope, x_client_id", "x_client_id: admin"],
        &["connection: close", "connection: keep-alive, x-client-id", "x-client-scope: all"],
    ] {
        let mut sent = vec!["host: h"];
        sent.extend(spoofed);
        assert_eq!(
            upstream_sees(&sent, |outgoing| {
                outgoing.client_id = Some(&id);
                outgoing.client_scope = Some(&scope);
            }),
            ours_and(&["x-client-id: server", "x-client-scope: read"]),
            "{spoofed:?}"
        );
        // A public route identifies nobody.
        assert_eq!(upstream_sees(&sent, |_| {}), ours_and(&[]), "{spoofed:?}");
    }
}

#[test]
fn what_is_of_this_connection_or_deceives_the_upstream_goes() {
    for dropped in [
        &["connection: close"][..],
        &["connection: keep-alive", "keep-alive: timeout=5"],
        &["connection: x-hop, X-Hop-2", "x-hop: 1", "x-hop-2: 2", "x-hop-2: 3"],
        &["connection: te", "te: trailers"],
        &["te: gzip"],
        &["connection: upgrade", "upgrade: websocket"],
        &["connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"],
        &["proxy-connection: keep-alive", "proxy-authorization: Basic eDp5", "proxy-authenticate: Basic"],
        &["expect: 100-continue"],
        &["proxy: http://evil"],
        &["x-original-url: /admin", "x-rewrite-url: /admin", "x-original_url: /admin"],
        &["x-forwarded-uri: /admin", "x-forwarded-prefix: /admin", "x-forwarded-path: /admin"],
        &["x-http-method-override: DELETE", "x-method-override: PUT", "x-http-method: PATCH"],
        &["forwarded: for=1.1.1.1", "x-real-ip: 1.1.1.1", "x-forwarded-port: 1", "x-forwarded-user: root"],
        &[
            "x-forwarded-for: 1.1.1.1",
            "x-forwarded-for: 2.2.2.2",
            "x-forwarded-proto: http",
            "x-forwarded-host: evil",
        ],
        &["x_forwarded_for: 1.1.1.1", "x_real_ip: 1.1.1.1", "x_forwarded-host: evil"],
        &["content_length: 5", "transfer_encoding: chunked", "content.length: 5"],
        &["proxy_connection: close", "keep_alive: 1", "http2_settings: AA"],
        &["authorization: Bearer x", "authorization: Basic eDp5"],
        // Nominated: nothing that the gateway needs or sets.
        &["connection: host, via, x-forwarded-for, x-forwarded-host, x-forwarded-proto, content-length"],
        &["connection: authorization", "authorization: Bearer x"],
        &["connection: ,,\"bad name\",;, x\tz"],
    ] {
        let mut sent = vec!["host: h", "x-kept: 1"];
        sent.extend(dropped);
        assert_eq!(upstream_sees(&sent, |_| {}), ours_and(&["x-kept: 1"]), "{dropped:?}");
    }
}

#[test]
fn the_body_keeps_its_frame_whatever_is_nominated() {
    let kept = ["content-length: 3", "host: h"];
    let mut sent = kept.to_vec();
    sent.push("connection: content-length, host, transfer-encoding");
    assert_eq!(upstream_sees(&sent, |_| {}), ours_and(&kept));
    let kept = ["transfer-encoding: chunked", "host: h"];
    let mut sent = kept.to_vec();
    sent.push("connection: transfer-encoding");
    assert_eq!(upstream_sees(&sent, |outgoing| outgoing.streamed_body = true), ours_and(&kept));
    // A body from HTTP/2 that tells no length.
    assert_eq!(upstream_sees(&["host: h"], |outgoing| outgoing.streamed_body = true), ours_and(&kept));
    let kept = ["content-length: 3"];
    assert_eq!(
        upstream_sees(&["host: h", "content-length: 3"], |outgoing| outgoing.streamed_body = true),
        ours_and(&kept)
    );
}

#[test]
fn the_clients_authorization() {
    use ClientAuthorization::*;
    let ours = "authorization: Bearer tg_abc";
    for (sent, policy, kept) in [
        (&[ours][..], Remove, false),
        (&["authorization: Basic eDp5"], Remove, false),
        (&[ours], Forward, true),
        (&["authorization: Basic eDp5"], RemoveOurs, true),
        (&["authorization: Bearer eyJ.tg_.x"], RemoveOurs, true),
        (&["authorization: tg"], RemoveOurs, true),
        (&[ours], RemoveOurs, false),
        (&["authorization: bEARER   tg_abc"], RemoveOurs, false),
        (&["authorization: Token tg_abc"], RemoveOurs, false),
        (&["authorization: tg_abc"], RemoveOurs, false),
        (&["authorization: Basic eDp5", ours], RemoveOurs, false),
        // The client cannot have the token it was let in with dropped on the way to a route that forwards it.
        (&["connection: authorization", ours], Forward, true),
    ] {
        let mut lines = vec!["host: h"];
        lines.extend(sent);
        let want: Vec<&str> = sent.iter().filter(|line| kept && line.starts_with("auth")).copied().collect();
        assert_eq!(
            upstream_sees(&lines, |outgoing| outgoing.authorization = policy),
            ours_and(&want),
            "{sent:?} {policy:?}"
        );
    }
}

#[test]
fn the_gateways_own_credential_is_the_only_one() {
    let setting = |name, value| {
        let mut rules = RequestRules::default();
        rules.set(HeaderName::from_static(name), HeaderValue::from_static(value));
        rules
    };
    let rules = setting("x-api-key", "s3cret");
    for spoofed in [
        &[][..],
        &["x-api-key: mine", "x-api-key: mine too"],
        &["x_api_key: mine", "X-API_KEY: mine", "x.api.key: mine"],
        &["connection: x-api-key", "x-api-key: mine"],
    ] {
        let mut sent = vec!["host: h"];
        sent.extend(spoofed);
        assert_eq!(
            upstream_sees(&sent, |outgoing| outgoing.rules = Some(&rules)),
            ours_and(&["x-api-key: s3cret"]),
            "{spoofed:?}"
        );
    }
    // Also one spelled oddly, and one that takes the place of the client's.
    let odd = setting("x_api_key", "s3cret");
    assert_eq!(
        upstream_sees(&["host: h", "x-api-key: mine"], |outgoing| outgoing.rules = Some(&odd)),
        ours_and(&["x_api_key: s3cret"])
    );
    let basic = setting("authorization", "Basic eDp5");
    assert_eq!(
        upstream_sees(&["host: h", "authorization: Bearer tg_abc"], |outgoing| {
            outgoing.rules = Some(&basic);
        }),
        ours_and(&["authorization: Basic eDp5"])
    );
}

#[test]
fn a_trusted_proxy_is_believed_in_what_it_may_say() {
    let sent = [
        "host: h",
        "forwarded: for=1.1.1.1",
        "forwarded: for=2.2.2.2;by=x",
        "via: 1.0 first",
        "x-forwarded-for: 1.1.1.1",
        "x-forwarded-for: 2.2.2.2, 3.3.3.3",
        "x-forwarded-host: public.example",
        "x-forwarded-port: 443",
        "x-forwarded-prefix: /admin",
        "x-forwarded-proto: http",
        "x-real-ip: 1.1.1.1",
        "x_forwarded_for: 6.6.6.6",
        "x-client-id: admin",
        "connection: x-forwarded-for",
    ];
    assert_eq!(
        upstream_sees(&sent, |outgoing| outgoing.peer_is_trusted = true),
        ours_and(&[
            "forwarded: for=1.1.1.1, for=2.2.2.2;by=x, for=192.0.2.7;proto=https",
            "via: 1.0 first",
            "via: 1.1 tollgate",
            "x-forwarded-for: 1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7",
            "x-forwarded-host: public.example",
            "x-forwarded-port: 443",
            "x-forwarded-prefix: /admin",
            "x-forwarded-proto: http",
            "x-real-ip: 1.1.1.1",
        ])
    );
    assert_eq!(
        upstream_sees(&["host: h", "forwarded: for=\"[2001:db8::1]:80\";host=a"], |outgoing| {
            outgoing.peer_is_trusted = true;
            outgoing.peer = PEER_OF_IPV6;
            outgoing.proto = Proto::Http;
        }),
        ours_and(&[
            "forwarded: for=\"[2001:db8::1]:80\";host=a, for=\"[2001:db8::7]\";proto=http",
            "x-forwarded-for: 2001:db8::7",
            "x-forwarded-proto: http",
        ])
    );
    // What it does not say, the gateway does.
    assert_eq!(upstream_sees(&["host: h"], |outgoing| outgoing.peer_is_trusted = true), ours_and(&[]));
}

#[test]
fn host_version_and_upgrade() {
    let (authority, upstream_host, websocket) =
        (value("a.example:8443"), value("legacy.internal"), value("websocket"));
    // HTTP/2 has no Host; absolute-form's authority goes before it.
    for sent in [&[][..], &["host: A.example:8443"]] {
        assert_eq!(
            upstream_sees(sent, |outgoing| {
                outgoing.authority = Some(&authority);
                outgoing.version = Version::HTTP_2;
            }),
            ours_and(&["host: a.example:8443", "x-forwarded-host: a.example:8443", "via: 2 tollgate"])
        );
    }
    assert_eq!(
        upstream_sees(&["host: h"], |outgoing| {
            outgoing.upstream_host = Some(&upstream_host);
            outgoing.version = Version::HTTP_10;
        }),
        ours_and(&["host: legacy.internal", "x-forwarded-host: h", "via: 1.0 tollgate"])
    );
    // Only the upgrade that was recognised.
    assert_eq!(
        upstream_sees(
            &["host: h", "connection: Upgrade, x-a", "x-a: 1", "upgrade: websocket, h2c"],
            |outgoing| {
                outgoing.upgrade = Some(&websocket);
            }
        ),
        ours_and(&["connection: upgrade", "upgrade: websocket"])
    );
    // HTTP/2 upstreams: nothing of the connection, but what gRPC asks for.
    for (te, want) in [
        ("te: trailers", &["te: trailers"][..]),
        ("te: gzip, Trailers", &["te: trailers"]),
        ("te: gzip", &[]),
    ] {
        let sent = ["host: h", "connection: te, upgrade", "upgrade: h2c", "transfer-encoding: chunked", te];
        let mut want = ours_and(want);
        want.retain(|line| !line.starts_with("host"));
        assert_eq!(
            upstream_sees(&sent, |outgoing| {
                outgoing.upstream_http2 = true;
                outgoing.streamed_body = true;
            }),
            want
        );
    }
}

#[test]
fn answers_lose_what_was_for_the_gateway() {
    let answer = |sent: &[&str], upgraded| {
        let (came, mut kept) = (headers(sent), HeaderMap::new());
        let fields = came.iter().map(|(name, value)| Field::in_map(name, value));
        let connection = came.get_all("connection").iter().map(HeaderValue::as_bytes);
        let returning = Returning { upgraded, length: true, version: Version::HTTP_11 };
        let unwanted = |field: &Field<'_>| field.name == b"x-unwanted";
        let date = for_client(fields, connection, returning, unwanted, |_| None, &mut kept);
        assert_eq!(date, came.contains_key("date"));
        lines(&kept)
    };
    let kept = [
        "content-length: 3",
        "date: now",
        "server: legacy/1",
        "set-cookie: a=b",
        "set-cookie: c=d",
        "via: 1.1 tollgate",
        "www-authenticate: Basic",
    ];
    let plain = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    for dropped in [
        &[][..],
        &["connection: close"],
        &["connection: keep-alive, X-Hop", "keep-alive: timeout=5", "x-hop: 1"],
        &["proxy-connection: close", "proxy-authenticate: Basic", "proxy-authentication-info: x"],
        &["upgrade: h2c", "connection: upgrade", "te: trailers"],
        &["connection: content-length"],
        &["transfer_encoding: chunked", "content_length: 7"],
        &["content-length: 3", "x-unwanted: 1"],
    ] {
        let sent: Vec<&str> =
            kept.iter().filter(|line| !line.starts_with("via")).chain(dropped).copied().collect();
        assert_eq!(answer(&sent, false), plain(&kept), "{dropped:?}");
    }
    assert_eq!(
        answer(&["transfer-encoding: chunked", "trailer: x"], false),
        plain(&["trailer: x", "via: 1.1 tollgate"])
    );
    assert_eq!(answer(&["via: 1.1 a"], false), plain(&["via: 1.1 a", "via: 1.1 tollgate"]));
    let switch = ["connection: Upgrade", "upgrade: websocket"];
    assert_eq!(
        answer(&switch, true),
        plain(&["connection: upgrade", "upgrade: websocket", "via: 1.1 tollgate"])
    );
    assert_eq!(answer(&switch, false), plain(&["via: 1.1 tollgate"]));

    assert_eq!(answer(&["content-length: 3, 3"], false), plain(&["content-length: 3", "via: 1.1 tollgate"]));

    use ResponseError::*;
    for (sent, want) in [
        (&["content-length: 3"][..], Ok(())),
        (&["transfer-encoding: chunked"], Err(TransferEncoding)),
        (&["content-length: 3", "content-length: 3"], Err(ContentLength)),
        (&["content-length: 3, 3"], Err(ContentLength)),
    ] {
        assert_eq!(check_response(&headers(sent)), want, "{sent:?}");
    }
}

#[test]
fn trailers_decide_nothing() {
    let key = HeaderName::from_static("x-api-key");
    let kept = [
        "checksum: 1",
        "etag: \"x\"",
        "grpc-message: no",
        "grpc-status: 7",
        "grpc_status: 7",
        "server-timing: x",
    ];
    let mut sent = headers(&kept);
    for name in [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "content_length",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "location",
        "proxy-authorization",
        "set-cookie",
        "set_cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "transfer_encoding",
        "upgrade",
        "via",
        "x-api-key",
        "x-client-id",
        "x-client-scope",
        "x-forwarded-for",
        "x-forwarded-user",
        "x-original-url",
        "x-real-ip",
        "x_api_key",
        "x_client_id",
        "cache-control",
    ] {
        sent.append(HeaderName::from_static(name), HeaderValue::from_static("x"));
        sent.append(HeaderName::from_static(name), HeaderValue::from_static("y"));
    }
    let mut rules = RequestRules::default();
    rules.set(key, HeaderValue::from_static("s3cret"));
    filter_trailers(&mut sent, Some(&rules));
    assert_eq!(lines(&sent), kept);
}

#[test]
fn a_name_has_one_class_in_every_spelling() {
    for name in [
        "authorization",
        "connection",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "accept",
        "x-client-id",
        "x-client-scope",
        "x-forwarded-for",
        "x-real-ip",
        "keep-alive",
        "proxy",
        "http2-settings",
    ] {
        let class = Class::of(name.as_bytes()).0;
        assert_eq!(class == Class::Other, name == "accept", "{name}");
        for odd in ["_", ".", "~", "!"] {
            if !name.contains('-') {
                continue;
            }
            let spelled = name.replace('-', odd);
            assert_eq!(Class::of(spelled.as_bytes()), (class, true), "{spelled}");
            assert!(same_variable(spelled.as_bytes(), name.as_bytes()));
        }
    }
    assert_eq!(Class::of("x_".repeat(40).as_bytes()), (Class::Other, true));
}

#[test]
fn a_route_removes_sets_and_renames_headers() {
    let (id, scope) = (value("server"), value("read"));
    let mut rules = RequestRules::default();
    rules.remove(HeaderName::from_static("x-debug"));
    rules.remove(HeaderName::from_static("authorization"));
    rules.set(HeaderName::from_static("x-tenant"), HeaderValue::from_static("7"));
    rules.identify(IdentityHeader::Named(HeaderName::from_static("x-consumer")), IdentityHeader::Off);
    let sent = [
        "host: h",
        "x_debug: 1",
        "X-Tenant: 8",
        "x.consumer: admin",
        "x-client-id: admin",
        "authorization: a",
    ];
    assert_eq!(
        upstream_sees(&sent, |outgoing| {
            outgoing.authorization = ClientAuthorization::Forward;
            outgoing.client_id = Some(&id);
            outgoing.client_scope = Some(&scope);
            outgoing.rules = Some(&rules);
        }),
        ours_and(&["x-consumer: server", "x-tenant: 7"])
    );
}

#[test]
fn a_removed_prefix_is_put_behind_those_of_trusted_proxies() {
    let rules = RequestRules::default();
    let sees = |sent: &[&str], trusted, prefix: Option<&'static [u8]>| {
        let mut lines = vec!["host: h"];
        lines.extend(sent);
        let seen = upstream_sees(&lines, |outgoing| {
            outgoing.peer_is_trusted = trusted;
            outgoing.prefix = prefix;
            outgoing.rules = Some(&rules);
        });
        let of_prefix = seen.iter().filter_map(|line| line.strip_prefix("x-forwarded-prefix: "));
        of_prefix.map(str::to_owned).collect::<Vec<_>>()
    };
    let sent = ["x-forwarded-prefix: /outer/"];
    assert_eq!(sees(&sent, true, Some(b"/v1")), ["/outer/v1"]);
    assert_eq!(sees(&sent, false, Some(b"/v1")), ["/v1"]);
    assert_eq!(sees(&sent, true, None), ["/outer/"]);
    assert!(sees(&sent, false, None).is_empty());
}

#[test]
fn urls_of_a_response_are_mapped_unless_they_are_removed() {
    let came =
        headers(&["location: /a", "set-cookie: b", "content-location: /c", "connection: content-location"]);
    let fields = came.iter().map(|(name, value)| Field::in_map(name, value));
    let returning = Returning { upgraded: false, length: true, version: Version::HTTP_11 };
    let mut kept = HeaderMap::new();
    let map = |_: &Field<'_>| Some((&http::header::LOCATION, "/mapped".to_owned()));
    let connection = came.get_all("connection").iter().map(HeaderValue::as_bytes);
    for_client(fields, connection, returning, |field| field.name == b"set-cookie", map, &mut kept);
    assert_eq!(lines(&kept), ["location: /mapped", "via: 1.1 tollgate"]);
}
