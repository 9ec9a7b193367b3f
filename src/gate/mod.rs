//! The use case: authenticate a client, issue a token, authorize a request, revoke.
//!
//! A [`Gate`] joins the pure protocol of [`crate::oauth`] with a store, a clock and the threads that hash
//! secrets.

mod asking;
mod authenticate;
mod authorize;
mod builder;
mod changed_clients;
mod client_address;
mod client_change;
mod client_secret;
mod deadline;
pub(crate) mod defaults;
mod endpoint;
mod endpoint_lengths;
mod endpoints;
mod fair_queue;
mod found_grants;
mod grants;
mod hashing;
mod instance;
#[cfg(feature = "gateway")]
pub(crate) mod jwt;
mod kept_tokens;
#[cfg(feature = "jose")]
mod keys;
mod metadata;
mod origin;
#[cfg(feature = "jose")]
mod possession;
#[cfg(feature = "jose")]
mod proof;
pub(crate) mod question;
#[cfg(feature = "gateway")]
mod register;
mod registration;
#[cfg(feature = "remote")]
mod remote;
#[cfg(feature = "jose")]
mod remote_keys;
mod secret_digest;
mod secret_hash;
mod secret_usage;
mod settings;
mod single_flight;
mod spec;
#[cfg(test)]
mod tests;
mod throttle;
mod token_random;
#[cfg(feature = "gateway")]
mod token_scan;
mod tokens;
#[cfg(feature = "jose")]
mod used_once;
#[cfg(feature = "gateway")]
mod weak;

pub use builder::{GateBuilder, GateError};
#[cfg(feature = "gateway")]
pub(crate) use client_address::behind_proxies;
pub use client_address::forwarded_address;
pub use client_secret::{SecretUsage, SeenSecret};
pub use endpoint::{Endpoint, FormBody};
#[cfg(feature = "gateway")]
pub(crate) use endpoint::{EndpointOutcome, Success};
pub use instance::Gate;
#[cfg(feature = "jose")]
pub use keys::{KeySource, RemoteKeys};
pub use origin::Origin;
#[cfg(feature = "gateway")]
pub(crate) use proof::USED as REPLAYED_PROOF;
#[cfg(feature = "gateway")]
pub(crate) use register::{Registered, read_registered};
#[cfg(feature = "remote")]
pub use remote::{Credentials, IntrospectionError, RemoteGate, RemoteGateBuilder, RemoteGateError};
pub use secret_hash::{SecretHash, SecretHashError};
pub use spec::{ClientSpec, GateSpec, SecretSpec, SpecError};
#[cfg(feature = "gateway")]
pub(crate) use spec::{InitialToken, RegistrationSpec};
pub use throttle::ThrottlePolicy;
#[cfg(feature = "gateway")]
pub(crate) use throttle::network;
#[cfg(feature = "gateway")]
pub(crate) use token_scan::TokenInfo;
#[cfg(feature = "gateway")]
pub(crate) use weak::WeakGate;
