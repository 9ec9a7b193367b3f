//! The error of a request for which the upstream returned no response.

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::response;
use crate::upstream::downstream::BodyFault;
use crate::upstream::http1::fault::Fault;

/// Why the upstream returned no response.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum ForwardError {
    /// No server is healthy: 503.
    NoServer,
    /// The server refuses connections or breaks them: 502.
    Unreachable(String),
    /// The connection or the response timed out: 504.
    TooSlow,
    /// The server's response is invalid: 502.
    InvalidResponse(String),
    /// The request body failed: 413, 400 or 408. If the token ended during the request, the gate responds
    /// with 401.
    Body(BodyFault),
    /// The client has disconnected.
    ClientGone,
}

impl ForwardError {
    /// Returns the response for the client. It does not reveal the server's name or address.
    #[must_use]
    pub(crate) fn to_response(&self) -> Response<Full<Bytes>> {
        let (status, detail) = match self {
            Self::NoServer => {
                (StatusCode::SERVICE_UNAVAILABLE, "no server of this API is available: try again later")
            }
            Self::Unreachable(_) => {
                (StatusCode::BAD_GATEWAY, "the API behind this gateway cannot be reached")
            }
            Self::InvalidResponse(_) => {
                (StatusCode::BAD_GATEWAY, "the API behind this gateway gave no valid answer")
            }
            Self::TooSlow => {
                (StatusCode::GATEWAY_TIMEOUT, "the API behind this gateway did not answer in time")
            }
            Self::Body(BodyFault::TooLarge) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "the request body is larger than this API takes")
            }
            Self::Body(BodyFault::BrokenOff) | Self::ClientGone => {
                (StatusCode::BAD_REQUEST, "the request body broke off")
            }
            Self::Body(_) => (StatusCode::REQUEST_TIMEOUT, "the request body did not arrive in time"),
        };
        let mut response = response::problem(status, detail);
        if matches!(self, Self::NoServer) {
            // The default interval of health checks.
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer => f.write_str("no server is healthy"),
            Self::Unreachable(reason) => write!(f, "no connection to a server: {reason}"),
            Self::TooSlow => f.write_str("no response in time"),
            Self::InvalidResponse(reason) => write!(f, "no valid response: {reason}"),
            Self::Body(fault) => write!(f, "the request: {fault}"),
            Self::ClientGone => f.write_str("the client has gone"),
        }
    }
}

impl Error for ForwardError {}

impl From<Fault> for ForwardError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Closed | Fault::Cut | Fault::Io(_) => Self::Unreachable(fault.to_string()),
            Fault::Response(_) | Fault::Chunk(_) => Self::InvalidResponse(fault.to_string()),
            Fault::Body(fault) => Self::Body(fault),
        }
    }
}
