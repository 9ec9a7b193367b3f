//! The codec, for fuzz targets to feed.

use http::Version;

use super::chunked::ChunkedDecoder;
use super::request::{HeadLimits, RequestFraming, RequestSpans};
use super::response::{Asked, ResponseFraming, ResponseSpans};

/// A header: its name in the sender's case, and its value.
pub type Header = (Vec<u8>, Vec<u8>);

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framed {
    /// There is none.
    None,
    /// After so many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// What was read as a request's head.
#[derive(Debug, PartialEq, Eq)]
pub struct RequestRead {
    /// The method.
    pub method: String,
    /// The version.
    pub version: Version,
    /// The path as it came.
    pub path: String,
    /// The query as it came.
    pub query: Option<Vec<u8>>,
    /// All headers, in their order.
    pub headers: Vec<Header>,
    /// The length of the head in bytes.
    pub size: usize,
    /// How the body is framed, and whether the connection persists, where that is not in doubt.
    pub framing: Option<(Framed, bool)>,
}

/// The head of a request at the beginning of `input`, if it is whole.
///
/// # Errors
/// It is none.
pub fn request_head(input: &[u8]) -> Result<Option<RequestRead>, String> {
    let mut spans = RequestSpans::default();
    let limits = HeadLimits { max_size: 16 * 1024, max_fields: 100 };
    let Some(size) = spans.parse(input, limits).map_err(|fault| fault.to_string())? else { return Ok(None) };
    let head = spans.in_bytes(input);
    let facts = head.facts().ok();
    Ok(Some(RequestRead {
        method: head.method().to_string(),
        version: head.version(),
        path: head.path().to_owned(),
        query: head.query().map(<[u8]>::to_vec),
        headers: head.fields().map(|field| (field.name.to_vec(), field.value.to_vec())).collect(),
        size,
        framing: facts.map(|facts| {
            let framed = match facts.framing {
                RequestFraming::None => Framed::None,
                RequestFraming::Length(length) => Framed::Length(length),
                RequestFraming::Chunked => Framed::Chunked,
            };
            (framed, facts.persistent)
        }),
    }))
}

/// What was read as a response's head.
#[derive(Debug, PartialEq, Eq)]
pub struct ResponseRead {
    /// The status.
    pub status: u16,
    /// The reason phrase as it came.
    pub reason: Vec<u8>,
    /// All headers, in their order; folded values as one line.
    pub headers: Vec<Header>,
    /// The length of the head in bytes.
    pub size: usize,
    /// How the body is framed, and whether the connection persists.
    pub framing: (Framed, bool),
}

/// The head of a response at the beginning of `input`, if it is whole, as the response to a HEAD request or to an
/// upgrade.
///
/// # Errors
/// It is none that could be passed on.
pub fn response_head(input: &[u8], head: bool, upgrade: bool) -> Result<Option<ResponseRead>, String> {
    let mut spans = ResponseSpans::default();
    let Some(size) = spans.parse(input).map_err(|fault| fault.to_string())? else { return Ok(None) };
    let read = spans.in_bytes(input);
    let facts = read.facts(Asked { head, upgrade }).map_err(|fault| fault.to_string())?;
    let headers = read.fields().map(|field| {
        let mut value = Vec::new();
        field.write_value(&mut value);
        (field.name.to_vec(), value)
    });
    let framed = match facts.framing {
        ResponseFraming::None => Framed::None,
        ResponseFraming::Length(length) => Framed::Length(length),
        ResponseFraming::Chunked => Framed::Chunked,
        ResponseFraming::Close => Framed::Close,
    };
    Ok(Some(ResponseRead {
        status: read.status().as_u16(),
        reason: read.reason().to_vec(),
        headers: headers.collect(),
        size,
        framing: (framed, facts.persistent),
    }))
}

/// What was read of a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub struct ChunkedRead {
    /// The data up to where reading stopped.
    pub data: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<Header>,
    /// Why it stopped.
    pub end: ChunkedEnd,
}

/// Why a reader stopped.
#[derive(Debug, PartialEq, Eq)]
pub enum ChunkedEnd {
    /// The body is whole, and so many bytes are left.
    Whole(usize),
    /// It is no chunked body.
    Refused,
    /// There is more to come.
    Unfinished,
}

/// Reads a chunked body of a request (`strict`) or of a response that comes in these pieces.
pub fn chunked_body<'a>(strict: bool, pieces: impl IntoIterator<Item = &'a [u8]>) -> ChunkedRead {
    let mut decoder = if strict { ChunkedDecoder::for_request() } else { ChunkedDecoder::for_response() };
    let mut body = ChunkedRead { data: Vec::new(), trailers: Vec::new(), end: ChunkedEnd::Unfinished };
    let mut pieces = pieces.into_iter();
    while let Some(mut piece) = pieces.next() {
        loop {
            let Ok(decoded) = decoder.decode(piece) else {
                body.end = ChunkedEnd::Refused;
                return body;
            };
            body.data.extend_from_slice(decoded.data);
            piece = piece.get(decoded.consumed..).unwrap_or_default();
            if decoded.ended {
                let trailers = decoder.trailers();
                body.trailers =
                    trailers.fields().map(|field| (field.name.to_vec(), field.value.to_vec())).collect();
                body.end = ChunkedEnd::Whole(piece.len() + pieces.map(<[u8]>::len).sum::<usize>());
                return body;
            }
            if decoded.data.is_empty() {
                break;
            }
        }
    }
    body
}
