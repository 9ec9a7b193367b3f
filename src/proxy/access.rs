//! The requirement of a route on the identity of its clients.

use super::shadow::access::ShadowAccess;
use super::token_access::TokenAccess;

/// The requirement of a route on the client's identity.
#[derive(Debug)]
pub(crate) enum Access {
    /// A valid token that meets the requirement.
    Token(TokenAccess),
    /// No token: `access = "public"`.
    Public,
    /// Nothing yet: the configuration says `mode = "shadow"`.
    Shadow(Box<ShadowAccess>),
}
