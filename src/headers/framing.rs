//! Checks for requests that the HTTP library accepts but a gateway must refuse.

use std::fmt;

use http::request::Parts;
use http::{Method, StatusCode, Version};

use super::class::Class;
use super::field::Field;
use super::list::number;
use super::parts::MapHead;
use super::view::RequestView as _;

/// Why a request is refused before it is authorized. The text can be sent to the client. The connection must
/// be closed, because it is uncertain where the next request begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum FramingError {
    /// A `Transfer-Encoding` other than a single `chunked`, or in HTTP/1.0 or HTTP/2.
    TransferEncoding,
    /// Both `Transfer-Encoding` and `Content-Length`.
    TwoLengths,
    /// A `Content-Length` that is not a single line of digits.
    ContentLength,
    /// A name that some servers read as `Transfer-Encoding` or `Content-Length`.
    DisguisedLength,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A target in a form that the method does not allow.
    Target,
}

impl FramingError {
    /// Returns the status of the response.
    #[must_use]
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Returns the text for the client.
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

/// Refuses a request that two servers might frame or read differently.
///
/// One case is not visible here: hyper drops the `Content-Length` of an HTTP/1.1 request that also has
/// `Transfer-Encoding`, and repeated lines. RFC 9112 §6.1 allows that. hyper closes the connection after such
/// a request, and the gateway frames the forwarded request itself.
///
/// # Errors
/// Returns why the request is refused.
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
            // RFC 9110 §10.1.1: the value is case-insensitive.
            (Class::Expect, false) if !value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(FramingError::Expectation);
            }
            _ => {}
        }
    }
    if codings > 0 && lengths > 0 { Err(FramingError::TwoLengths) } else { Ok(()) }
}

/// RFC 9112 §3.2: `*` is for OPTIONS, and a bare authority for CONNECT. The path is checked separately.
fn check_target(request: &Parts) -> Result<(), FramingError> {
    let path = request.uri.path();
    let fits = match request.method {
        Method::CONNECT => true,
        Method::OPTIONS if path == "*" => true,
        _ => path.starts_with('/'),
    };
    if fits { Ok(()) } else { Err(FramingError::Target) }
}
