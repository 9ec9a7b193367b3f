//! New secrets for clients, and new initial access tokens.

use std::error::Error;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::gate::{SecretHash, SecretHashError};
use crate::oauth::registration::{RegistrationToken, TokenKind};
use crate::oauth::secret::Secret;

/// The reason why a secret cannot be created.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum NewSecretError {
    /// The system provides no random bytes.
    Randomness(getrandom::Error),
    /// The secret cannot be hashed.
    Hash(SecretHashError),
}

impl fmt::Display for NewSecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Randomness(error) => write!(f, "the system gives no random bytes: {error}"),
            Self::Hash(error) => write!(f, "the new secret cannot be hashed: {error}"),
        }
    }
}

impl Error for NewSecretError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Randomness(error) => Some(error),
            Self::Hash(error) => Some(error),
        }
    }
}

/// Creates a secret from 256 random bits, and its hash.
///
/// # Errors
/// Fails with [`NewSecretError`] if the system provides no random bytes, or if hashing fails.
pub(crate) fn generate() -> Result<(Secret, SecretHash), NewSecretError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(NewSecretError::Randomness)?;
    let secret = Secret::new(URL_SAFE_NO_PAD.encode(random));
    let hash = hash(&secret)?;
    Ok((secret, hash))
}

/// Creates an initial access token from 256 random bits, and its digest.
///
/// # Errors
/// Fails with [`NewSecretError`] if the system provides no random bytes.
pub(crate) fn initial_token() -> Result<(Secret, RegistrationToken), NewSecretError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(NewSecretError::Randomness)?;
    Ok(RegistrationToken::from_random(TokenKind::Initial, &random))
}

/// Hashes a secret with a random salt.
///
/// # Errors
/// Fails with [`NewSecretError`] if the system provides no random bytes, or if hashing fails.
pub(crate) fn hash(secret: &Secret) -> Result<SecretHash, NewSecretError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(NewSecretError::Randomness)?;
    SecretHash::of(secret, &salt).map_err(NewSecretError::Hash)
}
