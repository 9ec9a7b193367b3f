//! The gate inside other people's servers: a tower layer for routes, a tower service for the endpoints.

mod body;
mod evidence;
mod future;
mod layer;
mod oauth;
mod service;

pub use body::GuardedBody;
pub use evidence::ClientCertificate;
pub use future::ResponseFuture;
pub use layer::RequireTokenLayer;
#[cfg(feature = "gateway")]
pub(crate) use oauth::read_form;
pub use oauth::{OAuthFuture, OAuthService};
pub use service::RequireToken;
