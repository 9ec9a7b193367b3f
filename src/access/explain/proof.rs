//! A key that a token is bound to, and DPoP proofs of its possession (RFC 9449).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, Method};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::oauth::jose::Jwk;
use crate::oauth::thumbprint::Thumbprint;

/// A key pair that is made for one explanation.
pub(super) struct ProofKey(Ed25519KeyPair);

impl ProofKey {
    /// Makes a key. Returns `None` if the system provides no random bytes.
    pub(super) fn generate() -> Option<Self> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?;
        Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).ok().map(Self)
    }

    fn public(&self) -> serde_json::Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(self.0.public_key().as_ref()) })
    }

    /// Returns the confirmation of a token that is bound to the key.
    pub(super) fn thumbprint(&self) -> Option<Thumbprint> {
        let key = Jwk::parse(self.public().to_string().as_bytes()).ok()?;
        Some(key.thumbprint())
    }

    /// Returns a proof for one request with a token. `now` is in Unix seconds.
    pub(super) fn prove(&self, method: &Method, url: &str, token: &str, now: u64) -> Option<HeaderValue> {
        let header = json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": self.public() });
        let ath = encode(Sha256::digest(token));
        let claims = json!({ "jti": "explain", "htm": method.as_str(), "htu": url, "iat": now, "ath": ath });
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = encode(self.0.sign(signed.as_bytes()));
        HeaderValue::try_from(format!("{signed}.{signature}")).ok()
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
