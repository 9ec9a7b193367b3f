//! Scopes and what a route requires of them (RFC 6749 §3.3), and the resource that a token is for (RFC 8707).

mod audience;
mod demand;
mod list;
mod requirement;
mod scopes;

pub use audience::{Audience, AudienceError, RestrictedTokens};
pub(crate) use demand::expect_valid;
pub use demand::{Demand, IntoDemand};
pub use list::IntoScopes;
pub use requirement::Requirement;
pub use scopes::{ScopeError, Scopes};
