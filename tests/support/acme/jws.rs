//! The signatures of requests (RFC 8555 §6.2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A key of an account, on P-256.
#[derive(Clone, PartialEq)]
pub(super) struct PublicKey {
    x: String,
    y: String,
}

/// A request with a protected header.
pub(super) struct Jws {
    pub(super) header: Value,
    /// `None` is POST-as-GET.
    pub(super) payload: Option<Value>,
    signed: String,
    signature: Vec<u8>,
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

impl PublicKey {
    pub(super) fn parse(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk[name].as_str().map(str::to_owned);
        (jwk["kty"] == "EC" && jwk["crv"] == "P-256").then_some(())?;
        Some(Self { x: text("x")?, y: text("y")? })
    }

    fn point(&self) -> Option<Vec<u8>> {
        Some([vec![4], decode(&self.x)?, decode(&self.y)?].concat())
    }

    /// Returns the thumbprint (RFC 7638).
    pub(super) fn thumbprint(&self) -> String {
        let Self { x, y } = self;
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(Sha256::digest(text))
    }
}

impl Jws {
    pub(super) fn parse(value: &Value) -> Option<Self> {
        let (protected, payload) = (value["protected"].as_str()?, value["payload"].as_str()?);
        let header = serde_json::from_slice(&decode(protected)?).ok()?;
        let body = match payload {
            "" => None,
            payload => Some(serde_json::from_slice(&decode(payload)?).ok()?),
        };
        let signature = decode(value["signature"].as_str()?)?;
        Some(Self { header, payload: body, signed: format!("{protected}.{payload}"), signature })
    }

    pub(super) fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.header["alg"] == "ES256"
            && key.point().is_some_and(|point| {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                key.verify(self.signed.as_bytes(), &self.signature).is_ok()
            })
    }

    /// Verifies an external account binding (RFC 8555 §7.3.4).
    pub(super) fn binds(&self, account: &PublicKey, kid: &str, key: &[u8], url: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        self.header["alg"] == "HS256"
            && self.header["kid"] == kid
            && self.header["url"] == url
            && self.header.get("nonce").is_none()
            && self.payload.as_ref().and_then(PublicKey::parse).as_ref() == Some(account)
            && hmac::verify(&key, self.signed.as_bytes(), &self.signature).is_ok()
    }
}
