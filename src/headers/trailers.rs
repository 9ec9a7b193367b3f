//! Selects the trailers that are forwarded.

use http::header;
use http::{HeaderMap, HeaderName};

use super::class::Class;
use super::rules::RequestRules;
use super::spelling::same_variable;

/// Removes the trailers that would frame, route, authenticate or identify the message, or change how it is
/// read (RFC 9110 §6.5.1), in any spelling: some servers merge trailers into the headers. `rules` has the
/// headers that the gateway removes or sets itself. All others are forwarded, including the gRPC status.
pub(crate) fn filter_trailers(trailers: &mut HeaderMap, rules: Option<&RequestRules>) {
    let unwanted = |name: &&HeaderName| !passes_as_trailer(name.as_str().as_bytes(), rules);
    let unwanted: Vec<HeaderName> = trailers.keys().filter(unwanted).cloned().collect();
    for name in unwanted {
        trailers.remove(name);
    }
}

/// Returns whether a trailer of this name is forwarded: see [`filter_trailers`].
pub(crate) fn passes_as_trailer(name: &[u8], rules: Option<&RequestRules>) -> bool {
    let is = |other: &HeaderName| same_variable(other.as_str().as_bytes(), name);
    Class::of(name).0 == Class::Other
        && !rules.is_some_and(|rules| rules.removes(name))
        && !NOT_IN_TRAILERS.iter().any(is)
}

/// Headers without a class that are evaluated before the body is read.
static NOT_IN_TRAILERS: [HeaderName; 26] = [
    // Authentication.
    header::COOKIE,
    header::SET_COOKIE,
    header::WWW_AUTHENTICATE,
    // How to read the body.
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    // What is requested.
    header::CACHE_CONTROL,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::MAX_FORWARDS,
    header::ORIGIN,
    header::PRAGMA,
    header::RANGE,
    // How to handle the response.
    header::AGE,
    header::DATE,
    header::EXPIRES,
    header::LOCATION,
    header::RETRY_AFTER,
    header::STRICT_TRANSPORT_SECURITY,
    header::VARY,
    header::WARNING,
];
