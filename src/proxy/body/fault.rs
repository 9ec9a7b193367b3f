//! What can break the body of a request or of a response.

use std::error::Error;
use std::fmt;

/// What broke a body off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum BodyFault {
    /// A request's body is longer than the route allows.
    TooLarge,
    /// Nothing came for too long.
    TooSlow,
    /// The token that the stream runs on expired or was revoked.
    TokenEnded,
    /// The client did not send it to its end.
    BrokenOff,
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the body is longer than allowed",
            Self::TooSlow => "the body did not go on in time",
            Self::TokenEnded => "the access token of the stream ended",
            Self::BrokenOff => "the body broke off",
        })
    }
}

impl Error for BodyFault {}
