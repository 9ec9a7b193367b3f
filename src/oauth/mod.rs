//! The protocol, pure: nothing here reads a clock, random bytes or a socket.

#[cfg(feature = "jose")]
pub mod assertion;
#[cfg(feature = "jose")]
pub mod certificate;
#[cfg(feature = "jose")]
pub mod dpop;
#[cfg(feature = "jose")]
pub mod jose;
#[cfg(feature = "jose")]
pub mod replay;
pub mod scope;
