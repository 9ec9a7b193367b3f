//! The client's side of an exchange, as far as an upstream connection needs it.

use std::error::Error;
use std::fmt;
use std::task::{Context, Poll};

use super::alarm::Alarm;
use crate::http1::ResponseHead;

/// Why a request body ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum BodyFault {
    /// A request's body is longer than the route allows.
    TooLarge,
    /// No data arrived for too long.
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

/// The client's side of an exchange. It is lent to each poll, so that the request's body and the response can
/// be under way at once over one socket.
pub(crate) trait Downstream {
    /// Appends the next piece of the request's body to `out`, framed as its head says it is. Ready with true:
    /// this was the last piece, which includes the end of the body.
    fn poll_body(&mut self, out: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Result<bool, BodyFault>>;

    /// Returns the number of body bytes that the client has sent so far.
    fn body_bytes(&self) -> u64;

    /// Passes an interim response on (RFC 9110 §15.2), or drops it where the client cannot be sent one.
    fn interim(&mut self, head: ResponseHead<'_>);

    /// Serves the client while the gateway waits for the upstream: pending output is written. Completes if
    /// the client has disconnected, so that no response is needed.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// The timer of the task that serves the client.
    fn alarm(&mut self) -> &mut Alarm;
}
