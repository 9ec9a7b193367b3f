use std::error::Error;
use std::fmt;

use http::StatusCode;

/// A cause that is another crate's error.
pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// The error when a [`RemoteGate`](super::RemoteGate) cannot be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum RemoteGateError {
    /// The URL is neither `https://` nor `http://` on loopback, or it has user information, a query or a
    /// fragment.
    Url,
    /// The credentials do not fit into an `Authorization` header, because they are too long.
    Credentials,
    /// The trusted certificates are not PEM, or TLS cannot be set up with them.
    Tls(Cause),
    /// An origin is not a scheme, a host and perhaps a port.
    PublicOrigin,
    /// The operating system provides no randomness.
    Randomness(getrandom::Error),
}

impl fmt::Display for RemoteGateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str(
                "the introspection URL must be https://, or http:// on loopback, without a query or a fragment",
            ),
            Self::Credentials => f.write_str("the credentials do not fit into a header"),
            Self::Tls(error) => write!(f, "cannot set up TLS: {error}"),
            Self::PublicOrigin => f.write_str(
                "a public origin is https:// or http://, a host, and perhaps a port, and nothing else",
            ),
            Self::Randomness(error) => write!(f, "no randomness: {error}"),
        }
    }
}

impl Error for RemoteGateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Tls(error) => Some(&**error),
            Self::Randomness(error) => Some(error),
            Self::Url | Self::Credentials | Self::PublicOrigin => None,
        }
    }
}

/// The reason why the introspection endpoint gave no answer about a token. The request is answered with 503.
#[derive(Debug)]
#[non_exhaustive]
pub enum IntrospectionError {
    /// Too many requests are waiting for the endpoint.
    Busy,
    /// There was no answer in time.
    TooSlow,
    /// The endpoint cannot be reached, or it broke the connection.
    Unreachable(Cause),
    /// The endpoint answered with another status than 200. 401 means that it does not accept the credentials,
    /// 400 that the client may not introspect, and 3xx that the URL is not the endpoint's: redirects are not
    /// followed.
    Status(StatusCode),
    /// The answer is longer than 16 KiB.
    TooLarge,
    /// The answer is not one of an introspection endpoint.
    Malformed(&'static str),
}

impl fmt::Display for IntrospectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("too many requests are waiting for the introspection endpoint"),
            Self::TooSlow => f.write_str("the introspection endpoint did not answer in time"),
            Self::Unreachable(error) => {
                write!(f, "the introspection endpoint cannot be reached")?;
                let mut cause: Option<&dyn Error> = Some(&**error);
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
            Self::Status(StatusCode::UNAUTHORIZED) => {
                f.write_str("the introspection endpoint does not accept the client id and secret (401)")
            }
            Self::Status(StatusCode::BAD_REQUEST) => f.write_str(
                "the introspection endpoint refuses the request (400): does the client have the capability \
                 \"introspection\"?",
            ),
            Self::Status(status) => write!(f, "the introspection endpoint answered {status}"),
            Self::TooLarge => f.write_str("the answer of the introspection endpoint is longer than 16 KiB"),
            Self::Malformed(what) => {
                write!(f, "the answer of the introspection endpoint is malformed: {what}")
            }
        }
    }
}

impl Error for IntrospectionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreachable(error) => Some(&**error),
            _ => None,
        }
    }
}
