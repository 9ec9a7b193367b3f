//! The head of a request (RFC 9112 §3 and §5).

use std::ops::Range;

use http::{Method, Version};

use super::fault::RequestFault;
use super::field::{FieldFault, FieldSpans, Reading, parse_fields};
use super::runs::Runs;
use super::scan::{find_control, is_token};
use super::target::{SPECIAL, Target, parse_target};
use crate::headers::{
    Class, ClassSet, Field, Form, Framing, Outgoing, RequestView, elements, for_upstream, number,
};

/// The limits on the head of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    /// The maximum size in bytes, including the request line.
    pub(crate) max_size: usize,
    /// The maximum number of header lines.
    pub(crate) max_fields: usize,
}

/// The positions of the parts of a request head. One value is reused for successive requests.
#[derive(Debug)]
pub(crate) struct RequestSpans {
    method: Method,
    version: Version,
    target: Target,
    /// The position of the first header line.
    line_end: usize,
    fields: FieldSpans,
    size: usize,
}

impl Default for RequestSpans {
    fn default() -> Self {
        Self {
            method: Method::GET,
            version: Version::HTTP_11,
            target: Target::default(),
            line_end: 0,
            fields: FieldSpans::with_capacity(32),
            size: 0,
        }
    }
}

/// The head of a request: its spans, and the bytes that they refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestHead<'a> {
    bytes: &'a [u8],
    spans: &'a RequestSpans,
}

/// How the body of a request is framed (RFC 9112 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestFraming {
    /// There is no body.
    None,
    /// The body has this many bytes, according to the head.
    Length(u64),
    /// The body is chunked.
    Chunked,
}

/// The properties of a message and its connection according to the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestFacts {
    /// The framing of the body.
    pub(crate) framing: RequestFraming,
    /// Whether the client may send another request on the connection (RFC 9112 §9.3).
    pub(crate) persistent: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
}

impl RequestSpans {
    /// Parses the head at the beginning of `bytes` and returns its length, or `None` if it is incomplete.
    /// Empty lines before it are part of it (RFC 9112 §2.2).
    ///
    /// The function can be called again with the same bytes followed by more; it then starts from the
    /// beginning. If a head arrives slowly, the caller calls it only after a complete line, so that the cost
    /// is at most lines × bytes.
    ///
    /// # Errors
    /// Fails if the head is malformed or exceeds a limit.
    pub(crate) fn parse(&mut self, bytes: &[u8], limits: HeadLimits) -> Result<Option<usize>, RequestFault> {
        self.size = 0;
        let parsed = self.parse_head(bytes.get(..limits.max_size).unwrap_or(bytes), limits)?;
        match parsed {
            Some(size) => self.size = size,
            None if bytes.len() < limits.max_size => {}
            None if self.line_end == 0 => return Err(RequestFault::TargetTooLong),
            None => return Err(RequestFault::HeadTooLarge),
        }
        Ok(parsed)
    }

    fn parse_head(&mut self, bytes: &[u8], limits: HeadLimits) -> Result<Option<usize>, RequestFault> {
        self.line_end = 0;
        let mut start = 0;
        loop {
            match bytes.get(start..) {
                Some([b'\r', b'\n', ..]) => start += 2,
                Some([] | [b'\r']) | None => return Ok(None),
                Some([b'\r', _, ..]) => return Err(RequestFault::Control),
                Some([b'\n', ..]) => return Err(RequestFault::BareLineFeed),
                Some(_) => break,
            }
        }
        let end = find_control(bytes, start);
        let line = bytes.get(start..end).unwrap_or_default();
        match bytes.get(end..) {
            // Input that cannot become a request line is refused before the line is complete: it is another
            // protocol.
            None | Some([] | [b'\r']) => {
                let method = line.split(|byte| *byte == b' ').next().unwrap_or_default();
                return if method.is_empty() || is_token(method) {
                    Ok(None)
                } else {
                    Err(RequestFault::Line)
                };
            }
            Some([b'\r', b'\n', ..]) => {}
            Some([b'\n', ..]) => return Err(RequestFault::BareLineFeed),
            Some(_) => return Err(RequestFault::Control),
        }
        self.parse_line(line, start)?;
        self.line_end = end + 2;
        parse_fields(bytes, self.line_end, Reading::Strict, limits.max_fields, &mut self.fields).map_err(
            |fault| match fault {
                FieldFault::BareLineFeed => RequestFault::BareLineFeed,
                FieldFault::Control => RequestFault::Control,
                FieldFault::Name => RequestFault::FieldName,
                FieldFault::SpaceBeforeColon => RequestFault::SpaceBeforeColon,
                FieldFault::Folded => RequestFault::Folded,
                FieldFault::TooMany => RequestFault::TooManyFields,
            },
        )
    }

    fn parse_line(&mut self, line: &[u8], start: usize) -> Result<(), RequestFault> {
        let method_end = line.iter().position(|byte| *byte == b' ').ok_or(RequestFault::Line)?;
        let (method, rest) = line.split_at(method_end);
        let Some(([_, target @ ..], version)) = rest.split_last_chunk::<9>() else {
            return Err(RequestFault::Line);
        };
        let version = match version {
            b" HTTP/1.1" => Ok(Version::HTTP_11),
            b" HTTP/1.0" => Ok(Version::HTTP_10),
            [b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                Err(RequestFault::Version)
            }
            _ => return Err(RequestFault::Line),
        };
        let special = target.iter().position(|byte| SPECIAL[usize::from(*byte)]);
        let method = match method {
            b"GET" => Method::GET,
            // `from_bytes` refuses anything that is not a token.
            other => Method::from_bytes(other).map_err(|_| RequestFault::Line)?,
        };
        // RFC 9112 §3: a space within the target must not be repaired, and there must be exactly one space
        // around it.
        if target.is_empty() || special.is_some() && target.contains(&b' ') {
            return Err(RequestFault::Line);
        }
        self.version = version?;
        self.method = method;
        self.target = parse_target(target, special, &self.method, start + method_end + 1)?;
        Ok(())
    }

