//! Information about the connection that a request arrived on.

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;

use super::activity::Activity;
use super::listener::Listener;
use super::peer_certificate::ClientCertificate;

/// Information about the connection that a request arrived on.
#[derive(Debug)]
pub(crate) struct ConnInfo {
    peer: SocketAddr,
    peer_value: HeaderValue,
    listener: Arc<Listener>,
    client_certificate: Option<Box<ClientCertificate>>,
    pub(super) activity: Activity,
}

impl ConnInfo {
    /// Describes a newly accepted connection.
    pub(super) fn new(
        peer: SocketAddr,
        listener: Arc<Listener>,
        client_certificate: Option<Box<ClientCertificate>>,
    ) -> Arc<Self> {
        // An address is formatted as visible ASCII. A client with an IPv4-mapped IPv6 address is an IPv4
        // client.
        let address = peer.ip().to_canonical().to_string();
        let peer_value =
            HeaderValue::try_from(address).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        let activity = Activity::default();
        Arc::new(Self { peer, peer_value, listener, client_certificate, activity })
    }

    /// Returns the client's address. It comes from the PROXY protocol header if the listener expects one.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Returns the client's address without its port as a header value. The value is created once per
    /// connection.
    pub(crate) fn peer_value(&self) -> &HeaderValue {
        &self.peer_value
    }

    /// Returns the listener that accepted the connection.
    pub(crate) fn listener(&self) -> &Listener {
        &self.listener
    }

    /// Returns the client's certificate.
    pub(crate) fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.client_certificate.as_deref()
    }
}
