//! What is known about the connection that a request came on.

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;

use super::activity::Activity;
use super::listener::Listener;
use super::peer_certificate::ClientCertificate;

/// What is known about the connection a request came on.
#[derive(Debug)]
pub(crate) struct ConnInfo {
    peer: SocketAddr,
    peer_value: HeaderValue,
    listener: Arc<Listener>,
    client_certificate: Option<Box<ClientCertificate>>,
    pub(super) activity: Activity,
}

impl ConnInfo {
    /// Describes a connection that was just accepted.
    pub(super) fn new(
        peer: SocketAddr,
        listener: Arc<Listener>,
        client_certificate: Option<Box<ClientCertificate>>,
    ) -> Arc<Self> {
        // An address prints as visible ASCII; a client over an IPv4-mapped address is an IPv4 client.
        let address = peer.ip().to_canonical().to_string();
        let peer_value =
            HeaderValue::try_from(address).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        let activity = Activity::default();
        Arc::new(Self { peer, peer_value, listener, client_certificate, activity })
    }

    /// The client's address, from the PROXY protocol header where the listener takes one.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The client's address without its port as a header value, made once.
    pub(crate) fn peer_value(&self) -> &HeaderValue {
        &self.peer_value
    }

    /// The listener that accepted the connection.
    pub(crate) fn listener(&self) -> &Listener {
        &self.listener
    }

    /// The client's certificate.
    pub(crate) fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.client_certificate.as_deref()
    }
}
