//! The protocol. It is pure: nothing here reads a clock, random bytes or a socket.

#[cfg(feature = "jose")]
pub mod assertion;
pub mod bearer;
#[cfg(feature = "jose")]
pub mod certificate;
pub mod client;
pub mod client_auth;
pub mod decide;
pub mod denial;
#[cfg(feature = "jose")]
pub mod dpop;
pub mod endpoints;
pub mod evidence;
pub mod form;
pub mod grant;
#[cfg(feature = "jose")]
pub mod jose;
pub mod public_origin;
#[cfg(feature = "jose")]
pub mod replay;
pub mod scope;
pub mod secret;
pub mod thumbprint;
pub mod token;
