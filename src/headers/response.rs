//! Selects the headers of a response for the client.

use std::fmt;

use http::header::{CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::{HeaderMap, HeaderName, Version};

use super::class::{Class, ClassSet};
use super::connection::Nominated;
use super::console_cookie::sets_console_cookie;
use super::field::Field;
use super::list::content_length;
use super::sink::HeaderSink;
use super::via;

/// Why the response of an HTTP/2 server cannot be forwarded. The client gets 502.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum ResponseError {
    /// A `Transfer-Encoding`, which HTTP/2 does not allow (RFC 9113 §8.2.2).
    TransferEncoding,
    /// A `Content-Length` that is not a single line of digits.
    ContentLength,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TransferEncoding => "the server's response has a Transfer-Encoding",
            Self::ContentLength => "the server's response has a Content-Length that is not one number",
        })
    }
}

impl std::error::Error for ResponseError {}

/// Refuses an HTTP/2 response whose body two readers might end in different places.
///
/// # Errors
/// Returns why the response is refused.
pub(crate) fn check_response(headers: &HeaderMap) -> Result<(), ResponseError> {
    let mut lengths = 0;
    for (name, value) in headers {
        match Class::of(name.as_str().as_bytes()) {
            (Class::TransferEncoding, false) => return Err(ResponseError::TransferEncoding),
            (Class::ContentLength, false) => {
                lengths += 1;
                if lengths > 1 || super::list::number(value.as_bytes()).is_none() {
                    return Err(ResponseError::ContentLength);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The properties of a response that decide which of its headers are forwarded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Returning {
    /// Whether the response is the 101 to a forwarded upgrade.
    pub(crate) upgraded: bool,
    /// Whether the response may have a `Content-Length`. It may not if its status excludes a body.
    pub(crate) length: bool,
    /// The HTTP version of the server.
    pub(crate) version: Version,
}

/// Writes the response headers that are forwarded to the client to `sink`, and then `Via`. Returns whether
/// there was a `Date`. `map` returns the replacement of a URL or a cookie of the server.
///
/// Headers for the gateway alone are removed. All others are forwarded as received, including `Server`,
/// `Date` and the challenge of the server's own authentication. `unwanted` returns whether the route removes
/// a header.
///
/// `connection` has the values of the response's `Connection` headers.
pub(crate) fn for_client<'a>(
    fields: impl Iterator<Item = Field<'a>>,
    connection: impl Iterator<Item = &'a [u8]>,
    returning: Returning,
    unwanted: impl Fn(&Field<'_>) -> bool,
    map: impl Fn(&Field<'_>) -> Option<(&'static HeaderName, String)>,
    sink: &mut impl HeaderSink,
) -> bool {
    /// Headers for the gateway, and headers that need a check. All others are forwarded.
    const LOOKED_AT: ClassSet = ClassSet::of(&[
        Class::Hop,
        Class::KeepAlive,
        Class::Url,
        Class::Te,
        Class::Upgrade,
        Class::TransferEncoding,
        Class::Connection,
        Class::ContentLength,
        Class::Date,
    ]);
    let nominated = Nominated::of(connection);
    let (mut length, mut upgrade, mut date) = (false, false, false);
    for field in fields {
        if !LOOKED_AT.has(field.class) && nominated.is_empty() {
            if !unwanted(&field) {
                sink.keep(&field);
            }
            continue;
        }
        let goes_on = match (field.class, field.disguised) {
            (Class::ContentLength, false) => {
                // A repeated length is sent once. A length in a list is rewritten.
                if returning.length && !std::mem::replace(&mut length, true) {
                    if super::list::number(field.value).is_some() {
                        sink.keep(&field);
                    } else if let Some(number) = content_length(field.value) {
                        sink.add(&CONTENT_LENGTH, number.to_string().as_bytes());
                    }
                }
                false
            }
            (Class::Upgrade, false) => {
                upgrade |= returning.upgraded;
                returning.upgraded
            }
            // Another spelling is another header, but a server in front of the client might read it as a
            // known one.
            (
                Class::Hop
                | Class::KeepAlive
                | Class::Te
                | Class::Upgrade
                | Class::TransferEncoding
                | Class::Connection
                | Class::ContentLength,
                _,
            ) => false,
            (Class::Url, false) => {
                let is_console =
                    field.name.eq_ignore_ascii_case(b"set-cookie") && sets_console_cookie(field.value);
                let goes_on = !is_console && !nominated.contains(field.name);
                match map(&field).filter(|_| goes_on && !unwanted(&field)) {
                    Some((name, value)) => {
                        sink.add(name, value.as_bytes());
                        false
                    }
                    None => goes_on,
                }
            }
            (class, disguised) => {
                let goes_on = !(class.is_plain() && nominated.contains(field.name));
                date |= class == Class::Date && !disguised && goes_on;
                goes_on
            }
        };
        if goes_on && !unwanted(&field) {
            sink.keep(&field);
        }
    }
    if upgrade {
        sink.add(&CONNECTION, UPGRADE.as_str().as_bytes());
    }
    sink.state_fixed(via(returning.version));
    date
}
