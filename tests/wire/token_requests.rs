//! Requests of the token endpoint: their method, media type, parameters and size.

use super::token_endpoint::{GRANT, body, granted};
use crate::support::{INTROSPECT, REVOKE, TOKEN, credentials, get, post_form, shared};

#[test]
fn other_methods_are_405_with_allow() {
    let gateway = shared();
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let answer =
            gateway.raw(format!("{method} {TOKEN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
        answer.status(405).own().has("allow", "POST").has("pragma", "no-cache");
        assert!(answer.json()["error"].is_string(), "{answer}");
    }
    let mut conn = gateway.connect();
    conn.send(format!("HEAD {TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    conn.read_head_only().status(405).own().has("allow", "POST");
    conn.request(post_form(TOKEN, &[], body(""))).status(200);
}

#[test]
fn media_type_must_be_a_form() {
    let gateway = shared();
    let with = |line: &str| {
        let body = body("");
        gateway.raw(format!(
            "POST {TOKEN} HTTP/1.1\r\nHost: localhost\r\n{line}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    for bad in
        ["", "Content-Type: application/json\r\n", "Content-Type: text/plain\r\n", "Content-Type: \r\n"]
    {
        with(bad).oauth_error(400, "invalid_request");
    }
    with("Content-Type: application/x-www-form-urlencodedx\r\n").oauth_error(400, "invalid_request");
    for good in [
        "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n",
        "Content-Type: application/x-www-form-urlencoded;charset=iso-8859-1\r\n",
        "Content-Type: Application/X-WWW-Form-Urlencoded\r\n",
    ] {
        granted(&with(good), None, 299);
    }
}

#[test]
fn malformed_requests_are_invalid_request() {
    let gateway = shared();
    let server = credentials("server");
    let long_dup = format!("{GRANT}&{server}&x=1&x=2");
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("no grant_type", server.clone().into()),
        ("an empty grant_type", format!("grant_type=&{server}").into()),
        ("grant_type twice", format!("{GRANT}&{GRANT}&{server}").into()),
        ("grant_type twice, once empty", format!("grant_type=&{GRANT}&{server}").into()),
        ("client_id twice", format!("{GRANT}&{server}&client_id=server").into()),
        ("client_secret twice", format!("{GRANT}&{server}&client_secret=Password1").into()),
        ("scope twice", body("&scope=read&scope=read").into()),
        ("scope twice, once empty", body("&scope=&scope=read").into()),
        ("scope twice, once encoded", body("&scope=read&sc%6Fpe=read").into()),
        ("an unknown parameter twice", long_dup.into()),
        ("not UTF-8", body("&scope=%ff%fe").into()),
        ("not UTF-8 in the raw", [body("&scope=").as_bytes(), b"\xff"].concat()),
        ("not UTF-8 in a name", body("&%c3%28=1").into()),
    ];
    for (what, body) in rows {
        let answer = gateway.raw(post_form(TOKEN, &[], body));
        assert_eq!(answer.code(), 400, "{what}\n{answer}");
        answer.oauth_error(400, "invalid_request");
    }
}

#[test]
fn garbage_gets_a_clear_response_and_has_no_effect() {
    let gateway = shared();
    let noise: Vec<u8> = (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for garbage in [&noise[..], b"{\"grant_type\":\"client_credentials\"}", b"&&&===&%", b"%", b"\0\0\0", b""]
    {
        let answer = gateway.raw(post_form(TOKEN, &[], garbage));
        answer.status_in(&[400, 401]).own().has("pragma", "no-cache");
        let error = answer.json()["error"].clone();
        assert!(error == "invalid_request" || error == "invalid_client", "{answer}");
    }
    granted(&gateway.raw(post_form(TOKEN, &[], body(""))), None, 299);
}

#[test]
fn credentials_in_the_query_are_refused() {
    let gateway = shared();
    for known in
        [GRANT, "client_id=server", "client_secret=Password1", "scope=read", "scope", "client%5Fid=server"]
    {
        let answer = gateway.raw(post_form(&format!("{TOKEN}?{known}"), &[], body("")));
        answer.oauth_error(400, "invalid_request");
    }
    for unknown in ["foo=bar", "", "Scope=read", "x=1&y"] {
        granted(&gateway.raw(post_form(&format!("{TOKEN}?{unknown}"), &[], body(""))), None, 299);
    }
    let all = format!("{TOKEN}?{GRANT}&{}", credentials("server"));
    gateway.raw(post_form(&all, &[], "")).oauth_error(400, "invalid_request");
}

#[test]
fn a_body_above_16_kib_is_refused() {
    let gateway = shared();
    let padded = |size: usize| {
        let start = body("&pad=");
        let pad = "x".repeat(size - start.len());
        start + &pad
    };
    granted(&gateway.raw(post_form(TOKEN, &[], padded(16 * 1024))), None, 299);
    gateway.raw(post_form(TOKEN, &[], padded(16 * 1024 + 1))).oauth_error(413, "invalid_request");
    let body = padded(40_000);
    let chunked = format!(
        "POST {TOKEN} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    gateway.raw(chunked).oauth_error(413, "invalid_request");
}

#[test]
fn a_chunked_body_is_accepted() {
    let gateway = shared();
    let body = body("&scope=read");
    let (one, two) = body.split_at(20);
    let answer = gateway.raw(format!(
        "POST {TOKEN} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
        one.len(),
        two.len()
    ));
    granted(&answer, Some("read"), 299);
}

#[test]
fn a_body_with_a_content_coding_is_415_at_each_endpoint() {
    let gateway = shared();
    let token = gateway.token("server", "read");
    for (path, body) in [
        (TOKEN, credentials("server") + "&grant_type=client_credentials"),
        (INTROSPECT, credentials("introspector") + &format!("&token={token}")),
        (REVOKE, credentials("server") + &format!("&token={token}")),
    ] {
        for coding in ["gzip", "GZIP", "deflate", "identity, gzip", "br", "x-unknown"] {
            let encoded = gateway.raw(post_form(path, &[&format!("Content-Encoding: {coding}")], &body));
            encoded.oauth_error(415, "invalid_request");
            assert!(!String::from_utf8_lossy(encoded.body()).contains("access_token"), "{path}: {coding}");
        }
    }
    // Nothing was revoked, and a body that says that it has no coding is read.
    let bearer = format!("Authorization: Bearer {token}");
    gateway.raw(get("/hello", &[&bearer])).status(200);
    for coding in ["identity", "Identity", ""] {
        let fields = [&*format!("Content-Encoding: {coding}")];
        let body = credentials("server") + "&grant_type=client_credentials";
        gateway.raw(post_form(TOKEN, &fields, body)).status(200).has("pragma", "no-cache");
    }
}
