//! Exposes the codec to the fuzz targets as plain values, which they compare with the results of other
//! parsers.

use http::Version;

use super::chunked::{ChunkedDecoder, write_chunk, write_last_chunk};
use super::{HeadLimits, RequestFraming, RequestSpans, ResponseExpectation, ResponseFraming, ResponseSpans};
use crate::headers::Field;

const LIMITS: HeadLimits = HeadLimits { max_size: 16 * 1024, max_fields: 100 };

/// The name and value of a header line as received.
pub type Line = (Vec<u8>, Vec<u8>);

/// The framing of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framed {
    /// There is no body.
    None,
    /// The body has this many bytes.
    Length(u64),
    /// The body is chunked.
    Chunked,
    /// The body extends to the end of the connection.
    ToTheEnd,
}

/// The parsed head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRead {
    /// The size of the head in bytes.
    pub size: usize,
    /// The method.
    pub method: String,
    /// The path, without scheme and authority of the target.
    pub path: String,
    /// The part of the target after the question mark.
    pub query: Option<Vec<u8>>,
    /// The minor version.
    pub minor: u8,
    /// All headers.
    pub lines: Vec<Line>,
    /// The framing and the persistence, or the name of the fault.
    pub facts: Result<(Framed, bool), String>,
}

/// The parsed head of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseRead {
    /// The size of the head in bytes.
    pub size: usize,
    /// The status.
    pub status: u16,
    /// The reason phrase.
    pub reason: Vec<u8>,
    /// The minor version.
    pub minor: u8,
    /// All headers.
    pub lines: Vec<Line>,
    /// The lines of all headers as they are sent to the client.
    pub written: Vec<u8>,
    /// The framing and the persistence, or the name of the fault.
    pub facts: Result<(Framed, bool), String>,
}

fn minor(version: Version) -> u8 {
    u8::from(version == Version::HTTP_11)
}

fn lines<'a>(fields: impl Iterator<Item = Field<'a>>) -> Vec<Line> {
    fields.map(|field| (field.name.to_vec(), field.value.to_vec())).collect()
}

/// Parses the head of a request. Returns `None` if the head is incomplete.
///
/// # Errors
/// Returns the name of the fault.
pub fn request_head(bytes: &[u8]) -> Result<Option<RequestRead>, String> {
    let mut spans = RequestSpans::default();
    let Some(size) = spans.parse(bytes, LIMITS).map_err(|fault| format!("{fault:?}"))? else {
        return Ok(None);
    };
    let head = spans.in_bytes(bytes);
    let facts = head.facts().map_err(|fault| format!("{fault:?}")).map(|facts| {
        let framed = match facts.framing {
            RequestFraming::None => Framed::None,
            RequestFraming::Length(length) => Framed::Length(length),
            RequestFraming::Chunked => Framed::Chunked,
        };
        (framed, facts.persistent)
    });
    Ok(Some(RequestRead {
        size,
        method: head.method().to_string(),
        path: head.path().to_owned(),
        query: head.query().map(<[u8]>::to_vec),
        minor: minor(head.version()),
        lines: lines(head.fields()),
        facts,
    }))
}

/// Parses the head of a response. `head` says whether the request was a HEAD request, `upgrade` whether it
/// asked for an upgrade. Returns `None` if the head is incomplete.
///
/// # Errors
/// Returns the name of the fault.
pub fn response_head(bytes: &[u8], head: bool, upgrade: bool) -> Result<Option<ResponseRead>, String> {
    let mut spans = ResponseSpans::default();
    let Some(size) = spans.parse(bytes).map_err(|fault| format!("{fault:?}"))? else { return Ok(None) };
    let read = spans.in_bytes(bytes);
    let facts = read.facts(ResponseExpectation { head, upgrade }).map_err(|fault| format!("{fault:?}")).map(
        |facts| {
            let framed = match facts.framing {
                ResponseFraming::None => Framed::None,
                ResponseFraming::Length(length) => Framed::Length(length),
                ResponseFraming::Chunked => Framed::Chunked,
                ResponseFraming::Close => Framed::ToTheEnd,
            };
            (framed, facts.persistent)
        },
    );
    let mut written = Vec::new();
    for field in read.fields() {
        field.write(&mut written);
    }
    Ok(Some(ResponseRead {
        size,
        status: read.status().as_u16(),
        reason: read.reason().to_vec(),
        minor: minor(read.version()),
        lines: lines(read.fields()),
        written,
        facts,
    }))
}

/// A chunked body, up to the point where decoding stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkedBody {
    /// The data of the chunks.
    pub data: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<Line>,
    /// The reason why decoding stopped.
    pub end: ChunkedEnd,
}

/// The reason why decoding a chunked body stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkedEnd {
    /// The body is complete, and this many bytes follow it.
    Whole(usize),
    /// The body is malformed. The value is the name of the fault.
    Malformed(String),
    /// The body is incomplete.
    Cut,
}

/// Decodes the chunked body of a request or of a response, piece by piece.
pub fn chunked_body<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, request: bool) -> ChunkedBody {
    let mut decoder = if request { ChunkedDecoder::for_request() } else { ChunkedDecoder::for_response() };
    let mut body = ChunkedBody { data: Vec::new(), trailers: Vec::new(), end: ChunkedEnd::Cut };
    let mut pieces = pieces.into_iter();
    while let Some(mut input) = pieces.next() {
        loop {
            let decoded = match decoder.decode(input) {
                Ok(decoded) => decoded,
                Err(fault) => {
                    body.end = ChunkedEnd::Malformed(format!("{fault:?}"));
                    return body;
                }
            };
            body.data.extend_from_slice(decoded.data);
            input = &input[decoded.consumed..];
            if decoded.ended {
                body.trailers = lines(decoder.trailers().fields());
                body.end = ChunkedEnd::Whole(input.len() + pieces.map(<[u8]>::len).sum::<usize>());
                return body;
            }
            if decoded.data.is_empty() {
                assert!(input.is_empty(), "all input is used");
                break;
            }
        }
    }
    body
}

/// Encodes each piece as a chunk, without trailers.
pub fn encoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut wire = Vec::new();
    for piece in pieces {
        write_chunk(&mut wire, piece);
    }
    write_last_chunk(&mut wire);
    wire.extend_from_slice(b"\r\n");
    wire
}
