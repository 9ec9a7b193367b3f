use http::{Method, StatusCode, Version};
use proptest::prelude::*;

use super::chunked::ChunkedDecoder;
use super::response::MAX_RESPONSE_FIELDS;
use super::*;
use crate::headers::{Class, Form, HeaderSink as _, RequestView as _};

const LIMITS: HeadLimits = HeadLimits { max_size: 16 * 1024, max_fields: 100 };
const GET: ResponseExpectation = ResponseExpectation { head: false, upgrade: false };
const HEAD: ResponseExpectation = ResponseExpectation { head: true, upgrade: false };
const UPGRADE: ResponseExpectation = ResponseExpectation { head: false, upgrade: true };

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
fn what_two_servers_might_read_in_two_ways_is_refused() {
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

/// The framing of a good response, and whether its connection persists.
fn response(wire: &str, expected: ResponseExpectation) -> Result<(ResponseFraming, bool), ResponseFault> {
    let mut spans = ResponseSpans::default();
    assert_eq!(spans.parse(wire.as_bytes()), Ok(Some(wire.len())), "{wire:?}");
    spans.in_bytes(wire.as_bytes()).facts(expected).map(|facts| (facts.framing, facts.persistent))
}

#[test]
fn where_a_response_ends_and_whether_the_connection_outlives_it() {
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
fn responses_that_are_none() {
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
fn lines_go_on_in_runs_and_repaired() {
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

type Body = (Vec<u8>, Vec<String>, Vec<u8>);

/// What a decoder makes of `wire` when it comes in pieces of these sizes: the data, the trailers as text, and
/// what is left.
fn read(mut decoder: ChunkedDecoder, wire: &[u8], sizes: &[usize]) -> Result<Option<Body>, ChunkFault> {
    let (mut input, mut data) = (Vec::new(), Vec::new());
    let mut rest = wire;
    let mut sizes = sizes.iter().copied().cycle();
    loop {
        let decoded = decoder.decode(&input)?;
        data.extend_from_slice(decoded.data);
        let (consumed, more) = (decoded.consumed, !decoded.data.is_empty());
        if decoded.ended {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let trailers = decoder.trailers();
            let trailers =
                trailers.fields().map(|field| format!("{}={}", text(field.name), text(field.value)));
            return Ok(Some((data, trailers.collect(), [&input[consumed..], rest].concat())));
        }
        input.drain(..consumed);
        if more {
            continue;
        }
        assert!(input.is_empty(), "all input is used");
        if rest.is_empty() {
            return Ok(None);
        }
        let (now, later) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
        input.extend_from_slice(now);
        rest = later;
    }
}

#[test]
fn chunks_are_read_to_the_letter() {
    let whole =
        |data: &str, left: &str| Ok(Some((data.as_bytes().to_vec(), Vec::new(), left.as_bytes().to_vec())));
    let read = |wire: &str, decoder: fn() -> ChunkedDecoder| {
        let at_once = super::tests::read(decoder(), wire.as_bytes(), &[wire.len().max(1)]);
        assert_eq!(super::tests::read(decoder(), wire.as_bytes(), &[1]), at_once, "{wire:?}");
        at_once
    };
    for (wire, data, left) in [
        ("0\r\n\r\n", "", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc", ""),
        ("A\r\n0123456789\r\n00\r\n\r\nHTTP/1.1 ", "0123456789", "HTTP/1.1 "),
        ("3;name=value\r\nabc\r\n0;last\r\n\r\n", "abc", ""),
        ("3 ; a = \"b;\\\"c\" ;d\r\nabc\r\n0\r\n\r\n", "abc", ""),
        ("1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n", "\r\n", ""),
    ] {
        assert_eq!(read(wire, ChunkedDecoder::for_request), whole(data, left), "{wire:?}");
        assert_eq!(read(wire, ChunkedDecoder::for_response), whole(data, left), "{wire:?}");
    }
    // Apache 1.3 and others pad.
    assert_eq!(read("3  \r\nabc\r\n0 \r\n\r\n", ChunkedDecoder::for_response), whole("abc", ""));
    for wire in [
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "+1\r\na\r\n",
        "0x1\r\na\r\n",
        " 1\r\na\r\n",
        ";a\r\n",
        "1\x0c\r\na\r\n",
        "0\x0c\r\n\r\n",
        "1\na\r\n",
        "1\r\nab\r\n",
        "1\r\na\n0\r\n\r\n",
        "1\ra\r\n",
        "1;a\rb\r\na\r\n",
        "11111111111111111\r\n",
        "1;\r\na\r\n",
        "1;a=\r\na\r\n",
        "1;a;;b\r\na\r\n",
        "1;=b\r\na\r\n",
        "1;a b\r\na\r\n",
        "1;a=\"b\r\n",
        "1;a=\"b\"c\r\n",
        "1;a=b\n",
        "1;\na\r\n",
        "1;a\x01\r\n",
        "0\r\nbad trailer\r\n\r\n",
        "0\r\nX : 1\r\n\r\n",
        "0\r\nX: 1\r\n folded\r\n\r\n",
        "0\r\nX: 1\n\r\n",
        "0\n\n",
        "0\r\n\n",
        "0\r\nGET / HTTP/1.1\r\n\r\n",
    ] {
        assert!(read(wire, ChunkedDecoder::for_request).is_err(), "{wire:?}");
        assert!(read(wire, ChunkedDecoder::for_response).is_err(), "{wire:?}");
    }
    assert_eq!(read("3 \r\nabc\r\n0\r\n\r\n", ChunkedDecoder::for_request), Err(ChunkFault::Extension));
    let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(17_000));
    assert_eq!(read(&long, ChunkedDecoder::for_request), Err(ChunkFault::TooLarge));
    let often = "1;abcdefg\r\na\r\n".repeat(2_500);
    assert_eq!(read(&often, ChunkedDecoder::for_request), Err(ChunkFault::TooLarge));
    let many = format!("0\r\n{}\r\n", "a: b\r\n".repeat(65));
    assert_eq!(read(&many, ChunkedDecoder::for_request), Err(ChunkFault::Trailer));
    let endless = format!("0\r\na: {}", "x".repeat(17_000));
    assert_eq!(read(&endless, ChunkedDecoder::for_request), Err(ChunkFault::TooLarge));
    assert_eq!(
        read("1\r\na\r\n0\r\nGrpc-Status: 0\r\nx: y\r\n\r\nleft", ChunkedDecoder::for_request),
        Ok(Some((b"a".to_vec(), vec!["Grpc-Status=0".to_owned(), "x=y".to_owned()], b"left".to_vec())))
    );
}

/// Bytes of which many make a head.
fn heads() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[!-~]{1,9}".prop_map(String::into_bytes),
        proptest::sample::select(vec![
            &b"\r\n"[..],
            b": ",
            b":",
            b" ",
            b"\t",
            b"\n",
            b"\r",
            b"Content-Length: 3",
            b"Transfer-Encoding: chunked",
            b"Connection: close",
            b"Host: a",
            b"\xc3\xa9",
            b"\0",
            b"#",
            b"?",
            b"/",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_both_parsers_accept_of_a_request_they_read_alike(rest in heads()) {
        let wire = [b"GET / HTTP/1.1\r\n", &*rest, b"\r\n\r\n"].concat();
        let mut spans = RequestSpans::default();
        let Ok(Some(size)) = spans.parse(&wire, LIMITS) else { return Ok(()) };
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut other = httparse::Request::new(&mut fields);
        // Ours is the stricter one.
        prop_assert_eq!(other.parse(&wire), Ok(httparse::Status::Complete(size)));
        let head = spans.in_bytes(&wire);
        let ours: Vec<_> = head.fields().map(|field| (field.name, field.value)).collect();
        let theirs: Vec<_> = other.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn what_both_parsers_accept_of_a_response_they_read_alike(rest in heads()) {
        let wire = [b"HTTP/1.1 200 OK\r\n", &*rest, b"\r\n\r\n"].concat();
        let mut spans = ResponseSpans::default();
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut other = httparse::Response::new(&mut fields);
        let (Ok(Some(size)), Ok(httparse::Status::Complete(theirs))) = (spans.parse(&wire), other.parse(&wire)) else {
            return Ok(());
        };
        prop_assert_eq!(size, theirs);
        let head = spans.in_bytes(&wire);
        let ours: Vec<_> = head.fields().map(|field| (field.name, field.value)).collect();
        let theirs: Vec<_> = other.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn no_head_is_read_differently_in_pieces(wire in heads(), cut in 0..200_usize) {
        let (mut whole, mut part) = (RequestSpans::default(), RequestSpans::default());
        let at_once = whole.parse(&wire, LIMITS);
        let cut = cut.min(wire.len());
        match part.parse(&wire[..cut], LIMITS) {
            Ok(None) => {}
            Ok(early) => prop_assert_eq!(Ok(early), at_once),
            Err(_) => prop_assert!(at_once.is_err()),
        }
        let _ = ResponseSpans::default().parse(&wire);
    }

    #[test]
    fn chunks_that_are_written_are_read(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..8),
        sizes in proptest::collection::vec(1..30_usize, 1..8),
        behind in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut wire = Vec::new();
        for chunk in &chunks {
            write_chunk(&mut wire, chunk);
        }
        write_last_chunk(&mut wire);
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(&behind);
        let body = read(ChunkedDecoder::for_request(), &wire, &sizes);
        prop_assert_eq!(body, Ok(Some((chunks.concat(), Vec::new(), behind))));
    }

    #[test]
    fn no_bytes_bring_a_decoder_down(
        wire in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'1'), Just(b'0'), Just(b';')], 0..200),
        sizes in proptest::collection::vec(1..30_usize, 1..8),
    ) {
        let whole = read(ChunkedDecoder::for_request(), &wire, &[wire.len().max(1)]);
        prop_assert_eq!(read(ChunkedDecoder::for_request(), &wire, &sizes), whole);
    }
}
