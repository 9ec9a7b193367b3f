//! The settings of a gate in code: the types and their builders.

mod client;
mod error;
mod gate;
#[cfg(feature = "gateway")]
mod registration;
mod secret;

pub use client::ClientSpec;
pub use error::SpecError;
pub use gate::GateSpec;
#[cfg(feature = "gateway")]
pub(crate) use registration::{InitialToken, RegistrationSpec};
pub use secret::SecretSpec;
