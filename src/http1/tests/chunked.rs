//! Chunked bodies.

use proptest::prelude::*;

use crate::http1::chunked::ChunkedDecoder;
use crate::http1::*;

type Body = (Vec<u8>, Vec<String>, Vec<u8>);

/// Decodes `wire` in pieces of these sizes. Returns the data, the trailers as text, and the bytes that follow
/// the body.
fn decode(mut decoder: ChunkedDecoder, wire: &[u8], sizes: &[usize]) -> Result<Option<Body>, ChunkFault> {
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
fn chunks_are_read_strictly() {
    let whole =
        |data: &str, left: &str| Ok(Some((data.as_bytes().to_vec(), Vec::new(), left.as_bytes().to_vec())));
    let read = |wire: &str, decoder: fn() -> ChunkedDecoder| {
        let at_once = decode(decoder(), wire.as_bytes(), &[wire.len().max(1)]);
        assert_eq!(decode(decoder(), wire.as_bytes(), &[1]), at_once, "{wire:?}");
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
    // Apache 1.3 and others pad the size.
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

proptest! {
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
        let body = decode(ChunkedDecoder::for_request(), &wire, &sizes);
        prop_assert_eq!(body, Ok(Some((chunks.concat(), Vec::new(), behind))));
    }

    #[test]
    fn no_bytes_break_a_decoder(
        wire in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'1'), Just(b'0'), Just(b';')], 0..200),
        sizes in proptest::collection::vec(1..30_usize, 1..8),
    ) {
        let whole = decode(ChunkedDecoder::for_request(), &wire, &[wire.len().max(1)]);
        prop_assert_eq!(decode(ChunkedDecoder::for_request(), &wire, &sizes), whole);
    }
}
