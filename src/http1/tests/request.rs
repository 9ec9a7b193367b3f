//! Heads of requests.

use http::{Method, Version};

use super::*;
use crate::headers::{Class, Form, RequestView as _};
use crate::http1::*;

fn parse(wire: &[u8]) -> Result<Option<usize>, RequestFault> {
    RequestSpans::default().parse(wire, LIMITS)
}

fn facts(head: &str) -> Result<RequestFacts, RequestFault> {
    let wire = format!("{head}\r\n");
    let mut spans = RequestSpans::default();
    assert_eq!(spans.parse(wire.as_bytes(), LIMITS), Ok(Some(wire.len())), "{wire:?}");
    spans.in_bytes(wire.as_bytes()).facts()
}

#[test]
fn a_request_is_read_in_place() {
    let wire = b"\r\nPOST http://Api.example:80/a%20b?q=\"<>{}^`\xc3\xa9|#".split_last().unwrap().1;
    let wire = [wire, b" HTTP/1.1\r\nHost: Api.example:80\r\nX_Client-Id:\tevil \r\ncontent-length: 3\r\nX-Empty:\r\n\r\nabc"].concat();
    let mut spans = RequestSpans::default();
    for cut in 0..wire.len() - 3 {
        assert_eq!(spans.parse(&wire[..cut], LIMITS), Ok(None), "{cut}");
    }
    assert_eq!(spans.parse(&wire, LIMITS), Ok(Some(wire.len() - 3)));
    let head = spans.in_bytes(&wire);
    assert_eq!((head.method(), head.version(), head.form()), (&Method::POST, Version::HTTP_11, Form::Http));
    assert_eq!((head.authority(), head.path()), (Some("Api.example:80"), "/a%20b"));
    assert_eq!(head.query(), Some(&b"q=\"<>{}^`\xc3\xa9|"[..]));
    let fields: Vec<_> =
        head.fields().map(|field| (field.class, field.disguised, field.name, field.value)).collect();
    assert_eq!(
        fields,
        [
            (Class::Host, false, &b"Host"[..], &b"Api.example:80"[..]),
            (Class::ClientId, true, b"X_Client-Id", b"evil"),
            (Class::ContentLength, false, b"content-length", b"3"),
            (Class::Other, false, b"X-Empty", b""),
        ]
    );
    assert_eq!(head.facts().unwrap().framing, RequestFraming::Length(3));
}

#[test]
fn targets() {
    for (line, form, authority, path, query) in [
        ("GET /", Form::Origin, None, "/", None),
        ("GET /a?", Form::Origin, None, "/a", Some("")),
        ("GET /a?b?c/d", Form::Origin, None, "/a", Some("b?c/d")),
        ("GET //a", Form::Origin, None, "//a", None),
        ("OPTIONS *", Form::Asterisk, None, "*", None),
        ("GET HTTPS://h", Form::Https, Some("h"), "/", None),
        ("GET http://h?q", Form::Http, Some("h"), "/", Some("q")),
        ("GET http:///p", Form::Http, Some(""), "/p", None),
        ("GET http://u@h/p", Form::Http, Some("u@h"), "/p", None),
        ("GET ftp://h/p", Form::OtherScheme, Some("h"), "/p", None),
        ("CONNECT h:443", Form::Authority, Some("h:443"), "", None),
    ] {
        let wire = format!("{line} HTTP/1.1\r\n\r\n");
        let mut spans = RequestSpans::default();
        assert_eq!(spans.parse(wire.as_bytes(), LIMITS), Ok(Some(wire.len())), "{line}");
        let head = spans.in_bytes(wire.as_bytes());
        assert_eq!((head.form(), head.authority(), head.path()), (form, authority, path), "{line}");
        assert_eq!(head.query(), query.map(str::as_bytes), "{line}");
    }
}

#[test]
fn ambiguous_requests_are_refused() {
    use RequestFault::*;
    for (wire, fault) in [
        ("GET / HTTP/1.1\n\n", BareLineFeed),
        ("\nGET / HTTP/1.1\r\n\r\n", BareLineFeed),
        ("GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", BareLineFeed),
        ("GET / HTTP/1.1\r\nA: b\r\n\n", BareLineFeed),
        ("GET / HTTP/1.1\rA: b\r\n\r\n", Control),
        ("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", Control),
        ("GET / HTTP/1.1\r\nA: b\0\r\n\r\n", Control),
        ("GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n", Control),
        ("GET / HTTP/1.1\r\nA\x01: b\r\n\r\n", Control),
        ("GET /\x01 HTTP/1.1\r\n\r\n", Control),
        ("GET /\t HTTP/1.1\r\n\r\n", Control),
        ("GET  / HTTP/1.1\r\n\r\n", Line),
        ("GET /  HTTP/1.1\r\n\r\n", Line),
        ("GET / HTTP/1.1 \r\n\r\n", Line),
        (" GET / HTTP/1.1\r\n\r\n", Line),
        ("GET /a b HTTP/1.1\r\n\r\n", Line),
        ("GET /\r\n\r\n", Line),
        ("GET\r\n\r\n", Line),
        ("G(T / HTTP/1.1\r\n\r\n", Line),
        ("GET / http/1.1\r\n\r\n", Line),
        ("GET / HTTP/1.11\r\n\r\n", Line),
        ("GET / HTTP/1.2\r\n\r\n", Version),
        ("GET / HTTP/3.0\r\n\r\n", Version),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Version),
        ("GET /#a HTTP/1.1\r\n\r\n", Fragment),
        ("GET /?a#b HTTP/1.1\r\n\r\n", Fragment),
        ("GET * HTTP/1.1\r\n\r\n", Target),
        ("GET hello HTTP/1.1\r\n\r\n", Target),
        ("GET h:80 HTTP/1.1\r\n\r\n", Target),
        ("OPTIONS *?a HTTP/1.1\r\n\r\n", Target),
        ("GET /\u{e9} HTTP/1.1\r\n\r\n", PathByte),
        ("GET http://\u{e9}/ HTTP/1.1\r\n\r\n", PathByte),
        ("GET / HTTP/1.1\r\nA : b\r\n\r\n", SpaceBeforeColon),
        ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", Folded),
        ("GET / HTTP/1.1\r\n A: b\r\n\r\n", Folded),
        ("GET / HTTP/1.1\r\nA\r\n\r\n", FieldName),
        ("GET / HTTP/1.1\r\n: b\r\n\r\n", FieldName),
        ("GET / HTTP/1.1\r\nA b: c\r\n\r\n", SpaceBeforeColon),
        ("GET / HTTP/1.1\r\nA(b: c\r\n\r\n", FieldName),
        ("GET / HTTP/1.1\r\nA\u{e9}: c\r\n\r\n", FieldName),
        ("\x16\x03\x01\x02", Control),
    ] {
        assert_eq!(parse(wire.as_bytes()), Err(fault), "{wire:?}");
    }
}

