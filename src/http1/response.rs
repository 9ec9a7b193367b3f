//! The head of a response (RFC 9112 §4 and §5).

use std::ops::Range;

use http::{StatusCode, Version};

use super::fault::ResponseFault;
use super::field::{FieldFault, FieldSpans, Reading, parse_fields};
use super::scan::find_control;
use crate::headers::{Class, Field, content_length, elements, number};

/// The maximum size of a response head.
pub(crate) const MAX_RESPONSE_HEAD: usize = 64 * 1024;
/// The maximum number of headers in a response.
pub(crate) const MAX_RESPONSE_FIELDS: usize = 100;

/// The positions of the parts of a response head. One value is reused for successive responses.
#[derive(Debug)]
pub(crate) struct ResponseSpans {
    status: StatusCode,
    version: Version,
    reason: Range<usize>,
    /// The position of the first header line, if the status line can be forwarded unchanged.
    plain_line: Option<usize>,
    fields: FieldSpans,
    size: usize,
}

impl Default for ResponseSpans {
    fn default() -> Self {
        Self {
            status: StatusCode::OK,
            version: Version::HTTP_11,
            reason: 0..0,
            plain_line: None,
            fields: FieldSpans::with_capacity(32),
            size: 0,
        }
    }
}

/// The head of a response: its spans, and the bytes that they refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResponseHead<'a> {
    bytes: &'a [u8],
    spans: &'a ResponseSpans,
}

/// The properties of the request that affect the interpretation of its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResponseExpectation {
    /// Whether the method is HEAD: the response then has no body, regardless of its headers.
    pub(crate) head: bool,
    /// Whether the request asked for an upgrade.
    pub(crate) upgrade: bool,
}

/// How the body of a response is framed (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseFraming {
    /// There is no body, regardless of the headers: a response to HEAD, or a 1xx, 204 or 304 status.
    None,
    /// The body has this many bytes.
    Length(u64),
    /// The body is chunked.
    Chunked,
    /// The body extends to the end of the connection.
    Close,
}

/// The properties of a message and its connection according to the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResponseFacts {
    /// The framing of the body.
    pub(crate) framing: ResponseFraming,
    /// Whether another request may follow on the connection once the body has been read (RFC 9112 §9.3).
    pub(crate) persistent: bool,
    /// How many seconds the server waits for the next request, if the head says so (`Keep-Alive: timeout=5`).
    pub(crate) keep_alive: Option<u32>,
}

impl ResponseSpans {
    /// Parses the head at the beginning of `bytes` and returns its length, or `None` if it is incomplete.
    /// Deviations that RFC 9112 tells a proxy to repair are accepted and marked [`Field::repaired`]: white
    /// space before a colon, folded lines, and lines that end with LF alone.
    ///
    /// # Errors
    /// Fails if the head is not one that can be forwarded.
    pub(crate) fn parse(&mut self, bytes: &[u8]) -> Result<Option<usize>, ResponseFault> {
        self.size = 0;
        let parsed = self.parse_head(bytes.get(..MAX_RESPONSE_HEAD).unwrap_or(bytes))?;
        match parsed {
            Some(size) => self.size = size,
            None if bytes.len() < MAX_RESPONSE_HEAD => {}
            None => return Err(ResponseFault::TooLarge),
        }
        Ok(parsed)
    }

    fn parse_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, ResponseFault> {
        const VERSION: &[u8] = b"HTTP/1.";
        let known = bytes.len().min(VERSION.len());
        if bytes.get(..known) != VERSION.get(..known) {
            return Err(ResponseFault::NotHttp);
        }
        // A reason phrase may contain tabs.
        let mut end = find_control(bytes, 0);
        while bytes.get(end) == Some(&b'\t') {
            end = find_control(bytes, end + 1);
        }
        let next = match bytes.get(end..) {
            None | Some([] | [b'\r']) => return Ok(None),
            Some([b'\r', b'\n', ..]) => end + 2,
            Some([b'\n', ..]) => end + 1,
            Some(_) => return Err(ResponseFault::NotHttp),
        };
        let line = bytes.get(VERSION.len()..end).ok_or(ResponseFault::NotHttp)?;
        let (minor, status, reason) = match line {
            [minor, b' ', status @ .., b' '] if status.len() == 3 => (*minor, status, end..end),
            [minor, b' ', a, b, c, b' ', ..] => (*minor, &[*a, *b, *c][..], VERSION.len() + 6..end),
            // Some servers omit the space before an empty reason phrase.
            [minor, b' ', status @ ..] if status.len() == 3 => (*minor, status, end..end),
            _ => return Err(ResponseFault::NotHttp),
        };
        self.version = match minor {
            b'1' => Version::HTTP_11,
            b'0' => Version::HTTP_10,
            _ => return Err(ResponseFault::NotHttp),
        };
        self.status = StatusCode::from_bytes(status).map_err(|_| ResponseFault::NotHttp)?;
        // The status line is plain if it is HTTP/1.1, has both spaces, and ends with CRLF.
        let plain = minor == b'1' && reason.start == VERSION.len() + 6 && next == end + 2;
        (self.reason, self.plain_line) = (reason, plain.then_some(next));
        let reading = Reading::Lenient;
        parse_fields(bytes, next, reading, MAX_RESPONSE_FIELDS, &mut self.fields).map_err(|fault| match fault
        {
            FieldFault::TooMany => ResponseFault::TooManyFields,
            _ => ResponseFault::Field,
        })
    }

