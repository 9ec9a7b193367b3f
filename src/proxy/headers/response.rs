//! An upstream's headers on their way back.

use std::fmt;

use http::header::{CONNECTION, TRANSFER_ENCODING, UPGRADE, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::class::Class;
use super::connection::remove_connection;
use super::framing::{is_chunked, is_length};
use super::via;

/// What the gateway knows about an answer.
#[derive(Debug, Clone, Copy)]
pub struct Returning {
    /// The version it came in.
    pub version: Version,
    /// Whether it is the 101 to an upgrade that was passed on.
    pub upgraded: bool,
}

/// Why an answer cannot be passed on: 502, and the connection it came from is not to be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseError {
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

/// Takes out what was meant for the gateway alone and adds `Via`; all else stays as the upstream sent it, `Server`,
/// `Date` and the challenge of its own authentication too. The body is framed anew by hyper.
///
/// # Errors
/// An answer whose end two readers might see in two places. The headers are as they were then.
pub fn sanitise_response(headers: &mut HeaderMap, returning: Returning) -> Result<(), ResponseError> {
    let (mut codings, mut lengths) = (0_u32, 0_u32);
    let (mut connection, mut has_via) = (false, false);
    let mut unwanted: Vec<HeaderName> = Vec::new();
    for (name, value) in &*headers {
        match Class::of(name) {
            (Class::TransferEncoding, false) => {
                codings += 1;
                if codings > 1 || !is_chunked(value) {
                    return Err(ResponseError::TransferEncoding);
                }
            }
            (Class::ContentLength, false) => {
                lengths += 1;
                if lengths > 1 || !is_length(value) {
                    return Err(ResponseError::ContentLength);
                }
            }
            (Class::Connection, false) => connection = true,
            (Class::Via, false) => has_via = true,
            (Class::Upgrade, false) if returning.upgraded => {}
            (Class::Hop | Class::Te | Class::Upgrade, _) => unwanted.push(name.clone()),
            // Not headers, but a server before the client might take them for some.
            (Class::TransferEncoding | Class::ContentLength | Class::Connection, true) => {
                unwanted.push(name.clone())
            }
            _ => {}
        }
    }
    if codings > 0 && lengths > 0 {
        return Err(ResponseError::TwoLengths);
    }

    if connection {
        remove_connection(headers);
    }
    if codings > 0 {
        headers.remove(TRANSFER_ENCODING);
    }
    for name in &unwanted {
        headers.remove(name);
    }
    if returning.upgraded && headers.contains_key(UPGRADE) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    if has_via {
        headers.append(VIA, via(returning.version));
    } else {
        headers.insert(VIA, via(returning.version));
    }
    Ok(())
}
