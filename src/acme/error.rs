//! Why no certificate was issued.

use std::path::PathBuf;
use std::{error, fmt, io};

use crate::http_client::HttpError;
use crate::tls::error::TlsError;

/// Why no certificate was issued, or why a stored one cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum AcmeError {
    /// The authority refuses a request, or its response is not ACME.
    Protocol(instant_acme::Error),
    /// The authority cannot be reached.
    Unreachable(HttpError),
    /// The authority could not validate that the domain leads to this gateway.
    NotValidated(Option<String>),
    /// The authority offers no TLS-ALPN-01 challenge for the domain.
    NoChallenge,
    /// The certificate that the authority has issued cannot be used.
    Unusable(TlsError),
    /// The certificate that the authority has issued is not for the domain, or has expired.
    NotForDomain,
    /// A key or a certificate request cannot be made.
    Generate(rcgen::Error),
    /// TLS cannot be set up.
    Tls(rustls::Error),
    /// A file in `state_dir` cannot be read or written.
    File(PathBuf, io::Error),
    /// Other users can read a file with a private key.
    ReadableByOthers(PathBuf),
    /// A file in `state_dir` does not have the form in which this program writes it.
    Malformed(PathBuf),
}

impl AcmeError {
    /// Returns the type of the authority's problem document, such as `rateLimited`.
    pub(super) fn problem(&self) -> Option<&str> {
        let Self::Protocol(instant_acme::Error::Api(problem)) = self else { return None };
        problem.r#type.as_deref()?.rsplit(':').next()
    }
}

impl From<instant_acme::Error> for AcmeError {
    fn from(error: instant_acme::Error) -> Self {
        match error {
            instant_acme::Error::Other(source) => match source.downcast::<HttpError>() {
                Ok(source) => Self::Unreachable(*source),
                Err(source) => Self::Protocol(instant_acme::Error::Other(source)),
            },
            error => Self::Protocol(error),
        }
    }
}

impl fmt::Display for AcmeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(instant_acme::Error::Api(problem)) => {
                f.write_str("the authority refuses the request")?;
                if let Some(detail) = &problem.detail {
                    write!(f, ": {detail}")?;
                }
                let kind = problem.r#type.as_deref().unwrap_or("about:blank");
                write!(f, " ({kind})")?;
                problem.subproblems.iter().try_for_each(|problem| write!(f, "; {problem}"))
            }
            Self::Protocol(error) => write!(f, "the authority does not answer as ACME wants: {error}"),
            Self::Unreachable(error) => write!(f, "the authority cannot be reached: {error}"),
            Self::NotValidated(detail) => {
                f.write_str("the authority could not validate that the domain leads to this gateway")?;
                match detail {
                    Some(detail) => write!(f, ": {detail}"),
                    None => Ok(()),
                }
            }
            Self::NoChallenge => f.write_str("the authority does not offer the challenge tls-alpn-01"),
            Self::Unusable(error) => error.fmt(f),
            Self::NotForDomain => {
                f.write_str("the authority has issued a certificate that is for other names or not valid now")
            }
            Self::Generate(error) => write!(f, "cannot make a certificate request: {error}"),
            Self::Tls(error) => write!(f, "cannot set up TLS: {error}"),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::ReadableByOthers(path) => write!(
                f,
                "other users can read {0}, which has a private key: chmod 600 {0}, and remove it instead if they may \
                 have done so",
                path.display()
            ),
            Self::Malformed(path) => {
                write!(
                    f,
                    "{} is not as the gateway wrote it: remove it, and it is made again",
                    path.display()
                )
            }
        }
    }
}

impl error::Error for AcmeError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Protocol(error) => Some(error),
            Self::Unreachable(error) => Some(error),
            Self::Unusable(error) => Some(error),
            Self::Generate(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::File(_, error) => Some(error),
            Self::NotValidated(_)
            | Self::NoChallenge
            | Self::NotForDomain
            | Self::ReadableByOthers(_)
            | Self::Malformed(_) => None,
        }
    }
}
