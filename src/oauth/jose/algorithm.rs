//! The signature algorithms.

use std::fmt;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519, under its older name `EdDSA` or the fully-specified `Ed25519`.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

impl Algorithm {
    /// All supported names, as the metadata lists them (`token_endpoint_auth_signing_alg_values_supported`,
    /// `dpop_signing_alg_values_supported`).
    pub const NAMES: &'static [&'static str] = &["ES256", "EdDSA", "Ed25519", "RS256", "PS256"];

    /// Returns the algorithm with a name. Names are case-sensitive (RFC 7515 §4.1.1).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            _ => None,
        }
    }

    /// Returns the name in a header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An algorithm with which the gateway signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl SigningAlgorithm {
    /// Returns the name in a header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => Algorithm::Es256.name(),
            Self::EdDsa => Algorithm::EdDsa.name(),
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_has_a_name() {
        for name in Algorithm::NAMES {
            assert!(Algorithm::from_name(name).is_some(), "{name}");
        }
        for name in [
            "none", "None", "HS256", "HS384", "HS512", "es256", "ES384", "ES256K", "RS1", "RS512", "",
            " ES256",
        ] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }
}
