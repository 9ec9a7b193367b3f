//! Headers on their way through: what a request's may not be, and what goes on in either direction.
//!
//! Everything works in place and looks at each header once. A request passes [`check_request`] before anything is
//! decided on it, [`sanitise_request`] before it goes upstream; an answer passes [`sanitise_response`], and the
//! trailers of both [`filter_trailers`].

mod class;
mod connection;
mod framing;
mod request;
mod response;
mod trailers;

use http::{HeaderValue, Version};

pub use self::framing::{FramingError, check_request};
pub use self::request::{CLIENT_ID, CLIENT_SCOPE, ClientAuthorization, Outgoing, Proto, sanitise_request};
pub use self::response::{ResponseError, Returning, sanitise_response};
pub use self::trailers::filter_trailers;

/// The `Via` entry for a message received as `version` (RFC 9110 §7.6.3).
fn via(version: Version) -> HeaderValue {
    HeaderValue::from_static(match version {
        Version::HTTP_10 => "1.0 tollgate",
        Version::HTTP_2 => "2 tollgate",
        _ => "1.1 tollgate",
    })
}

#[cfg(test)]
mod tests;
