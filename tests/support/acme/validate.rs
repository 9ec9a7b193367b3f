//! How the authority validates a domain (RFC 8737 §3), and handshakes with a name and a protocol for tests.

use super::{Shared, der};
use crate::support::tls;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What a server has shown in a handshake.
pub(crate) struct Shown {
    /// Its certificates.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// The protocol that it has selected.
    pub(crate) protocol: Option<Vec<u8>>,
    /// The connection.
    pub(crate) stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Shown {
    /// Returns the server's own certificate.
    pub(crate) fn certificate(&self) -> &[u8] {
        self.chain.first().expect("a certificate")
    }
}

/// Does a handshake with a server name and protocols. Certificates are verified with `ca` (PEM), or not at
/// all.
///
/// # Errors
/// Returns what the server did instead: an alert, or the end of the connection.
pub(crate) fn try_handshake(
    address: SocketAddr,
    name: &str,
    alpn: &[&str],
    ca: Option<&str>,
) -> io::Result<Shown> {
    let tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
    connect(tcp, name, tls::config(alpn, ca))
}

fn connect(tcp: TcpStream, name: &str, config: Arc<ClientConfig>) -> io::Result<Shown> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connection = ClientConnection::new(config, name).expect("a TLS client");
    let mut stream = StreamOwned::new(connection, tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    let chain = stream.conn.peer_certificates().unwrap_or_default().to_vec();
    let protocol = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
    Ok(Shown { chain, protocol, stream })
}

/// Does a handshake that must succeed.
#[track_caller]
pub(crate) fn handshake(address: SocketAddr, name: &str, ca: &str) -> Shown {
    try_handshake(address, name, &["http/1.1"], Some(ca)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Validates the domain of an order, in a separate thread.
pub(super) fn begin(shared: &Arc<Shared>, order: usize) {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut state = shared.lock();
        while state.gateway.is_none() {
            state = shared.changed.wait(state).expect("the state");
        }
        let gateway = state.gateway.expect("the gateway");
        let (domain, account) = (state.orders[order].domain.clone(), state.orders[order].account);
        let authorization = format!("{}.{}", state.orders[order].token, state.accounts[account].thumbprint());
        let refused = state.faults.invalid.contains(&domain);
        drop(state);
        let outcome = match refused {
            true => Err(format!("{domain} does not lead here (a fault of the test)")),
            false => validate(gateway, &domain, &Sha256::digest(authorization)),
        };
        let mut state = shared.lock();
        let order = &mut state.orders[order];
        order.authorization = if outcome.is_ok() { "valid" } else { "invalid" };
        order.problem = outcome.err();
    });
}

fn validate(gateway: SocketAddr, domain: &str, digest: &[u8]) -> Result<(), String> {
    let config = tls::config(&["acme-tls/1"], None);
    let shown = TcpStream::connect(gateway).and_then(|tcp| connect(tcp, domain, config));
    let mut shown = shown.map_err(|error| format!("no handshake: {error}"))?;
    if shown.protocol.as_deref() != Some(b"acme-tls/1") {
        return Err(format!("the server selects {:?}", shown.protocol));
    }
    if shown.chain.len() != 1 {
        return Err(format!("{} certificates", shown.chain.len()));
    }
    der::challenge(shown.certificate(), domain, digest)?;
    // The server must close the connection without sending data.
    match shown.stream.read(&mut [0; 16]) {
        Ok(0) => Ok(()),
        other => Err(format!("the connection goes on: {other:?}")),
    }
}
