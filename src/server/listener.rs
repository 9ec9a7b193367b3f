//! Listeners: the addresses that the server accepts connections on.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::AddressRange;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenerSpec {
    /// The address and port. The system chooses a port if it is 0.
    pub addr: SocketAddr,
    /// Enables TLS, with HTTP/2 or HTTP/1.1 negotiated by ALPN. Otherwise the listener serves plain HTTP/1.1.
    pub tls: bool,
    /// Enables HTTP/2 with prior knowledge (RFC 9113 §3.3) instead of HTTP/1.1 on a plain listener. Ignored
    /// if `tls` is set.
    pub h2c: bool,
    /// The addresses of trusted load balancers. Their connections start with a PROXY protocol header (version
    /// 1 or 2). Connections from other addresses are closed.
    pub proxy_protocol: Option<Arc<[AddressRange]>>,
}

impl ListenerSpec {
    /// Creates a plain HTTP/1.1 listener.
    pub(crate) fn plain(addr: SocketAddr) -> Self {
        Self { addr, tls: false, h2c: false, proxy_protocol: None }
    }

    /// Creates a TLS listener for HTTP/2 and HTTP/1.1 by ALPN.
    pub(crate) fn tls(addr: SocketAddr) -> Self {
        Self { tls: true, ..Self::plain(addr) }
    }
}

impl fmt::Display for ListenerSpec {
    /// Formats the address as the configuration file spells it: `https://127.0.0.1:8443`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.addr)
    }
}

/// A listener that is bound to its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// The options of the listener; `addr` has the actual port.
    pub spec: ListenerSpec,
    /// The index among the listeners of the options.
    pub index: usize,
}

impl Listener {
    /// Returns the address of the listener.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.spec.addr
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}
