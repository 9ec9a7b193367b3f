//! What is known about the connection that a request came on.

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::activity::Activity;
use super::listener::Listener;

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

/// A client certificate whose key the client was seen to hold in the handshake.
#[derive(Debug)]
pub(crate) struct ClientCertificate {
    der: Vec<u8>,
    sha256: [u8; 32],
    verified: bool,
}

impl ClientCertificate {
    pub(super) fn new(der: &[u8], verified: bool) -> Self {
        Self { der: der.to_vec(), sha256: Sha256::digest(der).into(), verified }
    }

    /// Whether `client_ca` vouches for it. One that nobody vouches for comes only where any is accepted.
    pub(crate) fn is_verified(&self) -> bool {
        self.verified
    }

    /// The certificate itself.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its SHA-256, which RFC 8705 §3.1 calls `x5t#S256` once base64url-encoded.
    pub(crate) fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}
