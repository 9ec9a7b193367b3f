//! Keys and sets of keys of any bytes: what is accepted has one thumbprint, which reads back.

use tollgate::oauth::Thumbprint;
use tollgate::oauth::{Jwk, Jwks};

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let set = Jwks::parse(bytes).unwrap_or_default();
    let one = Jwk::parse(bytes).ok();
    for key in set.keys().iter().chain(&one) {
        let thumbprint = key.thumbprint();
        assert_eq!(Thumbprint::parse(&thumbprint.to_string()), Some(thumbprint));
    }
}
