//! An upstream's headers on their way back.

use std::fmt;

use http::header::{CONNECTION, UPGRADE, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::class::Class;
use super::connection::{Nominated, options};
use super::framing::{is_chunked, length};
use super::{UPGRADE_OPTION, via};

/// Why an answer cannot be passed on: 502, and the connection it came from is not to be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum ResponseError {
    /// Both `Transfer-Encoding` and `Content-Length`.
    TwoLengths,
    /// A `Transfer-Encoding` that is anything but one line `chunked`: other codings would be passed on undone.
    TransferEncoding,
    /// `Content-Length` that is not one line of digits.
    ContentLength,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TwoLengths => "the upstream's answer has both Transfer-Encoding and Content-Length",
            Self::TransferEncoding => "the upstream's answer has a Transfer-Encoding other than chunked",
            Self::ContentLength => "the upstream's answer has a Content-Length that is not one number",
        })
    }
}

impl std::error::Error for ResponseError {}

/// How the body of an answer is framed, by its headers alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerFraming {
    /// By neither header: up to the end of the connection, in HTTP/1.
    Unsaid,
    /// By `Content-Length`, in bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// Looks at an upstream's headers one by one, as they come, and says which go on to the client.
///
/// What was meant for the gateway alone does not; all else stays as the upstream sent it, `Server`, `Date` and the
/// challenge of its own authentication too. The body is framed anew.
#[derive(Debug, Default)]
pub(crate) struct AnswerHeaders {
    upgraded: bool,
    coded: bool,
    length: Option<u64>,
    nominated: Nominated,
    /// What the options of `Connection` say of the connection itself, if anything.
    persistence: Option<Persistence>,
}

/// What becomes of a connection (RFC 9112 §9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It closes after this answer.
    Close,
    /// It stays.
    KeepAlive,
}

impl AnswerHeaders {
    /// For the headers of one answer; `upgraded` is the 101 to an upgrade that was passed on.
    #[must_use]
    pub(crate) fn new(upgraded: bool) -> Self {
        Self { upgraded, ..Self::default() }
    }

    /// Whether this header goes on to the client.
    ///
    /// # Errors
    /// It makes the end of the answer doubtful.
    pub(crate) fn take(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<bool, ResponseError> {
        Ok(match Class::of(name) {
            (Class::TransferEncoding, false) => {
                if self.coded || !is_chunked(value) {
                    return Err(ResponseError::TransferEncoding);
                }
                self.coded = true;
                false
            }
            (Class::ContentLength, false) => {
                let length = length(value).filter(|_| self.length.is_none());
                self.length = Some(length.ok_or(ResponseError::ContentLength)?);
                true
            }
            (Class::Connection, false) => {
                self.nominated.add(value);
                for option in options(value) {
                    if option.eq_ignore_ascii_case(b"close") {
                        self.persistence = Some(Persistence::Close);
                    } else if self.persistence.is_none() && option.eq_ignore_ascii_case(b"keep-alive") {
                        self.persistence = Some(Persistence::KeepAlive);
                    }
                }
                false
            }
            (Class::Upgrade, false) => self.upgraded,
            // The disguised ones are no headers, but a server before the client might take them for some.
            (Class::Hop | Class::Te | Class::Upgrade, _)
            | (Class::TransferEncoding | Class::ContentLength | Class::Connection, true) => false,
            _ => true,
        })
    }

    /// What the options of `Connection` said of the connection.
    #[must_use]
    pub(crate) fn persistence(&self) -> Option<Persistence> {
        self.persistence
    }

    /// Finishes `headers`, which are those that go on, and tells how the body is framed.
    ///
    /// # Errors
    /// An answer whose end two readers might see in two places.
    pub(crate) fn finish(
        &self,
        headers: &mut HeaderMap,
        version: Version,
    ) -> Result<AnswerFraming, ResponseError> {
        let framing = match (self.coded, self.length) {
            (true, Some(_)) => return Err(ResponseError::TwoLengths),
            // RFC 9112 §6.1: framing that this version does not have.
            (true, None) if version == Version::HTTP_10 => return Err(ResponseError::TransferEncoding),
            (true, None) => AnswerFraming::Chunked,
            (false, Some(length)) => AnswerFraming::Length(length),
            (false, None) => AnswerFraming::Unsaid,
        };
        self.nominated.remove_from(headers);
        if self.upgraded && headers.contains_key(UPGRADE) {
            headers.insert(CONNECTION, UPGRADE_OPTION.clone());
        }
        headers.append(VIA, via(version));
        Ok(framing)
    }
}
