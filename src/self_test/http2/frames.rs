//! Frames (RFC 9113 §4.1) and header blocks without compression (RFC 7541 §6.2.2).

/// The bytes with which a client begins a connection (RFC 9113 §3.4).
pub(in crate::self_test) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The number of bytes before the payload of a frame.
pub(super) const HEAD: usize = 9;
/// The largest payload that every server accepts (RFC 9113 §4.2).
const MAX_PAYLOAD: usize = 16 * 1024;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PING: u8 = 6;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;

/// The stream of a request, if the attack is not about streams.
pub(super) const STREAM: u32 = 1;

/// A field as bytes: it may contain what no text may contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::self_test) struct RawField {
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl RawField {
    pub(super) fn new(name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// Encodes a frame. The payload has less than 16 MiB.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [length.get(1..).unwrap_or_default(), &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Encodes a header block.
pub(super) fn block(fields: &[RawField]) -> Vec<u8> {
    let mut block = Vec::new();
    for RawField { name, value } in fields {
        // A literal without indexing, whose name is a literal as well.
        block.push(0);
        for text in [name, value] {
            integer(&mut block, text.len());
            block.extend_from_slice(text);
        }
    }
    block
}

/// Encodes an integer with a prefix of seven bits (RFC 7541 §5.1). The bit before it is zero: the text that
/// follows is not in the Huffman code.
pub(super) fn integer(block: &mut Vec<u8>, value: usize) {
    if let Ok(short @ 0..127) = u8::try_from(value) {
        block.push(short);
        return;
    }
    block.push(127);
    let mut rest = value - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// Encodes the head of a request. `end` says whether the request ends with it.
pub(super) fn head(block: &[u8], end: bool) -> Vec<u8> {
    let end = if end { END_STREAM } else { 0 };
    let mut parts = block.chunks(MAX_PAYLOAD).peekable();
    let first = parts.next().unwrap_or_default();
    let last = |is_last: bool| if is_last { END_HEADERS } else { 0 };
    let mut bytes = frame(HEADERS, end | last(parts.peek().is_none()), STREAM, first);
    while let Some(part) = parts.next() {
        bytes.extend(frame(CONTINUATION, last(parts.peek().is_none()), STREAM, part));
    }
    bytes
}

/// Encodes a request without a body.
pub(in crate::self_test) fn request(fields: &[RawField]) -> Vec<u8> {
    head(&block(fields), true)
}

/// Encodes a request with a body.
pub(in crate::self_test) fn request_with_body(fields: &[RawField], body: &[u8]) -> Vec<u8> {
    [head(&block(fields), false), frame(DATA, END_STREAM, STREAM, body)].concat()
}
