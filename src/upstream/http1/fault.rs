//! What can go wrong with a request on an HTTP/1.1 connection.

use std::fmt;
use std::io;

use crate::headers::ResponseError;

/// Why there is no answer, or no more of it.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum Fault {
    /// The server closed the connection.
    Closed,
    /// The connection broke.
    Io(io::Error),
    /// What came is not an answer that could be passed on.
    Bad(&'static str),
    /// Two readers might see its end in two places.
    Framing(ResponseError),
    /// The request's own body broke off.
    Request,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Io(error) => write!(f, "the connection to the server broke: {error}"),
            Self::Bad(what) => write!(f, "the server's answer is no HTTP that could be passed on: {what}"),
            Self::Framing(error) => error.fmt(f),
            Self::Request => f.write_str("the request's body broke off"),
        }
    }
}

impl std::error::Error for Fault {}
