//! Keeps upstreams away from the listener for operators: through a route to it, anyone could reach the
//! console from the address of the gateway. The configuration refuses its address. A host name is checked
//! here, when it is connected to.

use std::net::SocketAddr;
use std::sync::OnceLock;

use tokio::net::TcpStream;

/// The address of the listener. It is bound once.
static LISTENER: OnceLock<SocketAddr> = OnceLock::new();

/// Sets the address that is refused.
pub(crate) fn set(address: SocketAddr) {
    let _ = LISTENER.set(address);
}

/// Returns whether a connection leads to the listener.
pub(super) fn is(stream: &TcpStream) -> bool {
    let Some(listener) = LISTENER.get() else { return false };
    let Ok(peer) = stream.peer_addr() else { return false };
    if peer.port() != listener.port() {
        return false;
    }
    let (peer, listener) = (peer.ip().to_canonical(), listener.ip().to_canonical());
    // A connection that has the same address at both ends leads to this machine.
    let is_local = || stream.local_addr().is_ok_and(|local| local.ip().to_canonical() == peer);
    peer == listener || (listener.is_unspecified() && (peer.is_loopback() || is_local()))
}
