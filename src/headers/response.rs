//! An upstream's headers on their way back.

use std::fmt;

use http::header::{CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::{HeaderMap, HeaderName, Version};

use super::class::{Class, ClassSet};
use super::connection::Nominated;
use super::field::Field;
use super::list::content_length;
use super::sink::HeaderSink;
use super::{VIA, via};

/// Why the response of an HTTP/2 server cannot be passed on: 502.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum ResponseError {
    /// `Transfer-Encoding`, which HTTP/2 does not have (RFC 9113 §8.2.2).
    TransferEncoding,
    /// `Content-Length` that is not one line of digits.
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

/// Refuses the headers of an HTTP/2 response whose end two readers might see in two places.
///
/// # Errors
/// What is wrong.
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

/// What is said about a response on its way to the client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Returning {
    /// It is the 101 to an upgrade that was passed on.
    pub(crate) upgraded: bool,
    /// Whether it may say how long its body is: not where it has none by its status.
    pub(crate) length: bool,
    /// The version that the server speaks.
    pub(crate) version: Version,
}

/// Hands the headers of a response that go on to the client to `sink`, and then `Via`. Returns whether there was a `Date`.
/// `map` returns what becomes of a URL or a cookie of the server.
///
/// What was meant for the gateway alone does not go on. All else stays as the upstream sent it, `Server`, `Date` and the
/// challenge of its own authentication too. `unwanted` says what the route takes out.
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
    /// What is meant for the gateway, or is looked at. All else goes on.
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
                // A repeated one counts once; one that is a list is written anew.
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
            // Those in another spelling are no headers, but a server before the client might take them for some.
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
                let goes_on = !nominated.contains(field.name);
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
    sink.state(&VIA, via(returning.version));
    date
}
