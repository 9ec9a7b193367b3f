//! Headers on their way through: what a request's may not be, and what goes on in either direction.
//!
//! A request is looked at through a [`RequestView`], whatever protocol it came in. [`for_upstream`] says which of its
//! headers go upstream, [`for_client`] which of a response's go back, and [`passes_as_trailer`] which trailers do. All
//! hand them to a [`HeaderSink`]: lines for HTTP/1, copied in runs where they were lines before, a map for HTTP/2.

mod class;
mod connection;
mod field;
mod framing;
mod list;
mod request;
mod response;
mod sink;
mod trailers;
mod view;

use http::{HeaderName, Version};

pub(crate) use self::class::Class;
pub(crate) use self::field::Field;
pub(crate) use self::framing::check_request;
pub(crate) use self::list::{content_length, elements, number};
pub(crate) use self::request::{ClientAuthorization, Framing, Outgoing, Proto, for_upstream};
pub(crate) use self::response::{Returning, check_response, for_client};
pub(crate) use self::sink::HeaderSink;
pub(crate) use self::trailers::{filter_trailers, passes_as_trailer};
pub(crate) use self::view::{CredentialsOf, Form, RequestView};

/// The header that carries the id of a request.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The `Via` entry for a message received as `version` (RFC 9110 §7.6.3).
fn via(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_10 => b"1.0 tollgate",
        Version::HTTP_2 => b"2 tollgate",
        _ => b"1.1 tollgate",
    }
}

#[cfg(test)]
mod tests;
