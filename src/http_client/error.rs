//! Why an exchange has no response.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;
use std::{fmt, io};

use tokio_rustls::rustls::{CertificateError, Error as TlsError};

/// Why an exchange has no response.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum HttpError {
    /// The URL is not `http` or `https`, or names no host.
    Url,
    /// The URL is `http`, and the server is not on this machine.
    PlainHttp,
    /// The server does not accept the connection, or its name has no address.
    Connect(io::Error),
    /// The name resolves to an address that [`Bounds::accepts`](super::Bounds::accepts) refuses.
    Address { name: String, address: IpAddr },
    /// The server is not trusted, or TLS fails otherwise.
    Tls(io::Error),
    /// The response is not HTTP, or ends early.
    Http(hyper::Error),
    /// The body is longer than this, in bytes.
    TooLarge(usize),
    /// There is no whole response after this time.
    TimedOut(Duration),
}

impl HttpError {
    /// Returns the error of the server's certificate, if it is the reason why there is no response.
    pub(crate) fn certificate(&self) -> Option<&CertificateError> {
        let Self::Tls(error) = self else { return None };
        match error.get_ref()?.downcast_ref::<TlsError>()? {
            TlsError::InvalidCertificate(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("the URL must begin with https:// or http:// and name a host"),
            Self::PlainHttp => f.write_str("the URL must be https://, or http:// on loopback"),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Address { name, address } => write!(
                f,
                "the name {name} has the address {address}, at which clouds have credentials, so it is not \
                 connected to"
            ),
            Self::Tls(error) => write!(f, "TLS fails: {error}"),
            Self::Http(error) => write!(f, "the response is not complete HTTP: {error}"),
            Self::TooLarge(limit) => write!(f, "the response is longer than {limit} bytes"),
            Self::TimedOut(limit) => write!(f, "no complete response within {} s", limit.as_secs()),
        }
    }
}

impl Error for HttpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect(error) | Self::Tls(error) => Some(error),
            Self::Http(error) => Some(error),
            Self::Url | Self::PlainHttp | Self::Address { .. } | Self::TooLarge(_) | Self::TimedOut(_) => {
                None
            }
        }
    }
}
