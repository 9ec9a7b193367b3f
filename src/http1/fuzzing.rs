//! What the fuzz targets see of the codec: plain values to compare with what other parsers read.

use http::Version;

use super::chunked::{ChunkedDecoder, write_chunk, write_last_chunk};
use super::{Asked, HeadLimits, RequestFraming, RequestSpans, ResponseFraming, ResponseSpans};
use crate::headers::Field;

const LIMITS: HeadLimits = HeadLimits { max_size: 16 * 1024, max_fields: 100 };

/// Name and value of a header line, as they came.
pub type Line = (Vec<u8>, Vec<u8>);

/// How a body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framed {
    /// There is none.
    None,
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
    /// Up to the end of the connection.
    ToTheEnd,
}

/// The head of a request, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRead {
    /// How many bytes it has.
    pub size: usize,
    /// The method.
    pub method: String,
    /// Scheme and authority of the target are left out.
    pub path: String,
    /// What is behind the question mark.
    pub query: Option<Vec<u8>>,
    /// The minor version.
    pub minor: u8,
    /// All headers.
    pub lines: Vec<Line>,
    /// Framing and persistence, or the name of the fault.
    pub facts: Result<(Framed, bool), String>,
}

/// The head of a response, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseRead {
    /// How many bytes it has.
    pub size: usize,
    /// The status.
    pub status: u16,
    /// The reason phrase.
    pub reason: Vec<u8>,
    /// The minor version.
    pub minor: u8,
    /// All headers.
    pub lines: Vec<Line>,
    /// The lines of all headers as they go to the client.
    pub written: Vec<u8>,
    /// Framing and persistence, or the name of the fault.
    pub facts: Result<(Framed, bool), String>,
}

fn minor(version: Version) -> u8 {
    u8::from(version == Version::HTTP_11)
}

fn lines<'a>(fields: impl Iterator<Item = Field<'a>>) -> Vec<Line> {
    fields.map(|field| (field.name.to_vec(), field.value.to_vec())).collect()
}

/// Reads a request's head. `None` while its end has not come.
///
/// # Errors
/// The name of the fault.
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

/// Reads the head of a response to a request with the method HEAD or another, with an upgrade or without. `None` while
/// its end has not come.
///
/// # Errors
/// The name of the fault.
pub fn response_head(bytes: &[u8], head: bool, upgrade: bool) -> Result<Option<ResponseRead>, String> {
    let mut spans = ResponseSpans::default();
    let Some(size) = spans.parse(bytes).map_err(|fault| format!("{fault:?}"))? else { return Ok(None) };
    let read = spans.in_bytes(bytes);
    let facts = read.facts(Asked { head, upgrade }).map_err(|fault| format!("{fault:?}")).map(|facts| {
        let framed = match facts.framing {
            ResponseFraming::None => Framed::None,
            ResponseFraming::Length(length) => Framed::Length(length),
            ResponseFraming::Chunked => Framed::Chunked,
            ResponseFraming::Close => Framed::ToTheEnd,
        };
        (framed, facts.persistent)
    });
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

/// A chunked body, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkedBody {
    /// What the chunks hold.
    pub data: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<Line>,
    /// How it ended.
    pub end: ChunkedEnd,
}

/// How reading a chunked body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkedEnd {
    /// It was whole, with so many bytes left over behind it.
    Whole(usize),
    /// It is malformed: the name of the fault.
    Malformed(String),
    /// More was to come.
    Cut,
}

/// Reads the chunked body of a request or of a response, piece by piece.
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

/// The pieces as chunks, without trailers.
pub fn encoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut wire = Vec::new();
    for piece in pieces {
        write_chunk(&mut wire, piece);
    }
    write_last_chunk(&mut wire);
    wire.extend_from_slice(b"\r\n");
    wire
}
