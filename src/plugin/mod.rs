//! The gate inside other people's servers: a tower layer for routes, a tower service for the endpoints.

#[cfg(feature = "axum")]
mod axum;
mod body;
mod condition;
mod evidence;
mod future;
mod grpc;
mod guard;
mod layer;
mod oauth;
#[cfg(feature = "pingora")]
pub mod pingora;
mod service;

#[cfg(feature = "axum")]
pub use axum::MissingPermit;
pub use body::GuardedBody;
pub use condition::{Condition, ScopesOnly, With};
pub use evidence::ClientCertificate;
pub use future::ResponseFuture;
pub use layer::RequireTokenLayer;
#[cfg(feature = "gateway")]
pub(crate) use oauth::read_form;
pub use oauth::{OAuthFuture, OAuthService};
pub use service::RequireToken;
