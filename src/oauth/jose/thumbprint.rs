//! SHA-256 thumbprints that a token is bound to: `cnf.jkt` and `cnf.x5t#S256`.

use super::base64url;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// The thumbprint of a public key (RFC 7638): `jkt` in RFC 9449 §6.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyThumbprint([u8; 32]);

/// The SHA-256 of a certificate's DER: `x5t#S256` in RFC 8705 §3.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateThumbprint([u8; 32]);

impl KeyThumbprint {
    /// The thumbprint of a key whose required members, in order and without white space, are `canonical`.
    pub(super) fn of(canonical: &str) -> Self {
        Self(Sha256::digest(canonical).into())
    }

    /// One whose bytes are known, as a token's record keeps them.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// One as it is written: 43 base64url characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        base64url::decode_array(text).map(Self)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl CertificateThumbprint {
    /// The thumbprint of a certificate as it came over TLS (DER).
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// One whose bytes are known: TLS libraries compute the same digest.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// One as it is written: 43 base64url characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        base64url::decode_array(text).map(Self)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Display for CertificateThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyThumbprint({self})")
    }
}

impl fmt::Debug for CertificateThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateThumbprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_back() {
        let text = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(KeyThumbprint::parse(text).unwrap().to_string(), text);
        // SHA-256 of nothing, a constant of its own.
        assert_eq!(CertificateThumbprint::of(b"").to_string(), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
        for text in [
            "",
            "NzbLsXh8",
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs=",
            "NzbLsXh8uDCcd+6MNwXF4W/7noWXFZAfHkxZsRGC9Xs",
        ] {
            assert_eq!(KeyThumbprint::parse(text), None, "{text}");
            assert_eq!(CertificateThumbprint::parse(text), None, "{text}");
        }
    }
}
