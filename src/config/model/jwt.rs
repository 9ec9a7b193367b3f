//! `[token_service.jwt]`, and what routes do with tokens.

use std::{path::PathBuf, time::Duration};

use crate::config::error::Position;
use crate::oauth::jose::SigningAlgorithm;

/// `forward_token` of a route: what the upstream gets in place of the client's token.
///
/// The values are in the order of what the upstream could do with it: a JWT is good for this upstream alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TokenForwarding {
    /// Nothing: the token is removed.
    #[default]
    Removed,
    /// A JWT that says whose token it is (RFC 9068).
    Jwt,
    /// The token itself.
    Kept,
}

/// `[token_service.jwt]`: how JWTs for upstreams are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwtService {
    /// The keys that sign.
    pub keys: JwtKeys,
    /// The longest lifetime of a JWT. No JWT outlives its token.
    pub lifetime: Duration,
    /// The position in the file, or `None` if the file has no such table.
    pub position: Option<Position>,
}

/// Where the keys that sign JWTs come from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwtKeys {
    /// The gateway makes them, keeps them in [`Server::state_dir`](super::Server::state_dir), and replaces
    /// them.
    Generated {
        /// The algorithm of new keys.
        algorithm: SigningAlgorithm,
        /// How long a key signs.
        rotate_every: Duration,
        /// How long a key is published before it signs.
        publish_before: Duration,
    },
    /// Files with private keys: the first one signs, and all are published.
    Files(Vec<PathBuf>),
}
