use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, VIA};
use http::{StatusCode, Version};
use proptest::prelude::*;

use super::chunked::{Chunked, Step};
use super::fault::Fault;
use super::response::{Answer, AnswerBody, ResponseExpectation, take_head};
use crate::headers::ResponseError;

const GET: ResponseExpectation = ResponseExpectation { head: false, upgrade: false };
const HEAD: ResponseExpectation = ResponseExpectation { head: true, upgrade: false };
const UPGRADE: ResponseExpectation = ResponseExpectation { head: false, upgrade: true };

fn answer(wire: &str, asked: ResponseExpectation) -> Result<Option<Answer>, Fault> {
    take_head(&mut BytesMut::from(wire), asked)
}

/// The framing of a good answer's body, and whether its connection persists.
fn framed(wire: &str, asked: ResponseExpectation) -> (String, bool) {
    let answer = answer(wire, asked).expect("an answer").expect("a whole one");
    let body = match answer.body {
        AnswerBody::Length(length) => length.to_string(),
        AnswerBody::Chunked(_) => "chunked".to_owned(),
        AnswerBody::ToTheEnd => "to the end".to_owned(),
    };
    (body, answer.persists)
}

#[test]
fn a_head_is_taken_once_it_is_whole_and_the_body_is_left() {
    let wire = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nKeep-Alive: 5\r\n\r\nabc";
    for cut in 0..wire.len() - 3 {
        let mut input = BytesMut::from(wire.get(..cut).expect("ASCII"));
        let taken = take_head(&mut input, GET).expect("no fault");
        assert!(taken.is_none(), "{cut}");
        assert_eq!(input.len(), cut);
    }
    let mut input = BytesMut::from(wire);
    let answer = take_head(&mut input, GET).expect("no fault").expect("whole");
    assert_eq!(&*input, b"abc");
    assert_eq!(answer.head.status(), StatusCode::OK);
    assert_eq!(answer.head.version(), Version::HTTP_11);
    let headers = answer.head.headers();
    assert_eq!(headers.len(), 3);
    assert_eq!(headers.get(CONTENT_TYPE).expect("a type"), "text/plain");
    assert_eq!(headers.get(CONTENT_LENGTH).expect("a length"), "3");
    assert_eq!(headers.get(VIA).expect("a Via"), "1.1 tollgate");
}

#[test]
fn where_a_body_ends_and_whether_the_connection_outlives_it() {
    for (wire, asked, body, persists) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", GET, "5", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n", GET, "5", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive, close\r\n\r\n", GET, "5", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\n", GET, "5", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: Keep-Alive\r\n\r\n", GET, "5", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", GET, "chunked", true),
        ("HTTP/1.1 200 OK\r\n\r\n", GET, "to the end", false),
        ("HTTP/1.1 200 OK\r\nconnection: keep-alive\r\n\r\n", GET, "to the end", false),
        // RFC 9112 §6.3: whatever the headers say.
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", HEAD, "0", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", HEAD, "0", true),
        ("HTTP/1.1 200 OK\r\n\r\n", HEAD, "0", true),
        ("HTTP/1.1 204 No Content\r\n\r\n", GET, "0", true),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", GET, "0", true),
        ("HTTP/1.1 100 Continue\r\n\r\n", GET, "to the end", false),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            UPGRADE,
            "0",
            false,
        ),
    ] {
        assert_eq!(framed(wire, asked), (body.to_owned(), persists), "{wire}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_no_answer() {
    use ResponseError::*;
    for (headers, want) in [
        ("content-length: 3\r\ntransfer-encoding: chunked\r\n", TwoLengths),
        ("content-length: 3\r\ncontent-length: 3\r\n", ContentLength),
        ("content-length: +3\r\n", ContentLength),
        ("content-length: 3, 3\r\n", ContentLength),
        ("content-length:\r\n", ContentLength),
        ("content-length: 99999999999999999999\r\n", ContentLength),
        ("transfer-encoding: gzip, chunked\r\n", TransferEncoding),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", TransferEncoding),
    ] {
        match answer(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n"), GET) {
            Err(Fault::Framing(error)) => assert_eq!(error, want, "{headers}"),
            _ => panic!("{headers} was taken"),
        }
    }
    for wire in [
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nname : value\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: \0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        // Nobody asked for it.
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ] {
        assert!(answer(wire, GET).is_err(), "{wire}");
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    assert!(answer(&many, GET).is_err());
    let large = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(66 * 1024));
    assert!(answer(&large, GET).is_err());
    assert!(answer(large.get(..65 * 1024).expect("ASCII"), GET).is_err());
}

type Body = (Vec<u8>, Vec<String>, Vec<u8>);

/// What a reader of `wire` makes of it when it comes in pieces of these sizes: the data, the trailers as text, and
/// what is left.
fn read(wire: &[u8], sizes: &[usize]) -> Result<Body, &'static str> {
    let (mut chunked, mut input) = (Chunked::default(), BytesMut::new());
    let (mut data, mut trailers) = (Vec::new(), Vec::new());
    let mut rest = wire;
    let mut sizes = sizes.iter().copied().cycle();
    loop {
        match chunked.step(&mut input)? {
            Step::Data(piece) => data.extend_from_slice(&piece),
            Step::Trailers(found) => trailers.extend(
                found.iter().map(|(name, value)| format!("{name}={}", value.to_str().expect("text"))),
            ),
            Step::End => return Ok((data, trailers, [&input, rest].concat())),
            Step::More if rest.is_empty() => return Err("unfinished"),
            Step::More => {
                let (now, later) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
                input.extend_from_slice(now);
                rest = later;
            }
        }
    }
}

