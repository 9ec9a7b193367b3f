//! The head of a response (RFC 9112 §4 and §5).

use std::ops::Range;

use http::{StatusCode, Version};

use super::fault::ResponseFault;
use super::field::{FieldFault, FieldSpans, Reading, parse_fields};
use super::scan::find_control;
use crate::headers::{Class, Field, content_length, elements, number};

/// The largest head of a response.
pub(crate) const MAX_RESPONSE_HEAD: usize = 64 * 1024;
/// The most headers that a response may have.
pub(crate) const MAX_RESPONSE_FIELDS: usize = 100;

/// Where the parts of a response's head are. One value is used for one response after the other.
#[derive(Debug)]
pub(crate) struct ResponseSpans {
    status: StatusCode,
    version: Version,
    reason: Range<usize>,
    /// Where the first header line begins, if the status line can go on as it came.
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

/// A response's head: its spans, and the bytes that they are in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResponseHead<'a> {
    bytes: &'a [u8],
    spans: &'a ResponseSpans,
}

/// What the server was asked, as far as its response depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    /// HEAD: whatever the response's head says, there is no body.
    pub(crate) head: bool,
    /// An upgrade.
    pub(crate) upgrade: bool,
}

/// How the body of a response is framed (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseFraming {
    /// There is none, whatever the headers say: the response to HEAD, 1xx, 204 and 304.
    None,
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
    /// Up to the end of the connection.
    Close,
}

/// What a head says about its message and its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResponseFacts {
    /// How the body is framed.
    pub(crate) framing: ResponseFraming,
    /// Whether another request may follow on the connection once the body has been read (RFC 9112 §9.3).
    pub(crate) persistent: bool,
    /// How many seconds the server waits for it, if it says so (`Keep-Alive: timeout=5`).
    pub(crate) keep_alive: Option<u32>,
}

impl ResponseSpans {
    /// Reads the head at the beginning of `bytes` and returns how long it is, or `None` while its end has not come. What
    /// RFC 9112 tells a proxy to repair is read, and marked [`Field::repaired`]: white space before a colon, folded
    /// lines, lines that end with LF alone.
    ///
    /// # Errors
    /// The head is none that could be passed on.
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
        // A reason phrase may have tabs.
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
            // Some servers leave out the space before an empty reason phrase.
            [minor, b' ', status @ ..] if status.len() == 3 => (*minor, status, end..end),
            _ => return Err(ResponseFault::NotHttp),
        };
        self.version = match minor {
            b'1' => Version::HTTP_11,
            b'0' => Version::HTTP_10,
            _ => return Err(ResponseFault::NotHttp),
        };
        self.status = StatusCode::from_bytes(status).map_err(|_| ResponseFault::NotHttp)?;
        // Of HTTP/1.1, with both spaces, and ended by CRLF.
        let plain = minor == b'1' && reason.start == VERSION.len() + 6 && next == end + 2;
        (self.reason, self.plain_line) = (reason, plain.then_some(next));
        let reading = Reading::Lenient;
        parse_fields(bytes, next, reading, MAX_RESPONSE_FIELDS, &mut self.fields).map_err(|fault| match fault
        {
            FieldFault::TooMany => ResponseFault::TooManyFields,
            _ => ResponseFault::Field,
        })
    }

    /// The head in `bytes`, which it was parsed from.
    pub(crate) fn in_bytes<'a>(&'a self, bytes: &'a [u8]) -> ResponseHead<'a> {
        ResponseHead { bytes, spans: self }
    }
}

impl<'a> ResponseHead<'a> {
    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.spans.status
    }

    /// HTTP/1.0 or HTTP/1.1.
    pub(crate) fn version(&self) -> Version {
        self.spans.version
    }

    /// The reason phrase as it came.
    pub(crate) fn reason(&self) -> &'a [u8] {
        self.bytes.get(self.spans.reason.clone()).unwrap_or_default()
    }

    /// The status line with its CRLF, if it is one that HTTP/1.1 clients can be sent as it is.
    pub(crate) fn plain_line(&self) -> Option<Range<usize>> {
        self.spans.plain_line.map(|end| 0..end)
    }

    /// Whether another response to the same request follows (RFC 9110 §15.2).
    pub(crate) fn is_interim(&self) -> bool {
        self.status().is_informational() && self.status() != StatusCode::SWITCHING_PROTOCOLS
    }

    /// All headers, in their order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.spans.fields.in_bytes(self.bytes)
    }

    /// The values of its `Connection` lines.
    pub(crate) fn connection(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.spans.fields.values(Class::Connection, self.bytes)
    }

    /// The bytes that the lines of its fields are in.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How long the head is.
    pub(crate) fn size(&self) -> usize {
        self.spans.size
    }

    /// What the head says about its message and its connection.
    ///
    /// # Errors
    /// Two readers might see the end of the response in two places, or it is a 101 that nobody asked for.
    pub(crate) fn facts(&self, asked: Asked) -> Result<ResponseFacts, ResponseFault> {
        let upgraded = self.status() == StatusCode::SWITCHING_PROTOCOLS;
        if upgraded && !asked.upgrade {
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
            // RFC 9112 §6.1: framing that this version does not have.
            (true, None) if old => return Err(ResponseFault::TransferEncoding),
            (true, None) => ResponseFraming::Chunked,
            (false, Some(length)) => ResponseFraming::Length(length),
            (false, None) => ResponseFraming::Close,
        };
        let bodiless = asked.head
            || self.status().is_informational()
            || matches!(self.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let framing = if bodiless { ResponseFraming::None } else { framing };
        let ends = upgraded || close || framing == ResponseFraming::Close;
        Ok(ResponseFacts { framing, persistent: !ends && (!old || keep_alive), keep_alive: waits })
    }
}

/// The seconds in `timeout=5, max=100`.
fn keep_alive_timeout(value: &[u8]) -> Option<u32> {
    let timeout = elements(value).find_map(|parameter| {
        let (name, seconds) = parameter.split_at_checked(8)?;
        name.eq_ignore_ascii_case(b"timeout=").then_some(seconds)
    })?;
    number(timeout).map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX))
}