#[test]
fn heads_have_limits() {
    let limits = HeadLimits { max_size: 64, max_fields: 2 };
    let parse = |wire: &str| RequestSpans::default().parse(wire.as_bytes(), limits);
    let of_size = |size: usize| {
        let head = "GET / HTTP/1.1\r\nA: ";
        format!("{head}{}\r\n\r\nbody", "b".repeat(size - head.len() - 4))
    };
    assert_eq!(parse(&of_size(64)), Ok(Some(64)));
    assert_eq!(parse(&of_size(65)), Err(RequestFault::HeadTooLarge));
    assert_eq!(parse(&format!("GET /{}", "a".repeat(80))), Err(RequestFault::TargetTooLong));
    let fields = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert_eq!(parse(&fields(2)), Ok(Some(fields(2).len())));
    assert_eq!(parse(&fields(3)), Err(RequestFault::TooManyFields));
}

#[test]
fn framing_and_persistence_of_requests() {
    use RequestFraming::*;
    let get = |fields: &str| facts(&format!("GET / HTTP/1.1\r\n{fields}")).map(|facts| facts.framing);
    assert_eq!(get(""), Ok(None));
    assert_eq!(get("Content-Length: 007\r\n"), Ok(Length(7)));
    assert_eq!(get("Transfer-Encoding:\tCHUNKED \r\n"), Ok(Chunked));
    for (fields, fault) in [
        ("Content-Length: 5\r\nContent-Length: 5\r\n", RequestFault::ContentLength),
        ("Content-Length: 5, 5\r\n", RequestFault::ContentLength),
        ("Content-Length: +5\r\n", RequestFault::ContentLength),
        ("Content-Length:\r\n", RequestFault::ContentLength),
        ("Content-Length: 18446744073709551616\r\n", RequestFault::ContentLength),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", RequestFault::TwoLengths),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", RequestFault::TransferEncoding),
        ("Transfer-Encoding: gzip, chunked\r\n", RequestFault::TransferEncoding),
        ("Transfer-Encoding: \"chunked\"\r\n", RequestFault::TransferEncoding),
        ("Transfer-Encoding:\r\n", RequestFault::TransferEncoding),
        ("Transfer_Encoding: chunked\r\n", RequestFault::DisguisedLength),
        ("content~length: 5\r\n", RequestFault::DisguisedLength),
        ("Expect: 200-ok\r\n", RequestFault::Expectation),
    ] {
        assert_eq!(get(fields), Err(fault), "{fields:?}");
    }
    let old = facts("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n");
    assert_eq!(old, Err(RequestFault::TransferEncoding));
    for (version, fields, persistent) in [
        ("1.1", "", true),
        ("1.1", "Connection: x, CLOSE\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let facts = facts(&format!("GET / HTTP/{version}\r\n{fields}")).unwrap();
        assert_eq!(facts.persistent, persistent, "{version} {fields:?}");
    }
    assert!(facts("GET / HTTP/1.1\r\nExpect: 100-Continue\r\n").unwrap().expects_continue);
    assert!(!facts("GET / HTTP/1.0\r\nExpect: 100-continue\r\n").unwrap().expects_continue);
}

#[test]
fn an_upgrade_is_named_in_connection() {
    for (head, expected) in [
        ("GET / HTTP/1.1\r\nConnection: x, Upgrade\r\nUpgrade: websocket\r\n", Some(&b"websocket"[..])),
        ("GET / HTTP/1.1\r\nUpgrade: websocket\r\n", None),
        ("GET / HTTP/1.1\r\nConnection: upgrade\r\n", None),
        ("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", None),
    ] {
        let wire = format!("{head}\r\n");
        let mut spans = RequestSpans::default();
        spans.parse(wire.as_bytes(), LIMITS).unwrap();
        assert_eq!(spans.in_bytes(wire.as_bytes()).upgrade(), expected, "{head}");
    }
}
