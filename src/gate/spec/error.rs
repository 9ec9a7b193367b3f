use std::fmt;

use crate::gate::secret_hash::SecretHashError;
use crate::oauth::scope::{AudienceError, ScopeError};

/// The error in the settings of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecError {
    /// The client id is empty, is not visible ASCII, or begins or ends with a space.
    ClientId,
    /// A scope is not allowed by RFC 6749 §3.3.
    Scope(ScopeError),
    /// An audience is not allowed by RFC 8707 §2.
    Audience(AudienceError),
    /// The hash of a secret is not acceptable.
    SecretHash(SecretHashError),
    /// An origin is not a scheme, a host and perhaps a port.
    PublicOrigin,
    /// The operating system provides no randomness for a salt.
    Randomness,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientId => {
                f.write_str("a client id is visible ASCII, and neither begins nor ends with a space")
            }
            Self::Scope(error) => write!(f, "scope: {error}"),
            Self::Audience(error) => write!(f, "audience: {error}"),
            Self::SecretHash(error) => write!(f, "the secret {error}"),
            Self::PublicOrigin => f.write_str(
                "a public origin is https:// or http://, a host, and perhaps a port, and nothing else",
            ),
            Self::Randomness => f.write_str("no randomness for the salt of a secret"),
        }
    }
}

impl std::error::Error for SpecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Scope(error) => Some(error),
            Self::Audience(error) => Some(error),
            Self::SecretHash(error) => Some(error),
            Self::ClientId | Self::PublicOrigin | Self::Randomness => None,
        }
    }
}

impl From<ScopeError> for SpecError {
    fn from(error: ScopeError) -> Self {
        Self::Scope(error)
    }
}

impl From<AudienceError> for SpecError {
    fn from(error: AudienceError) -> Self {
        Self::Audience(error)
    }
}

impl From<SecretHashError> for SpecError {
    fn from(error: SecretHashError) -> Self {
        Self::SecretHash(error)
    }
}
