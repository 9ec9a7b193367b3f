//! The usual in-process alternative: a JWT, verified by the `jsonwebtoken` crate.
//!
//! The crate's own cryptography backends would add another C library, or an RSA implementation with an open
//! advisory. It uses ring instead, which is what its aws-lc backend does with a fork of the same code.

use http::{HeaderMap, HeaderValue, header};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};

/// The claims that correspond to one of our tokens.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    sub: String,
    scope: String,
    iat: u64,
    exp: u64,
}

impl Claims {
    pub(crate) fn may_read(self) -> bool {
        self.scope.split(' ').any(|scope| scope == "read")
    }
}

/// A token, and the key and rules to verify it.
pub(crate) struct Jwt {
    text: String,
    key: DecodingKey,
    validation: Validation,
}

impl Jwt {
    pub(crate) fn hs256() -> Self {
        let secret = [7; 32];
        Self::new(Algorithm::HS256, &EncodingKey::from_secret(&secret), DecodingKey::from_secret(&secret))
    }

    pub(crate) fn es256() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key just made");
        let public = DecodingKey::from_ec_der(pair.public_key().as_ref());
        Self::new(Algorithm::ES256, &EncodingKey::from_ec_der(pkcs8.as_ref()), public)
    }

    fn new(algorithm: Algorithm, signing: &EncodingKey, key: DecodingKey) -> Self {
        // Already set by the other algorithm's constructor.
        let _ = PROVIDER.install_default();
        let now = jsonwebtoken::get_current_timestamp();
        let claims = Claims {
            iss: "https://localhost:8443".to_owned(),
            sub: "server".to_owned(),
            scope: "read write".to_owned(),
            iat: now,
            exp: now + 3600,
        };
        let text = jsonwebtoken::encode(&Header::new(algorithm), &claims, signing).expect("a signed token");
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&["https://localhost:8443"]);
        Self { text, key, validation }
    }

    pub(crate) fn credential(&self) -> HeaderValue {
        HeaderValue::from_str(&format!("Bearer {}", self.text)).expect("a header value")
    }

    pub(crate) fn verify(&self, headers: &HeaderMap) -> Option<Claims> {
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        jsonwebtoken::decode(token, &self.key, &self.validation).ok().map(|token| token.claims)
    }
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())))),
        Algorithm::ES256 => {
            let pair = EcdsaKeyPair::from_pkcs8(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                key.as_bytes(),
                &SystemRandom::new(),
            );
            Ok(Box::new(Es256Signer(pair.map_err(|_| ErrorKind::InvalidEcdsaKey)?)))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(hmac::Key::new(hmac::HMAC_SHA256, key.try_get_as_bytes()?)))),
        Algorithm::ES256 => Ok(Box::new(Es256Verifier(key.clone()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

struct Hs256(hmac::Key);
struct Es256Signer(EcdsaKeyPair);
struct Es256Verifier(DecodingKey);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        hmac::verify(&self.0, message, signature).map_err(|_| Error::new())
    }
}

impl Signer<Vec<u8>> for Es256Signer {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(|_| Error::new())?;
        Ok(signature.as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for Es256Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let key = self.0.try_get_as_bytes().map_err(|_| Error::new())?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
            .verify(message, signature)
            .map_err(|_| Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtSigner for Es256Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

impl JwtVerifier for Es256Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}
