//! Requests that the HTTP library accepts and a gateway must not.

use std::fmt;

use http::request::Parts;
use http::{Method, StatusCode, Version};

use super::class::Class;
use super::field::Field;
use super::list::number;
use super::parts::MapHead;
use super::view::RequestView as _;

/// Why a request is refused before anything is decided on it. The text is fit for the client. The connection is
/// to be closed after each: where the next request begins is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum FramingError {
    /// `Transfer-Encoding` that is anything but one line `chunked`, or in HTTP/1.0 or HTTP/2.
    TransferEncoding,
    /// `Transfer-Encoding` and `Content-Length`.
    TwoLengths,
    /// `Content-Length` that is not one line of digits.
    ContentLength,
    /// A name that some servers take for `Transfer-Encoding` or `Content-Length`.
    DisguisedLength,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A target in a form that the method does not have.
    Target,
}

impl FramingError {
    /// The status to answer.
    #[must_use]
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// What to tell the client.
    #[must_use]
    pub(crate) fn public_text(&self) -> &'static str {
        match self {
            Self::TransferEncoding => "the Transfer-Encoding must be chunked, once, in HTTP/1.1",
            Self::TwoLengths => "the request has both Transfer-Encoding and Content-Length",
            Self::ContentLength => "the Content-Length must be one number",
            Self::DisguisedLength => "a header name looks like Transfer-Encoding or Content-Length",
            Self::Expectation => "the only expectation known is 100-continue",
            Self::Target => "the request target does not fit the method",
        }
    }
}

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.public_text())
    }
}

impl std::error::Error for FramingError {}

/// Refuses what two servers might frame, or read, in two ways.
///
/// One thing cannot be seen here: hyper drops the `Content-Length` of an HTTP/1.1 request that has
/// `Transfer-Encoding` too, and lines that repeat it. RFC 9112 §6.1 allows that; it closes the connection after such
/// a request, and what goes upstream is framed anew.
///
/// # Errors
/// What to answer.
pub(crate) fn check_request(request: &MapHead<'_>) -> Result<(), FramingError> {
    check_target(request.parts)?;
    let (mut codings, mut lengths) = (0_u32, 0_u32);
    for Field { class, disguised, value, .. } in request.fields() {
        match (class, disguised) {
            (Class::TransferEncoding | Class::ContentLength, true) => {
                return Err(FramingError::DisguisedLength);
            }
            (Class::TransferEncoding, false) => {
                codings += 1;
                if codings > 1
                    || !value.eq_ignore_ascii_case(b"chunked")
                    || request.version() != Version::HTTP_11
                {
                    return Err(FramingError::TransferEncoding);
                }
            }
            (Class::ContentLength, false) => {
                lengths += 1;
                if lengths > 1 || number(value).is_none() {
                    return Err(FramingError::ContentLength);
                }
            }
            // RFC 9110 §10.1.1: case does not matter.
            (Class::Expect, false) if !value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(FramingError::Expectation);
            }
            _ => {}
        }
    }
    if codings > 0 && lengths > 0 { Err(FramingError::TwoLengths) } else { Ok(()) }
}

/// RFC 9112 §3.2: `*` is for OPTIONS, a bare authority for CONNECT. The path has its own judge.
fn check_target(request: &Parts) -> Result<(), FramingError> {
    let path = request.uri.path();
    let fits = match request.method {
        Method::CONNECT => true,
        Method::OPTIONS if path == "*" => true,
        _ => path.starts_with('/'),
    };
    if fits { Ok(()) } else { Err(FramingError::Target) }
}
