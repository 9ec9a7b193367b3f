//! Errors of a request on an HTTP/1.1 connection.

use std::fmt;
use std::io;

use crate::http1::{ChunkFault, ResponseFault};
use crate::upstream::downstream::BodyFault;

/// The reason why there is no response, or why it is incomplete.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum Fault {
    /// The server closed the connection without sending a response.
    Closed,
    /// The server closed the connection within its response.
    Cut,
    /// The connection failed.
    Io(io::Error),
    /// The server sent something that is not a response that can be forwarded.
    Response(ResponseFault),
    /// A chunked body is malformed.
    Chunk(ChunkFault),
    /// The body of the request failed.
    Body(BodyFault),
}

impl Fault {
    /// Returns whether the connection caused the error. The request may then be retried if that is safe.
    pub(crate) fn is_of_connection(&self) -> bool {
        matches!(self, Self::Closed | Self::Cut | Self::Io(_))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Cut => f.write_str("the server closed the connection within its response"),
            Self::Io(error) => write!(f, "the connection to the server broke: {error}"),
            Self::Response(fault) => fault.fmt(f),
            Self::Chunk(fault) => write!(f, "the body of the server's response: {fault}"),
            Self::Body(fault) => write!(f, "the request: {fault}"),
        }
    }
}

impl std::error::Error for Fault {}
