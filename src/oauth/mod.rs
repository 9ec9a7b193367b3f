//! The protocol, pure: nothing here reads a clock, random bytes or a socket.

pub mod scope;
