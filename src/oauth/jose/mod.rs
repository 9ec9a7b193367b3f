//! The part of JSON Object Signing and Encryption that client authentication and DPoP need: public keys (RFC
//! 7517), compact signatures (RFC 7515) and key thumbprints (RFC 7638).
//!
//! This module only verifies, and only with asymmetric algorithms. [`Algorithm`] has no value for `none` or
//! for a MAC, so no input can select them. Nothing is fetched: `jku`, `x5u` and `x5c` in a header are
//! ignored.

mod algorithm;
pub(in crate::oauth) mod base64url;
pub(in crate::oauth) mod json;
mod jwk;
mod jwks;
#[cfg_attr(not(feature = "_fuzzing"), expect(unreachable_pub, reason = "the fuzz targets reach it"))]
mod jws;

#[cfg(test)]
pub(crate) mod testing;

pub use algorithm::{Algorithm, SigningAlgorithm};
pub use jwk::{Jwk, JwkError};
pub use jwks::{Ignored, Jwks, JwksError};
pub(in crate::oauth) use jws::Jws;
pub(crate) use jws::JwsError;
