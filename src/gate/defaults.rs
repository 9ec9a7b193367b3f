//! What a gate does unless its settings say otherwise. gateway.toml has the same defaults.

use std::time::Duration;

/// The realm that challenges name.
pub(crate) const REALM: &str = "tollgate";
pub(crate) const TOKEN_ENDPOINT: &str = "/oauth/v2/oauth-token";
pub(crate) const INTROSPECTION_ENDPOINT: &str = "/oauth/v2/oauth-introspect";
pub(crate) const REVOCATION_ENDPOINT: &str = "/oauth/v2/oauth-revoke";
/// The lifetime of the tokens of a client that sets none: the one of the Token Service profile.
pub(crate) const TOKEN_LIFETIME: Duration = Duration::from_secs(299);
/// Live tokens in all.
pub(crate) const MAX_TOKENS: u32 = 10_000_000;
/// Live tokens of one client.
pub(crate) const MAX_TOKENS_PER_CLIENT: u32 = 100_000;
