//! The signing key of a client, for assertions (RFC 7523) and DPoP proofs (RFC 9449).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// An Ed25519 key.
pub(crate) struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Creates a key.
    pub(crate) fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key"))
    }

    /// Returns the public key with `extra` members (`,"name":value`).
    pub(crate) fn jwk(&self, extra: &str) -> String {
        let x = encode(self.0.public_key().as_ref());
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"{extra}}}"#)
    }

    /// Returns the thumbprint (RFC 7638).
    pub(crate) fn thumbprint(&self) -> String {
        let x = encode(self.0.public_key().as_ref());
        encode(&Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
    }

    /// Signs `claims` and `header` without changing them.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let signature = encode(self.0.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }

    /// Returns a new assertion of `client` for `audience`, valid for a minute.
    pub(crate) fn assertion(&self, kid: &str, client: &str, audience: &str) -> String {
        let (jti, now) = (unique(), now());
        let expires = now + 60;
        self.sign(
            &format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#),
            &format!(
                r#"{{"iss":"{client}","sub":"{client}","aud":"{audience}","jti":"{jti}","iat":{now},"exp":{expires}}}"#
            ),
        )
    }

    /// Returns a complete `DPoP` line with a new proof, for `token` if there is one.
    pub(crate) fn dpop(&self, method: &str, uri: &str, token: Option<&str>) -> String {
        let ath = token.map(|token| format!(r#","ath":"{}""#, encode(&Sha256::digest(token))));
        let (jti, now, ath) = (unique(), now(), ath.unwrap_or_default());
        let header = format!(r#"{{"typ":"dpop+jwt","alg":"EdDSA","jwk":{}}}"#, self.jwk(""));
        let claims = format!(r#"{{"jti":"{jti}","htm":"{method}","htu":"{uri}","iat":{now}{ath}}}"#);
        format!("DPoP: {}", self.sign(&header, &claims))
    }
}

/// Encodes base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the time in Unix seconds, rounded up: a gateway refuses what may have been signed before it
/// started, and a test starts one and signs within one second.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() + 1
}

/// Returns an unused `jti`.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("jti-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
