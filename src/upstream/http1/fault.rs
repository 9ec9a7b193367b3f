//! What can go wrong with a request on an HTTP/1.1 connection.

use std::fmt;
use std::io;

use crate::http1::{ChunkFault, ResponseFault};
use crate::upstream::downstream::BodyFault;

/// Why there is no response, or no more of it.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum Fault {
    /// The server closed the connection without a word.
    Closed,
    /// The server closed the connection within its response.
    Cut,
    /// The connection broke.
    Io(io::Error),
    /// What came is not a response that could be passed on.
    Response(ResponseFault),
    /// A chunked body is malformed.
    Chunk(ChunkFault),
    /// The request's own body broke off.
    Body(BodyFault),
}

impl Fault {
    /// Whether the connection is at fault: the request may be sent again where that is safe.
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
