//! A private key that signs JWTs, and its public key as a JWK.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::oauth::access_jwt::{self, AccessClaims};
use crate::oauth::jose::{Jwk, SigningAlgorithm};

/// A key that signs JWTs.
pub(crate) struct SigningKey {
    pair: Pair,
    kid: String,
    /// The header of the JWTs that this key signs, in base64url.
    header: String,
    /// The public key.
    jwk: Value,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why a private key cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SigningKeyError {
    /// It is neither a P-256 nor an Ed25519 key in PKCS #8.
    Unsupported,
    /// The system has no random bytes.
    Randomness,
}

impl fmt::Display for SigningKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsupported => "is not a P-256 or Ed25519 key in PKCS #8",
            Self::Randomness => "cannot be made, because the system has no random bytes",
        })
    }
}

impl std::error::Error for SigningKeyError {}

impl SigningKey {
    /// Makes the PKCS #8 document of a new key.
    ///
    /// # Errors
    /// Fails if the system has no random bytes.
    pub(crate) fn generate(algorithm: SigningAlgorithm) -> Result<Zeroizing<Vec<u8>>, SigningKeyError> {
        let random = SystemRandom::new();
        let document = match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
        };
        let document = document.map_err(|_| SigningKeyError::Randomness)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// Reads a key from its PKCS #8 document.
    ///
    /// # Errors
    /// Fails if the document is not a P-256 or Ed25519 key.
    pub(crate) fn from_pkcs8(document: &[u8]) -> Result<Self, SigningKeyError> {
        let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document, &SystemRandom::new());
        let pair = match p256 {
            Ok(pair) => Pair::P256(pair),
            // OpenSSL writes Ed25519 keys without the public key.
            Err(_) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(document)
                .map(Pair::Ed25519)
                .map_err(|_| SigningKeyError::Unsupported)?,
        };
        let encode = |bytes: &[u8]| access_jwt::encode(bytes);
        let mut jwk = match &pair {
            Pair::P256(pair) => match pair.public_key().as_ref() {
                // An uncompressed point (SEC 1 §2.3.3).
                [4, point @ ..] if point.len() == 64 => {
                    let (x, y) = point.split_at(32);
                    json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
                }
                _ => return Err(SigningKeyError::Unsupported),
            },
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        };
        let public = Jwk::parse(jwk.to_string().as_bytes()).map_err(|_| SigningKeyError::Unsupported)?;
        let kid = public.thumbprint().to_string();
        let algorithm = pair.algorithm();
        for (name, value) in [("use", "sig"), ("alg", algorithm.name()), ("kid", &kid)] {
            jwk[name] = Value::from(value);
        }
        Ok(Self { header: access_jwt::header(algorithm, &kid), pair, kid, jwk })
    }

    /// Returns the key's id: its thumbprint (RFC 7638).
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the algorithm of its signatures.
    pub(crate) fn algorithm(&self) -> SigningAlgorithm {
        self.pair.algorithm()
    }

    /// Returns the public key.
    pub(crate) fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Signs claims.
    ///
    /// # Errors
    /// Fails if the system has no random bytes.
    pub(crate) fn sign(&self, claims: &AccessClaims<'_>) -> Result<String, SigningKeyError> {
        let input = access_jwt::signing_input(&self.header, claims);
        Ok(match &self.pair {
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), input.as_bytes());
                let signature = signature.map_err(|_| SigningKeyError::Randomness)?;
                access_jwt::with_signature(input, signature.as_ref())
            }
            Pair::Ed25519(pair) => {
                let signature = pair.sign(input.as_bytes());
                access_jwt::with_signature(input, signature.as_ref())
            }
        })
    }
}

impl Pair {
    fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::P256(_) => SigningAlgorithm::Es256,
            Self::Ed25519(_) => SigningAlgorithm::EdDsa,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm(), self.kid)
    }
}
