//! Rules for headers: which requests are refused, and which headers are forwarded in each direction.
//!
//! A [`RequestView`] is the view of a request in either protocol. [`for_upstream`] selects the request
//! headers that are forwarded, [`for_client`] the response headers, and [`passes_as_trailer`] the trailers.
//! They write to a [`HeaderSink`]: lines for HTTP/1, which are copied in runs if the source has lines too, or
//! a map for HTTP/2.

mod claims;
#[cfg(feature = "gateway")]
mod class;
#[cfg(feature = "gateway")]
mod connection;
#[cfg(feature = "gateway")]
mod console_cookie;
#[cfg(feature = "gateway")]
mod field;
#[cfg(feature = "gateway")]
mod framing;
pub(crate) mod identity;
#[cfg(feature = "gateway")]
mod list;
#[cfg(feature = "gateway")]
mod login;
#[cfg(feature = "gateway")]
mod origin;
#[cfg(feature = "gateway")]
mod outgoing;
#[cfg(feature = "gateway")]
mod parts;
#[cfg(feature = "gateway")]
mod request;
#[cfg(feature = "gateway")]
mod response;
#[cfg(feature = "gateway")]
mod rules;
#[cfg(feature = "gateway")]
mod sink;
mod spelling;
#[cfg(feature = "gateway")]
mod trailers;
#[cfg(feature = "gateway")]
mod view;

#[cfg(feature = "gateway")]
use http::{HeaderName, Version, header};

#[cfg(feature = "gateway")]
pub(crate) use self::class::{Class, ClassSet};
#[cfg(feature = "gateway")]
pub(crate) use self::console_cookie::console_cookie;
#[cfg(feature = "gateway")]
pub(crate) use self::field::Field;
#[cfg(feature = "gateway")]
pub(crate) use self::framing::check_request;
#[cfg(feature = "gateway")]
pub(crate) use self::list::{content_length, elements, number};
#[cfg(feature = "gateway")]
pub(crate) use self::login::{announces_connection_login, authenticates_connection};
#[cfg(feature = "gateway")]
pub(crate) use self::origin::{PublicOrigin, ServerOrigin, UrlMap};
#[cfg(feature = "gateway")]
pub(crate) use self::outgoing::{AppliedRules, ClientAuthorization, Framing, Outgoing, Proto};
#[cfg(feature = "gateway")]
pub(crate) use self::parts::MapHead;
#[cfg(feature = "gateway")]
pub(crate) use self::request::for_upstream;
#[cfg(feature = "gateway")]
pub(crate) use self::response::{Returning, check_response, for_client};
#[cfg(feature = "gateway")]
pub(crate) use self::rules::{IdentityHeader, RequestRules};
#[cfg(feature = "gateway")]
pub(crate) use self::sink::{FixedHeader, HeaderSink, OwnHeader};
#[cfg(feature = "gateway")]
pub(crate) use self::trailers::{filter_trailers, passes_as_trailer};
#[cfg(feature = "gateway")]
pub(crate) use self::view::{CredentialsIn, CredentialsOf, Form, RequestView};

/// The header with the request id.
#[cfg(feature = "gateway")]
pub(crate) static REQUEST_ID: OwnHeader = OwnHeader::new(&REQUEST_ID_NAME, "x-request-id: ");

#[cfg(feature = "gateway")]
static REQUEST_ID_NAME: HeaderName = HeaderName::from_static("x-request-id");

/// Returns the `Via` entry for a message received with this version (RFC 9110 §7.6.3).
#[cfg(feature = "gateway")]
#[inline]
fn via(version: Version) -> &'static FixedHeader {
    static NAME: HeaderName = header::VIA;
    static OLD: FixedHeader = FixedHeader::new(&NAME, "1.0 tollgate", "via: 1.0 tollgate\r\n");
    static HTTP1: FixedHeader = FixedHeader::new(&NAME, "1.1 tollgate", "via: 1.1 tollgate\r\n");
    static HTTP2: FixedHeader = FixedHeader::new(&NAME, "2 tollgate", "via: 2 tollgate\r\n");
    match version {
        Version::HTTP_10 => &OLD,
        Version::HTTP_2 => &HTTP2,
        _ => &HTTP1,
    }
}

#[cfg(all(test, feature = "gateway"))]
mod tests;
