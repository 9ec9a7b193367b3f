//! The protocol, pure: nothing here reads a clock, random bytes or a socket.

pub mod bearer;
pub mod client;
pub mod client_auth;
pub mod decide;
pub mod denial;
pub mod endpoints;
pub mod form;
pub mod grant;
pub mod scope;
pub mod secret;
pub mod thumbprint;
pub mod token;
