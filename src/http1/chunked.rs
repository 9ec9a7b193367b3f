//! Reads and writes chunked bodies (RFC 9112 §7.1).

use super::fault::ChunkFault;
use super::field::{FieldSpans, Reading, parse_fields};
use super::scan::{NONE, TOKENS};
use crate::headers::Field;

/// The maximum size of all chunk extensions of a body. They are not used in practice.
const MAX_EXTENSIONS: u32 = 16 * 1024;
/// The maximum size of all trailers of a body, and their maximum number.
const MAX_TRAILERS_SIZE: usize = 16 * 1024;
const MAX_TRAILERS: usize = 64;

/// Decodes a chunked body that arrives in pieces. It stores only the trailers.
#[derive(Debug)]
pub(crate) struct ChunkedDecoder {
    within: Within,
    /// The number of extension bytes read so far.
    extensions: u32,
    /// Whether white space may follow a chunk size. Some servers pad chunk sizes with it; clients may not.
    blanks_behind_size: bool,
    trailers: Vec<u8>,
}

/// The position of the decoder within the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// In the digits of a size. The second value is the number of digits read.
    Size(u64, u8),
    /// In white space after a size or an extension.
    Blanks(u64),
    /// After a semicolon, or in the white space after it.
    BeforeName(u64),
    /// In the name of an extension, or in the white space after it.
    Name(u64),
    BehindName(u64),
    /// After an equals sign, or in the white space after it.
    BeforeValue(u64),
    /// In the value of an extension.
    Value(u64),
    /// In a quoted value. [`Self::Escaped`] is the position after a backslash in it.
    Quoted(u64),
    Escaped(u64),
    /// After the CR of a size line.
    SizeEnd(u64),
    Data(u64),
    /// After the data of a chunk, and after the CR there.
    DataEnd,
    DataEndCr,
    Trailers,
    Ended,
}

/// The result of decoding one piece from the beginning of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decoded<'a> {
    /// A piece of the body. It is empty if more input is needed, and at the end of the body.
    pub(crate) data: &'a [u8],
    /// The number of input bytes that were read, including the piece.
    pub(crate) consumed: usize,
    /// Whether the body is complete. The rest of the input does not belong to it.
    pub(crate) ended: bool,
}

impl ChunkedDecoder {
    /// Creates a decoder for the body of a request.
    pub(crate) fn for_request() -> Self {
        Self { within: Within::Size(0, 0), extensions: 0, blanks_behind_size: false, trailers: Vec::new() }
    }

    /// Creates a decoder for the body of a response. It accepts padded chunk sizes, which some servers send.
    pub(crate) fn for_response() -> Self {
        Self { blanks_behind_size: true, ..Self::for_request() }
    }

