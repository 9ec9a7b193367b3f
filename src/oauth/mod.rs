//! The protocol. It is pure: nothing here reads a clock, random bytes or a socket.
//!
//! These are the types that users of a [`Gate`](crate::Gate) name: what a route requires ([`Requirement`],
//! [`Demand`], [`Scopes`], [`Audience`]), what a request gets ([`Permit`] or [`Denial`]), what a
//! [store](crate::store) keeps ([`Record`], [`Grant`], [`TokenDigest`]), and with the feature `jose` the keys
//! and certificates of clients. The rules themselves are internal.

#[cfg(feature = "gateway")]
pub(crate) mod access_jwt;
#[cfg(feature = "jose")]
#[cfg_attr(not(feature = "_fuzzing"), expect(unreachable_pub, reason = "the fuzz targets reach it"))]
pub(crate) mod assertion;
#[cfg_attr(not(feature = "_fuzzing"), expect(unreachable_pub, reason = "the fuzz targets reach it"))]
pub(crate) mod bearer;
#[cfg(feature = "jose")]
#[cfg_attr(not(feature = "_fuzzing"), expect(unreachable_pub, reason = "the fuzz targets reach it"))]
pub(crate) mod certificate;
pub(crate) mod client;
#[cfg_attr(not(feature = "_fuzzing"), expect(unreachable_pub, reason = "the fuzz targets reach it"))]
pub(crate) mod client_auth;
pub(crate) mod decide;
pub(crate) mod denial;
#[cfg(feature = "jose")]
#[cfg_attr(not(feature = "_fuzzing"), expect(unreachable_pub, reason = "the fuzz targets reach it"))]
pub(crate) mod dpop;
pub(crate) mod endpoints;
pub(crate) mod evidence;
#[cfg_attr(not(feature = "_fuzzing"), expect(unreachable_pub, reason = "the fuzz targets reach it"))]
pub(crate) mod form;
pub(crate) mod grant;
#[cfg(feature = "gateway")]
pub(crate) mod grant_jwts;
#[cfg(feature = "jose")]
pub(crate) mod jose;
#[cfg_attr(
    all(feature = "jose", not(feature = "_fuzzing")),
    expect(unreachable_pub, reason = "the fuzz targets reach it")
)]
pub(crate) mod public_origin;
#[cfg(feature = "gateway")]
pub(crate) mod registration;
#[cfg(feature = "jose")]
pub(crate) mod replay;
pub(crate) mod scope;
pub(crate) mod secret;
pub(crate) mod thumbprint;
pub(crate) mod token;
pub(crate) mod token_error;

#[cfg(feature = "jose")]
pub use certificate::{DistinguishedName, NameError, Subject};
pub use client::{Capabilities, ClientId, ClientPolicy, ClientState};
pub use client_auth::SecretMethod;
pub use decide::Permit;
pub use denial::{Challenge, Denial, Mismatch};
pub use evidence::{Evidence, PeerCertificate, Target};
pub use grant::{Confirmation, Grant, Record, Terms};
#[cfg(feature = "jose")]
pub use jose::{Algorithm, Ignored, Jwk, JwkError, Jwks, JwksError, SigningAlgorithm};
pub use public_origin::PublicOrigin;
pub use scope::{
    Audience, AudienceError, Demand, IntoDemand, IntoScopes, Requirement, RestrictedTokens, ScopeError,
    Scopes,
};
pub use secret::Secret;
pub use thumbprint::Thumbprint;
pub use token::{AccessToken, TokenDigest};
pub use token_error::TokenError;
