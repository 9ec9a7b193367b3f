//! A chunked body of any bytes: read to the letter of RFC 9112 §7.1, however it is cut.

use crate::hyper_server::served;
use crate::readers::pieces;
use tollgate::fuzzing::{ChunkedBody, ChunkedEnd, chunked_body, encoded};

/// The data and what is left of a body whose trailers, if any, are looked at by length alone.
fn reference(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut data = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let (line, behind) = (&rest[..end], &rest[end + 2..]);
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
            return None;
        }
        let size = line.split(|byte| *byte == b';').next()?;
        let blanks = size.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let size = &size[..size.len() - blanks];
        if size.len() > 16 || !size.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            return Some((data, behind));
        }
        if behind.get(size..size.checked_add(2)?)? != b"\r\n" {
            return None;
        }
        data.extend_from_slice(&behind[..size]);
        rest = &behind[size + 2..];
    }
}

/// Tries one input.
pub fn run(input: (Vec<u8>, &[u8])) {
    let (sizes, bytes) = input;
    for request in [true, false] {
        let body = chunked_body([bytes], request);
        let cut = chunked_body(pieces(bytes, &sizes), request);
        match (&body.end, &cut.end) {
            // Neither is whole. How much had been read when the fault was seen depends on the cuts.
            (ChunkedEnd::Malformed(_) | ChunkedEnd::Cut, ChunkedEnd::Malformed(_) | ChunkedEnd::Cut) => {}
            _ => assert_eq!(cut, body),
        }
        if let ChunkedBody { data, trailers, end: ChunkedEnd::Whole(left) } = &body {
            let (expected, behind) = reference(bytes).expect("what is read as whole is well-formed");
            assert_eq!(*data, expected);
            let section = &behind[..behind.len() - left];
            assert_eq!(trailers.is_empty(), section == b"\r\n");
            assert!(section.ends_with(b"\r\n"));
            if request {
                as_hyper(bytes, &body);
            }
        } else if let Some((data, behind)) = reference(bytes) {
            // Extensions that are malformed and, in a request, white space behind a size are all that is
            // refused.
            let lines = |wanted: fn(&u8) -> bool| bytes.iter().any(wanted);
            let strict = lines(|byte| *byte == b';') || request && lines(|byte| matches!(byte, b' ' | b'\t'));
            assert!(behind != b"\r\n" || strict || body.data == data && data.is_empty(), "{:?}", body.end);
        }
    }
    // What is written is what is read.
    let mut wire = encoded(pieces(bytes, &sizes));
    wire.extend_from_slice(b"HTTP/1.1");
    for request in [true, false] {
        let body = chunked_body(pieces(&wire, &sizes), request);
        assert!(body.data == bytes && body.trailers.is_empty() && body.end == ChunkedEnd::Whole(8));
    }
}

/// hyper reads the same from it, where it reads it at all: its bounds on extensions and trailers are lower.
fn as_hyper(bytes: &[u8], body: &ChunkedBody) {
    let wire = [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", bytes].concat();
    if let Some(theirs) = served(&wire).into_iter().next() {
        assert_eq!(theirs.body, body.data);
        assert_eq!(theirs.trailers.len(), body.trailers.len());
    }
}