    /// Decodes the next piece from the beginning of `input`.
    ///
    /// # Errors
    /// Fails if the body is malformed. The bytes after it cannot be trusted.
    pub(crate) fn decode<'a>(&mut self, input: &'a [u8]) -> Result<Decoded<'a>, ChunkFault> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            self.within = match self.within {
                Within::Data(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(input.len() - at);
                    let left = left - here as u64;
                    self.within = if left == 0 { Within::DataEnd } else { Within::Data(left) };
                    let data = input.get(at..at + here).unwrap_or_default();
                    return Ok(Decoded { data, consumed: at + here, ended: false });
                }
                Within::Trailers => {
                    let rest = input.get(at..).unwrap_or_default();
                    let (consumed, ended) = self.take_trailers(rest)?;
                    return Ok(Decoded { data: &[], consumed: at + consumed, ended });
                }
                Within::Ended => return Ok(Decoded { data: &[], consumed: at, ended: true }),
                within => self.step(within, byte)?,
            };
            at += 1;
        }
        Ok(Decoded { data: &[], consumed: at, ended: self.within == Within::Ended })
    }

    /// Processes one byte outside the chunk data.
    fn step(&mut self, within: Within, byte: u8) -> Result<Within, ChunkFault> {
        let token = TOKENS[usize::from(byte)] != NONE;
        let next = match (within, byte) {
            (Within::Size(size, digits), byte) if byte.is_ascii_hexdigit() => {
                if digits == 16 {
                    return Err(ChunkFault::Size);
                }
                let digit = char::from(byte).to_digit(16).ok_or(ChunkFault::Size)?;
                return Ok(Within::Size(size << 4 | u64::from(digit), digits + 1));
            }
            (Within::Size(_, 0), _) => return Err(ChunkFault::Size),
            (Within::Size(size, _) | Within::Name(size) | Within::Value(size), b'\r') => {
                return Ok(Within::SizeEnd(size));
            }
            (Within::Blanks(size), b'\r') if self.blanks_behind_size => return Ok(Within::SizeEnd(size)),
            (Within::SizeEnd(0), b'\n') => return Ok(Within::Trailers),
            (Within::SizeEnd(size), b'\n') => return Ok(Within::Data(size)),
            (Within::DataEnd, b'\r') => return Ok(Within::DataEndCr),
            (Within::DataEndCr, b'\n') => return Ok(Within::Size(0, 0)),
            (Within::SizeEnd(_) | Within::DataEnd | Within::DataEndCr, _) => return Err(ChunkFault::LineEnd),
            // chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
            (
                Within::Size(size, _)
                | Within::Name(size)
                | Within::BehindName(size)
                | Within::Value(size)
                | Within::Blanks(size),
                b';',
            ) => Within::BeforeName(size),
            (Within::Name(size) | Within::BehindName(size), b' ' | b'\t') => Within::BehindName(size),
            (Within::Size(size, _) | Within::Value(size) | Within::Blanks(size), b' ' | b'\t') => {
                Within::Blanks(size)
            }
            (Within::Size(..), _) => return Err(ChunkFault::Size),
            (Within::BeforeName(_) | Within::BeforeValue(_), b' ' | b'\t') => within,
            (Within::BeforeName(size) | Within::Name(size), _) if token => Within::Name(size),
            (Within::Name(size) | Within::BehindName(size), b'=') => Within::BeforeValue(size),
            (Within::BeforeValue(size) | Within::Value(size), _) if token => Within::Value(size),
            (Within::BeforeValue(size), b'"') => Within::Quoted(size),
            (Within::Quoted(size), b'"') => Within::Blanks(size),
            (Within::Quoted(size), b'\\') => Within::Escaped(size),
            (Within::Quoted(size) | Within::Escaped(size), b'\t' | b' '..=b'~' | 0x80..) => {
                Within::Quoted(size)
            }
            _ => return Err(ChunkFault::Extension),
        };
        self.extensions += 1;
        if self.extensions > MAX_EXTENSIONS { Err(ChunkFault::TooLarge) } else { Ok(next) }
    }

    /// Reads the available part of the trailer section. Returns the number of bytes read, and whether the
    /// section is complete.
    fn take_trailers(&mut self, input: &[u8]) -> Result<(usize, bool), ChunkFault> {
        // Nearly every body has an empty trailer section.
        if self.trailers.is_empty() && input.starts_with(b"\r\n") {
            self.within = Within::Ended;
            return Ok((2, true));
        }
        let before = self.trailers.len();
        let room = MAX_TRAILERS_SIZE - before;
        let here = input.get(..room).unwrap_or(input);
        self.trailers.extend_from_slice(here);
        // Only a complete line can end the section or be malformed.
        if !here.contains(&b'\n') && here.len() < room {
            return Ok((here.len(), false));
        }
        let mut fields = FieldSpans::default();
        let end = parse_fields(&self.trailers, 0, Reading::Strict, MAX_TRAILERS, &mut fields)
            .map_err(|_| ChunkFault::Trailer)?;
        match end {
            Some(end) => {
                self.trailers.truncate(end);
                self.within = Within::Ended;
                Ok((end - before, true))
            }
            None if here.len() == room => Err(ChunkFault::TooLarge),
            None => Ok((here.len(), false)),
        }
    }

    /// Returns the trailers of a body that has been read completely.
    pub(crate) fn trailers(&self) -> Trailers<'_> {
        let mut fields = FieldSpans::default();
        if self.within == Within::Ended && !self.trailers.is_empty() {
            // The lines were validated when they were received.
            let _ = parse_fields(&self.trailers, 0, Reading::Strict, MAX_TRAILERS, &mut fields);
        }
        Trailers { bytes: &self.trailers, fields }
    }
}

/// The trailers of a body.
#[derive(Debug, Default)]
pub(crate) struct Trailers<'a> {
    bytes: &'a [u8],
    fields: FieldSpans,
}

impl Trailers<'_> {
    /// Returns all trailers in their order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.in_bytes(self.bytes)
    }
}

/// Appends a chunk. Empty data is skipped, because an empty chunk would end the body.
pub(crate) fn write_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    write_size(out, data.len());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

fn write_size(out: &mut Vec<u8>, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let digit = (size >> (digit * 4) & 0xf) as u8;
        out.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk. The caller then appends the trailer lines, each with its CRLF, and an empty line.
pub(crate) fn write_last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
}