#[test]
fn chunks_are_read_to_the_letter() {
    let read = |wire: &str| read(wire.as_bytes(), &[wire.len()]);
    let data = |text: &str, left: &str| Ok((text.as_bytes().to_vec(), Vec::new(), left.as_bytes().to_vec()));
    for (wire, text, left) in [
        ("0\r\n\r\n", "", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc", ""),
        ("A\r\n0123456789\r\n00\r\n\r\nHTTP/1.1 ", "0123456789", "HTTP/1.1 "),
        ("3;name=value\r\nabc\r\n0;last\r\n\r\n", "abc", ""),
        ("3 \r\nabc\r\n0\r\n\r\n", "abc", ""),
        ("1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n", "\r\n", ""),
    ] {
        assert_eq!(read(wire), data(text, left), "{wire:?}");
    }
    for wire in [
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        " 1\r\na\r\n0\r\n\r\n",
        ";a\r\n",
        "1\x0c\r\na\r\n0\r\n\r\n",
        "0\x0c\r\n\r\n",
        "1\na\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "1;a\rb\r\na\r\n0\r\n\r\n",
        "11111111111111111\r\n",
        "0\r\nbad trailer\r\n\r\n",
    ] {
        let got = read(wire);
        assert!(got.is_err() && got != Err("unfinished"), "{wire:?}: {got:?}");
    }
    let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(2000));
    assert!(read(&long).is_err());
    let endless = "1;".to_owned() + &"x".repeat(2000);
    assert_ne!(read(&endless), Err("unfinished"));
    let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(65));
    assert!(read(&trailers).is_err());
    let endless = "0\r\na: ".to_owned() + &"x".repeat(17 * 1024);
    assert_ne!(read(&endless), Err("unfinished"));
    assert_eq!(
        read("1\r\na\r\n0\r\nGrpc-Status: 0\r\nx: y\r\n\r\n"),
        Ok((b"a".to_vec(), vec!["grpc-status=0".to_owned(), "x=y".to_owned()], Vec::new()))
    );
}

proptest! {
    #[test]
    fn however_a_chunked_body_is_cut_it_reads_the_same(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..8),
        sizes in proptest::collection::vec(1..30_usize, 1..8),
        behind in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut wire = Vec::new();
        for chunk in &chunks {
            wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"0\r\n\r\n");
        wire.extend_from_slice(&behind);
        prop_assert_eq!(read(&wire, &sizes), Ok((chunks.concat(), Vec::new(), behind)));
    }

    #[test]
    fn no_bytes_bring_a_reader_down(
        wire in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'1')], 0..200),
        sizes in proptest::collection::vec(1..30_usize, 1..8),
    ) {
        let whole = read(&wire, &[wire.len().max(1)]);
        prop_assert_eq!(read(&wire, &sizes), whole);
        let head = [b"HTTP/1.1 200 OK\r\n", &*wire].concat();
        let _ = take_head(&mut BytesMut::from(&*head), GET);
        let _ = take_head(&mut BytesMut::from(Bytes::from(wire)), GET);
    }
}
