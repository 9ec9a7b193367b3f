//! Clients that register themselves (RFC 7591) and manage their registration (RFC 7592).

mod elsewhere;
mod endpoint;
mod expiry;
mod manage;
mod questions;
mod record;
pub(super) mod registry;
mod swap;
#[cfg(test)]
mod tests;

pub(crate) use record::Registered;
pub(crate) use registry::read_registered;