    /// Returns the head. `bytes` is the buffer that it was parsed from.
    pub(crate) fn in_bytes<'a>(&'a self, bytes: &'a [u8]) -> ResponseHead<'a> {
        ResponseHead { bytes, spans: self }
    }
}

impl<'a> ResponseHead<'a> {
    /// Returns the status.
    pub(crate) fn status(&self) -> StatusCode {
        self.spans.status
    }

    /// Returns the version: HTTP/1.0 or HTTP/1.1.
    pub(crate) fn version(&self) -> Version {
        self.spans.version
    }

    /// Returns the reason phrase as received.
    pub(crate) fn reason(&self) -> &'a [u8] {
        self.bytes.get(self.spans.reason.clone()).unwrap_or_default()
    }

    /// Returns the status line with its CRLF, if it can be sent to HTTP/1.1 clients unchanged.
    pub(crate) fn plain_line(&self) -> Option<Range<usize>> {
        self.spans.plain_line.map(|end| 0..end)
    }

    /// Returns whether another response to the same request follows (RFC 9110 §15.2).
    pub(crate) fn is_interim(&self) -> bool {
        self.status().is_informational() && self.status() != StatusCode::SWITCHING_PROTOCOLS
    }

    /// Returns all headers in their order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.spans.fields.in_bytes(self.bytes)
    }

    /// Returns the number of headers.
    pub(crate) fn len(&self) -> usize {
        self.spans.fields.len()
    }

    /// Returns the values of the `Connection` headers.
    pub(crate) fn connection(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.spans.fields.values(Class::Connection, self.bytes)
    }

    /// Returns the bytes that contain the header lines.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the length of the head.
    pub(crate) fn size(&self) -> usize {
        self.spans.size
    }

    /// Returns the properties of the message and its connection.
    ///
    /// # Errors
    /// Fails if two recipients might disagree on where the response ends, or if it is a 101 without a
    /// requested upgrade.
    pub(crate) fn facts(&self, expected: ResponseExpectation) -> Result<ResponseFacts, ResponseFault> {
        let upgraded = self.status() == StatusCode::SWITCHING_PROTOCOLS;
        if upgraded && !expected.upgrade {
            return Err(ResponseFault::UnaskedUpgrade);
        }
        let old = self.version() == Version::HTTP_10;
        let (mut length, mut chunked) = (None, false);
        let (mut close, mut keep_alive) = (false, false);
        let fields = &self.spans.fields;
        for value in fields.values(Class::TransferEncoding, self.bytes) {
            if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(ResponseFault::TransferEncoding);
            }
            chunked = true;
        }
        for value in fields.values(Class::ContentLength, self.bytes) {
            let number = content_length(value).ok_or(ResponseFault::ContentLength)?;
            if *length.get_or_insert(number) != number {
                return Err(ResponseFault::ContentLength);
            }
        }
        for option in self.connection().flat_map(elements) {
            close |= option.eq_ignore_ascii_case(b"close");
            keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
        let mut waits = None;
        for value in fields.values(Class::KeepAlive, self.bytes) {
            waits = keep_alive_timeout(value).or(waits);
        }
        let framing = match (chunked, length) {
            (true, Some(_)) => return Err(ResponseFault::TwoLengths),
            // RFC 9112 §6.1: HTTP/1.0 does not define this framing.
            (true, None) if old => return Err(ResponseFault::TransferEncoding),
            (true, None) => ResponseFraming::Chunked,
            (false, Some(length)) => ResponseFraming::Length(length),
            (false, None) => ResponseFraming::Close,
        };
        let bodiless = expected.head
            || self.status().is_informational()
            || matches!(self.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let framing = if bodiless { ResponseFraming::None } else { framing };
        let ends = upgraded || close || framing == ResponseFraming::Close;
        Ok(ResponseFacts { framing, persistent: !ends && (!old || keep_alive), keep_alive: waits })
    }
}

/// Returns the seconds in `timeout=5, max=100`.
fn keep_alive_timeout(value: &[u8]) -> Option<u32> {
    let timeout = elements(value).find_map(|parameter| {
        let (name, seconds) = parameter.split_at_checked(8)?;
        name.eq_ignore_ascii_case(b"timeout=").then_some(seconds)
    })?;
    number(timeout).map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX))
}
