//! `[server.tls.acme]`.

use std::{path::PathBuf, time::Duration};

use crate::{config::error::Position, oauth::secret::Secret};

/// `[server.tls.acme]`: certificates that an authority issues over ACME (RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acme {
    /// The URL of the authority's directory: `https`, or `http` on loopback.
    pub directory: String,
    /// The certificates (PEM) that the directory's server is verified with; `None` is the trust of the system.
    pub directory_ca: Option<PathBuf>,
    /// The addresses that the authority may write to, such as `mailto:operators@example.com`.
    pub contact: Vec<String>,
    /// The DNS names that certificates are ordered for, in lower case and without duplicates: at least one, at most
    /// [`Acme::MAX_DOMAINS`]. Each has a certificate of its own.
    pub domains: Vec<String>,
    /// The account at the authority that the new account is bound to (RFC 8555 §7.3.4).
    pub external_account: Option<ExternalAccount>,
    /// The share of a certificate's lifetime, in percent, that is left when it is renewed.
    pub renew_percent_left: u32,
    /// The wait after the first failure for a domain. It doubles with each further failure.
    pub retry_after: Duration,
    /// The most orders in an hour.
    pub max_orders_per_hour: u32,
    /// The position in the file.
    pub position: Position,
}

impl Acme {
    /// The most domains.
    pub const MAX_DOMAINS: usize = 100;
}

/// `external_account`: what an authority gives to a customer who has an account by other means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExternalAccount {
    /// The key identifier.
    pub kid: String,
    /// The HMAC key, in base64url without padding. It has been checked.
    pub hmac_secret: Secret,
}
