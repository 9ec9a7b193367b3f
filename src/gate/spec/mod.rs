//! The settings of a gate in code: the types and their builders.

mod client;
mod error;
mod gate;
mod secret;

pub use client::ClientSpec;
pub use error::SpecError;
pub use gate::GateSpec;
pub use secret::SecretSpec;
