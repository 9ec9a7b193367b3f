//! Trailers.

use http::header;
use http::{HeaderMap, HeaderName};

use super::class::Class;
use super::rules::RequestRules;
use super::spelling::same_variable;

/// Drops the trailers that would frame, route, authenticate, identify or change how the message is to be read
/// (RFC 9110 §6.5.1), in any spelling: some servers merge trailers into the headers. `rules` has the headers that the
/// gateway removes or sets itself. All others go through, gRPC's status among them.
pub(crate) fn filter_trailers(trailers: &mut HeaderMap, rules: Option<&RequestRules>) {
    let unwanted = |name: &&HeaderName| !passes_as_trailer(name.as_str().as_bytes(), rules);
    let unwanted: Vec<HeaderName> = trailers.keys().filter(unwanted).cloned().collect();
    for name in unwanted {
        trailers.remove(name);
    }
}

/// Whether a trailer of this name goes through: see [`filter_trailers`].
pub(crate) fn passes_as_trailer(name: &[u8], rules: Option<&RequestRules>) -> bool {
    let is = |other: &HeaderName| same_variable(other.as_str().as_bytes(), name);
    Class::of(name).0 == Class::Other
        && !rules.is_some_and(|rules| rules.removes(name))
        && !NOT_IN_TRAILERS.iter().any(is)
}

/// Headers that decide something before the body is read, besides those that have a class.
static NOT_IN_TRAILERS: [HeaderName; 26] = [
    // Authenticate.
    header::COOKIE,
    header::SET_COOKIE,
    header::WWW_AUTHENTICATE,
    // Say how to read the body.
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    // Change what is asked for.
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
    // Control what is done with the answer.
    header::AGE,
    header::DATE,
    header::EXPIRES,
    header::LOCATION,
    header::RETRY_AFTER,
    header::STRICT_TRANSPORT_SECURITY,
    header::VARY,
    header::WARNING,
];
