//! The defaults of a gate's settings. gateway.toml has the same.

use std::time::Duration;

/// The realm named in challenges.
pub(crate) const REALM: &str = "tollgate";
pub(crate) const TOKEN_ENDPOINT: &str = "/oauth/v2/oauth-token";
pub(crate) const INTROSPECTION_ENDPOINT: &str = "/oauth/v2/oauth-introspect";
pub(crate) const REVOCATION_ENDPOINT: &str = "/oauth/v2/oauth-revoke";
#[cfg(feature = "config")]
pub(crate) const REGISTRATION_ENDPOINT: &str = "/oauth/v2/register";
/// The lifetime of tokens, as in the profile that the tutorial implements.
pub(crate) const TOKEN_LIFETIME: Duration = Duration::from_secs(299);
/// The largest number of live tokens in all.
pub(crate) const MAX_TOKENS: u32 = 10_000_000;
/// The largest number of live tokens of one client.
pub(crate) const MAX_TOKENS_PER_CLIENT: u32 = 100_000;
