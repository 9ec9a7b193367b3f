//! SHA-256 thumbprints of keys and certificates, as base64url on the wire (RFC 7638 §3, RFC 8705 §3.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 43 characters of base64url.
#[must_use]
pub fn encode(print: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(print)
}

/// The thumbprint of 43 characters of base64url; nothing for any other text.
#[must_use]
pub fn decode(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
