//! The headers of forwarded requests.

use super::*;

#[test]
fn ordinary_headers_are_forwarded() {
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
fn cookies_that_http_2_has_split_are_joined() {
    let sent = ["host: h", "cookie: a=1", "cookie: b=2; c=3", "cookie: d=4"];
    let from_http2 = |outgoing: &mut Outgoing<'_>| outgoing.version = Version::HTTP_2;
    let seen = upstream_sees(&sent, from_http2);
    assert_eq!(seen, ours_and(&["cookie: a=1; b=2; c=3; d=4", "via: 2 tollgate"]));
    // An HTTP/2 upstream gets them split, and so does any upstream if an HTTP/1.1 client has sent them so.
    let split = ["cookie: a=1", "cookie: b=2; c=3", "cookie: d=4"];
    assert_eq!(upstream_sees(&sent, |_| {}), ours_and(&split));
    let seen = upstream_sees(&sent, |outgoing| {
        from_http2(outgoing);
        outgoing.upstream_http2 = true;
    });
    assert_eq!(seen.iter().filter(|line| line.starts_with("cookie")).count(), 3, "{seen:?}");
}

#[test]
fn only_the_gateway_sets_identity_headers() {
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
        // A public route sends no identity.
        assert_eq!(upstream_sees(&sent, |_| {}), ours_and(&[]), "{spoofed:?}");
    }
}

#[test]
fn headers_of_the_connection_and_forged_ones_are_removed() {
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
        // A `Connection` header cannot remove headers that the gateway needs or sets.
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
fn a_connection_header_cannot_remove_the_framing() {
    let kept = ["content-length: 3", "host: h"];
    let mut sent = kept.to_vec();
    sent.push("connection: content-length, host, transfer-encoding");
    assert_eq!(upstream_sees(&sent, |_| {}), ours_and(&kept));
    let kept = ["transfer-encoding: chunked", "host: h"];
    let mut sent = kept.to_vec();
    sent.push("connection: transfer-encoding");
    assert_eq!(upstream_sees(&sent, |outgoing| outgoing.streamed_body = true), ours_and(&kept));
    // An HTTP/2 body without a declared length.
    assert_eq!(upstream_sees(&["host: h"], |outgoing| outgoing.streamed_body = true), ours_and(&kept));
    let kept = ["content-length: 3"];
    assert_eq!(
        upstream_sees(&["host: h", "content-length: 3"], |outgoing| outgoing.streamed_body = true),
        ours_and(&kept)
    );
}

#[test]
fn authorization_is_removed_or_forwarded_as_the_route_says() {
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
        // A client cannot remove its token with a `Connection` header on a route that forwards tokens.
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
fn the_credential_of_the_upstream_replaces_the_clients() {
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
            upstream_sees(&sent, |outgoing| outgoing.rules = Some((&rules).into())),
            ours_and(&["x-api-key: s3cret"]),
            "{spoofed:?}"
        );
    }
    // The same holds for a name with another spelling, and for `Authorization`.
    let odd = setting("x_api_key", "s3cret");
    assert_eq!(
        upstream_sees(&["host: h", "x-api-key: mine"], |outgoing| outgoing.rules = Some((&odd).into())),
        ours_and(&["x_api_key: s3cret"])
    );
    let basic = setting("authorization", "Basic eDp5");
    assert_eq!(
        upstream_sees(&["host: h", "authorization: Bearer tg_abc"], |outgoing| {
            outgoing.rules = Some((&basic).into());
        }),
        ours_and(&["authorization: Basic eDp5"])
    );
}

#[test]
fn the_forwarding_headers_of_a_trusted_proxy_are_kept() {
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
    // The gateway adds those that the proxy did not send.
    assert_eq!(upstream_sees(&["host: h"], |outgoing| outgoing.peer_is_trusted = true), ours_and(&[]));
}

#[test]
fn host_version_and_upgrade() {
    let (authority, upstream_host, websocket) =
        (value("a.example:8443"), value("legacy.internal"), value("websocket"));
    // An HTTP/2 request has no `Host`. The authority of a target in absolute-form takes precedence over it.
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
    // Only the recognized upgrade is forwarded.
    assert_eq!(
        upstream_sees(
            &["host: h", "connection: Upgrade, x-a", "x-a: 1", "upgrade: websocket, h2c"],
            |outgoing| {
                outgoing.upgrade = Some(&websocket);
            }
        ),
        ours_and(&["connection: upgrade", "upgrade: websocket"])
    );
    // An HTTP/2 upstream gets no header of the connection except `TE: trailers`, which gRPC needs.
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
            outgoing.rules = Some((&rules).into());
        }),
        ours_and(&["x-consumer: server", "x-tenant: 7"])
    );
}

#[test]
fn a_removed_prefix_follows_those_of_trusted_proxies() {
    let rules = RequestRules::default();
    let sees = |sent: &[&str], trusted, prefix: Option<&'static [u8]>| {
        let mut lines = vec!["host: h"];
        lines.extend(sent);
        let seen = upstream_sees(&lines, |outgoing| {
            outgoing.peer_is_trusted = trusted;
            outgoing.prefix = prefix;
            outgoing.rules = Some((&rules).into());
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
