//! Headers on their way through: what a request's may not be, and what goes on in either direction.
//!
//! A request passes [`check_request`] before anything is decided on it, and [`for_upstream`] says what of it goes
//! upstream; an answer passes [`AnswerHeaders`], and the trailers of both [`filter_trailers`].

#[cfg(feature = "gateway")]
mod class;
#[cfg(feature = "gateway")]
mod connection;
#[cfg(feature = "gateway")]
mod framing;
pub(crate) mod identity;
#[cfg(feature = "gateway")]
mod request;
#[cfg(feature = "gateway")]
mod response;
#[cfg(feature = "gateway")]
mod trailers;

#[cfg(feature = "gateway")]
use http::{HeaderName, HeaderValue, Version};

#[cfg(feature = "gateway")]
pub(crate) use self::framing::check_request;
#[cfg(feature = "gateway")]
pub(crate) use self::request::{ClientAuthorization, Framing, Outgoing, Proto, for_upstream};
#[cfg(feature = "gateway")]
pub(crate) use self::response::{AnswerFraming, AnswerHeaders, Persistence, ResponseError};
#[cfg(feature = "gateway")]
pub(crate) use self::trailers::filter_trailers;

#[cfg(feature = "gateway")]
/// The header that carries the id of a request.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[cfg(feature = "gateway")]
/// `Connection` of a request for an upgrade, and of the answer that grants it.
static UPGRADE_OPTION: HeaderValue = HeaderValue::from_static("upgrade");

#[cfg(feature = "gateway")]
/// The `Via` entry for a message received as `version` (RFC 9110 §7.6.3).
fn via(version: Version) -> HeaderValue {
    HeaderValue::from_static(match version {
        Version::HTTP_10 => "1.0 tollgate",
        Version::HTTP_2 => "2 tollgate",
        _ => "1.1 tollgate",
    })
}

#[cfg(all(test, feature = "gateway"))]
mod tests;
