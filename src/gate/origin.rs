use std::net::{IpAddr, Ipv4Addr};

use crate::oauth::evidence::PeerCertificate;

/// The origin of a request to the OAuth endpoints.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Origin<'a> {
    /// The client's address. Failed authentications without one count against a single shared address.
    pub address: Option<IpAddr>,
    /// The client certificate of the connection.
    pub certificate: Option<PeerCertificate<'a>>,
    /// Whether the client speaks TLS, if that is known. It is part of the URL that a DPoP proof may name.
    pub https: Option<bool>,
}

impl Origin<'_> {
    /// Makes the origin of a request from this address.
    #[must_use]
    pub fn from_address(address: IpAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }

    /// Returns the client's address, or the one that all clients without an address share.
    pub(super) fn address_or_shared(&self) -> IpAddr {
        self.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}
