//! A chunked body of any bytes: read to the letter of RFC 9112 §7.1, however it is cut.

use crate::readers::pieces;
use tollgate::fuzzing::{ChunkedBody, ChunkedEnd, chunked_body};

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
    let body = chunked_body([bytes]);
    assert_eq!(chunked_body(pieces(bytes, &sizes)), body);
    if let ChunkedBody { data, trailers, end: ChunkedEnd::Whole(left) } = &body {
        let (expected, behind) = reference(bytes).expect("what is read as whole is well-formed");
        assert_eq!(*data, expected);
        let section = &behind[..behind.len() - left];
        assert_eq!(trailers.is_empty(), matches!(section, b"\r\n" | b"\n"));
        assert!(section.ends_with(b"\n"));
    } else if let Some((data, behind)) = reference(bytes) {
        assert!(behind != b"\r\n" && body.data == data);
    }
    // What is written is what is read.
    let mut wire = Vec::new();
    for chunk in pieces(bytes, &sizes) {
        wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\nHTTP/1.1");
    let body = chunked_body(pieces(&wire, &sizes));
    assert!(body.data == bytes && body.trailers.is_empty() && body.end == ChunkedEnd::Whole(8));
}
