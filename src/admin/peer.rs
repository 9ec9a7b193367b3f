//! The addresses of a connection.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::problem::Problem;

/// The two ends of a connection. The listener adds them to each request as an extension.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// The address of the client.
    pub(crate) client: SocketAddr,
    /// The address of this machine to which the client has connected.
    pub(super) local: SocketAddr,
}

impl Peer {
    /// Returns the part of the address by which attempts are counted: the whole IPv4 address, or the /64
    /// network of an IPv6 address.
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
