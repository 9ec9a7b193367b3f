//! Who is at the other end of a connection.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::problem::Problem;

/// The two ends of a connection. Each of its requests has it as an extension.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// The address of the client.
    pub(crate) client: SocketAddr,
    /// The address of this machine that the client has connected to.
    pub(super) local: SocketAddr,
}

impl Peer {
    /// Returns the part of the address that attempts are counted for: all of IPv4, the network (/64) of IPv6.
    pub(super) fn network(&self) -> IpAddr {
        match self.client.ip().to_canonical() {
            IpAddr::V4(ip) => ip.into(),
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().copied().ok_or_else(Problem::internal)
    }
}
