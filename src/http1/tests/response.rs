//! Heads of responses.

use http::StatusCode;

use super::*;
use crate::headers::{Class, HeaderSink as _};
use crate::http1::response::MAX_RESPONSE_FIELDS;
use crate::http1::*;

/// The framing of a good response, and whether its connection persists.
fn response(wire: &str, expected: ResponseExpectation) -> Result<(ResponseFraming, bool), ResponseFault> {
    let mut spans = ResponseSpans::default();
    assert_eq!(spans.parse(wire.as_bytes()), Ok(Some(wire.len())), "{wire:?}");
    spans.in_bytes(wire.as_bytes()).facts(expected).map(|facts| (facts.framing, facts.persistent))
}

#[test]
fn framing_and_persistence_of_responses() {
    use ResponseFraming::*;
    for (wire, expected, framing, persistent) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", GET, Length(5), true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nContent-Length: 5\r\n\r\n", GET, Length(5), true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5, 05\r\n\r\n", GET, Length(5), true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n", GET, Length(5), false),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive, close\r\n\r\n",
            GET,
            Length(5),
            false,
        ),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\n", GET, Length(5), false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: Keep-Alive\r\n\r\n", GET, Length(5), true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", GET, Chunked, true),
        ("HTTP/1.1 200 OK\r\n\r\n", GET, Close, false),
        ("HTTP/1.1 200 OK\r\nconnection: keep-alive\r\n\r\n", GET, Close, false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", HEAD, None, true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", HEAD, None, true),
        ("HTTP/1.1 200 OK\r\n\r\n", HEAD, None, true),
        ("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", GET, None, true),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", GET, None, true),
        ("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", GET, None, true),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            UPGRADE,
            None,
            false,
        ),
        // RFC 9112 §2.2, §5.1 and §5.2: repaired.
        ("HTTP/1.1 200 OK\nContent-Length : 5\n\n", GET, Length(5), true),
        ("HTTP/1.1 200\r\nTransfer-Encoding\t:chunked\r\n\r\n", GET, Chunked, true),
    ] {
        assert_eq!(response(wire, expected), Ok((framing, persistent)), "{wire:?}");
    }
    for (wire, fault) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
            ResponseFault::TwoLengths,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n", ResponseFault::ContentLength),
        ("HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\n", ResponseFault::ContentLength),
        ("HTTP/1.1 200 OK\r\ncontent-length:\r\n 3\r\n 4\r\n\r\n", ResponseFault::ContentLength),
        ("HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n", ResponseFault::ContentLength),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", ResponseFault::TransferEncoding),
        ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", ResponseFault::TransferEncoding),
        ("HTTP/1.1 101 X\r\nupgrade: x\r\n\r\n", ResponseFault::UnaskedUpgrade),
    ] {
        assert_eq!(response(wire, GET), Err(fault), "{wire:?}");
    }
}

#[test]
fn invalid_responses_are_refused() {
    for (wire, fault) in [
        ("HTTP/2.0 200 OK\r\n\r\n", ResponseFault::NotHttp),
        ("SSH-2.0-OpenSSH\r\n\r\n", ResponseFault::NotHttp),
        ("HTTP/1.1 20 OK\r\n\r\n", ResponseFault::NotHttp),
        ("HTTP/1.1  200 OK\r\n\r\n", ResponseFault::NotHttp),
        ("HTTP/1.1 099 OK\r\n\r\n", ResponseFault::NotHttp),
        ("HTTP/1.1 2000 OK\r\n\r\n", ResponseFault::NotHttp),
        ("HTTP/1.1 200 O\0K\r\n\r\n", ResponseFault::NotHttp),
        ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", ResponseFault::Field),
        ("HTTP/1.1 200 OK\r\na: \0\r\n\r\n", ResponseFault::Field),
        ("HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n", ResponseFault::Field),
        ("HTTP/1.1 200 OK\r\n a: b\r\n\r\n", ResponseFault::Field),
        ("HTTP/1.1 200 OK\r\na b: c\r\n\r\n", ResponseFault::Field),
    ] {
        assert_eq!(ResponseSpans::default().parse(wire.as_bytes()), Err(fault), "{wire:?}");
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_RESPONSE_FIELDS + 1));
    assert_eq!(ResponseSpans::default().parse(many.as_bytes()), Err(ResponseFault::TooManyFields));
    let large = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_RESPONSE_HEAD));
    assert_eq!(ResponseSpans::default().parse(large.as_bytes()), Err(ResponseFault::TooLarge));
}

#[test]
fn lines_are_copied_in_runs_and_repaired() {
    let wire = b"HTTP/1.1 404 Nicht \xc3\xa4 gefunden\r\nServer: A\r\nX-One : 1\r\nDate: now\r\nX-Two: a\r\n \tb  \r\n\tc\r\nX-Three:   d \r\nVia: x\r\n\r\n";
    let mut spans = ResponseSpans::default();
    spans.parse(wire).unwrap();
    let head = spans.in_bytes(wire);
    assert_eq!((head.status(), head.reason()), (StatusCode::NOT_FOUND, &b"Nicht \xc3\xa4 gefunden"[..]));
    let mut out = b"before|".to_vec();
    let mut runs = Runs::new(head.bytes(), &mut out);
    for field in head.fields().filter(|field| field.class != Class::Date) {
        runs.keep(&field);
    }
    runs.finish().extend_from_slice(b"|behind");
    let expected: &[u8] =
        b"before|Server: A\r\nX-One: 1\r\nX-Two: a b   c\r\nX-Three:   d \r\nVia: x\r\n|behind";
    assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
}
