//! A server's answer: its head, and its body bit by bit.

use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use http_body::SizeHint;

use super::chunked::Chunked;
use super::fault::Fault;
use crate::headers::{AnswerFraming, AnswerHeaders, Persistence};

/// The most headers that an answer may have.
const MAX_HEADERS: usize = 100;
/// The largest head.
pub(crate) const MAX_HEAD: usize = 64 * 1024;

/// What the server was asked, as far as its answer depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResponseExpectation {
    /// HEAD: whatever the answer's head says, there is no body.
    pub(crate) head: bool,
    /// An upgrade.
    pub(crate) upgrade: bool,
}

/// An answer without its body: fit for the client, and what is known about the rest.
pub(crate) struct Answer {
    /// With `Via`, and without what was meant for the gateway alone.
    pub(crate) head: Response<()>,
    pub(crate) body: AnswerBody,
    /// Whether the connection can be used again once the body has been read.
    pub(crate) persists: bool,
}

/// The head at the beginning of `input`, once it is whole; it is taken out then. An interim answer's is one, too.
pub(crate) fn take_head(input: &mut BytesMut, asked: ResponseExpectation) -> Result<Option<Answer>, Fault> {
    let Some(Parsed { size, status, version, fields }) = parse(input)? else { return Ok(None) };
    let head = input.split_to(size).freeze();
    let upgraded = status == StatusCode::SWITCHING_PROTOCOLS;
    if upgraded && !asked.upgrade {
        // The rest of the connection would be read as something that was never authorised.
        return Err(Fault::Bad("101 to a request that asked for no upgrade"));
    }

    let mut response = Response::new(());
    *response.status_mut() = status;
    // One more for `Via`.
    let mut headers = HeaderMap::with_capacity(fields.len() + 1);
    let mut seen = AnswerHeaders::new(upgraded);
    for (name, value) in fields {
        let name = head.get(name).and_then(|name| HeaderName::from_bytes(name).ok());
        let name = name.ok_or(Fault::Bad("a malformed header name"))?;
        let value = HeaderValue::from_maybe_shared(head.slice(value));
        let value = value.map_err(|_| Fault::Bad("a malformed header value"))?;
        if seen.take(&name, &value).map_err(Fault::Framing)? {
            headers.append(name, value);
        }
    }
    let framing = seen.finish(&mut headers, version).map_err(Fault::Framing)?;
    *response.headers_mut() = headers;

    // RFC 9112 §6.3.
    let bodiless = asked.head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let body = match framing {
        _ if bodiless || upgraded => AnswerBody::Length(0),
        AnswerFraming::Chunked => AnswerBody::Chunked(Chunked::default()),
        AnswerFraming::Length(length) => AnswerBody::Length(length),
        AnswerFraming::Unsaid => AnswerBody::ToTheEnd,
    };
    let persists = match seen.persistence() {
        _ if upgraded || matches!(body, AnswerBody::ToTheEnd) => false,
        Some(persistence) => persistence == Persistence::KeepAlive,
        None => version == Version::HTTP_11,
    };
    Ok(Some(Answer { head: response, body, persists }))
}

struct Parsed {
    size: usize,
    status: StatusCode,
    version: Version,
    /// Where the names and values are.
    fields: Vec<(Range<usize>, Range<usize>)>,
}

/// The head at the beginning of `input`.
fn parse(input: &[u8]) -> Result<Option<Parsed>, Fault> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let size = match httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        input,
        &mut fields,
    ) {
        Ok(httparse::Status::Complete(size)) if size <= MAX_HEAD => size,
        Ok(httparse::Status::Partial) if input.len() < MAX_HEAD => return Ok(None),
        Ok(_) => return Err(Fault::Bad("a head that is too large")),
        Err(httparse::Error::TooManyHeaders) => return Err(Fault::Bad("too many headers")),
        Err(_) => return Err(Fault::Bad("not HTTP")),
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Fault::Bad("a malformed status"))?;
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let start = input.as_ptr().addr();
    let span = |part: &[u8]| {
        let begin = part.as_ptr().addr() - start;
        begin..begin + part.len()
    };
    let fields =
        parsed.headers.iter().map(|field| (span(field.name.as_bytes()), span(field.value))).collect();
    Ok(Some(Parsed { size, status, version, fields }))
}

/// The body of an answer, and how much of it is still to come.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// So many bytes.
    Length(u64),
    Chunked(Chunked),
    /// Until the server closes.
    ToTheEnd,
}

impl AnswerBody {
    /// Whether nothing is left of it.
    pub(crate) fn is_ended(&self) -> bool {
        matches!(self, Self::Length(0))
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Length(left) => SizeHint::with_exact(*left),
            Self::Chunked(_) | Self::ToTheEnd => SizeHint::default(),
        }
    }
}