    /// Returns the head. `bytes` is the buffer that it was parsed from.
    pub(crate) fn in_bytes<'a>(&'a self, bytes: &'a [u8]) -> RequestHead<'a> {
        RequestHead { bytes, spans: self }
    }
}

impl<'a> RequestHead<'a> {
    /// Returns the method.
    pub(crate) fn method(&self) -> &'a Method {
        &self.spans.method
    }

    /// Returns the version: HTTP/1.0 or HTTP/1.1.
    pub(crate) fn version(&self) -> Version {
        self.spans.version
    }

    /// Returns the form of the target.
    pub(crate) fn form(&self) -> Form {
        self.spans.target.form
    }

    /// Returns the authority of the target, or `None` if the form has none.
    pub(crate) fn authority(&self) -> Option<&'a str> {
        match self.form() {
            Form::Origin | Form::Asterisk => None,
            _ => Some(self.text(self.spans.target.authority.clone())),
        }
    }

    /// Returns the path as received, in ASCII. It is `/` for an absolute-form target without a path.
    pub(crate) fn path(&self) -> &'a str {
        match (self.form(), self.text(self.spans.target.path.clone())) {
            (Form::Http | Form::Https | Form::OtherScheme, "") => "/",
            (_, path) => path,
        }
    }

    /// Returns the query as received, byte for byte.
    pub(crate) fn query(&self) -> Option<&'a [u8]> {
        self.spans.target.query.clone().map(|range| self.bytes.get(range).unwrap_or_default())
    }

    /// Returns all headers in their order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.spans.fields.in_bytes(self.bytes)
    }

    /// Returns the length of the head.
    pub(crate) fn size(&self) -> usize {
        self.spans.size
    }

    fn text(&self, range: Range<usize>) -> &'a str {
        // The parser has checked that it is ASCII.
        self.bytes.get(range).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Returns the properties of the message and its connection.
    ///
    /// # Errors
    /// Fails if two servers might frame or interpret the message differently.
    pub(crate) fn facts(&self) -> Result<RequestFacts, RequestFault> {
        /// The classes that a head with no body and the default persistence does not contain.
        const DECISIVE: ClassSet =
            ClassSet::of(&[Class::TransferEncoding, Class::ContentLength, Class::Expect, Class::Connection]);
        let old = self.version() == Version::HTTP_10;
        let fields = &self.spans.fields;
        if !fields.seen().meets(DECISIVE) && !fields.disguised().meets(DECISIVE) {
            let framing = RequestFraming::None;
            return Ok(RequestFacts { framing, persistent: !old, expects_continue: false });
        }
        let (mut length, mut chunked, mut expects_continue) = (None, false, false);
        let (mut close, mut keep_alive) = (false, false);
        for field in self.fields() {
            match (field.class, field.disguised) {
                (Class::TransferEncoding | Class::ContentLength, true) => {
                    return Err(RequestFault::DisguisedLength);
                }
                (Class::TransferEncoding, false) => {
                    if chunked || old || !field.value.eq_ignore_ascii_case(b"chunked") {
                        return Err(RequestFault::TransferEncoding);
                    }
                    chunked = true;
                }
                (Class::ContentLength, false) => {
                    let number = number(field.value).filter(|_| length.is_none());
                    length = Some(number.ok_or(RequestFault::ContentLength)?);
                }
                // RFC 9110 §10.1.1: the comparison ignores case, and HTTP/1.0 has no expectations.
                (Class::Expect, false) if !field.value.eq_ignore_ascii_case(b"100-continue") => {
                    return Err(RequestFault::Expectation);
                }
                (Class::Expect, false) => expects_continue = !old,
                (Class::Connection, false) => {
                    for option in elements(field.value) {
                        close |= option.eq_ignore_ascii_case(b"close");
                        keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                _ => {}
            }
        }
        let framing = match (chunked, length) {
            (true, Some(_)) => return Err(RequestFault::TwoLengths),
            (true, None) => RequestFraming::Chunked,
            (false, Some(length)) => RequestFraming::Length(length),
            (false, None) => RequestFraming::None,
        };
        Ok(RequestFacts { framing, persistent: !close && (!old || keep_alive), expects_continue })
    }
}

impl RequestView for RequestHead<'_> {
    fn method(&self) -> &Method {
        RequestHead::method(self)
    }

    fn version(&self) -> Version {
        RequestHead::version(self)
    }

    fn form(&self) -> Form {
        RequestHead::form(self)
    }

    fn authority(&self) -> Option<&str> {
        RequestHead::authority(self)
    }

    fn path(&self) -> &str {
        RequestHead::path(self)
    }

    fn query(&self) -> Option<&[u8]> {
        RequestHead::query(self)
    }

    fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        RequestHead::fields(self)
    }

    fn seen(&self) -> ClassSet {
        self.spans.fields.seen()
    }

    fn values(&self, class: Class) -> impl Iterator<Item = &[u8]> {
        self.spans.fields.values(class, self.bytes)
    }

    fn write_upstream(&self, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) -> Framing {
        let mut runs = Runs::new(self.bytes, out);
        let framing = for_upstream(self, outgoing, &mut runs);
        runs.finish();
        framing
    }
}
