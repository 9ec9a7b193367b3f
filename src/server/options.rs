//! What the server is told before it binds anything.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::TlsPaths;

/// Everything [`Bound::bind`](super::Bound::bind) needs.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The addresses to listen on; at least one.
    pub listeners: Vec<ListenerSpec>,
    /// Certificate and key; needed as soon as one listener has `tls`.
    pub tls: Option<TlsPaths>,
    /// Worker threads; 0 is one per core.
    pub threads: usize,
    /// How long requests in flight may take to finish once a drain began.
    pub grace: Duration,
    /// Bounds on connections and on the time they may take.
    pub limits: Limits,
}

impl ServerOptions {
    /// Options for these listeners, with every default of the gateway's configuration.
    pub fn new(listeners: Vec<ListenerSpec>) -> Self {
        Self { listeners, tls: None, threads: 0, grace: Duration::from_secs(30), limits: Limits::default() }
    }

    /// The number of worker threads, once 0 is replaced by the number of cores.
    pub(super) fn worker_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSpec {
    /// Address and port; port 0 lets the system choose.
    pub addr: SocketAddr,
    /// TLS with HTTP/2 or HTTP/1.1 by ALPN; otherwise plain HTTP/1.1.
    pub tls: bool,
    /// On a plain listener: HTTP/2 with prior knowledge (RFC 9113 §3.3), and nothing else. Ignored with `tls`.
    pub h2c: bool,
    /// Every connection starts with a PROXY protocol header (version 1 or 2), which is believed.
    pub proxy_protocol: bool,
    /// A name of the user's, for logs and metrics; may be empty.
    pub label: String,
}

impl ListenerSpec {
    /// A plain HTTP/1.1 listener.
    pub fn plain(addr: SocketAddr) -> Self {
        Self { addr, tls: false, h2c: false, proxy_protocol: false, label: String::new() }
    }

    /// A TLS listener: HTTP/2 and HTTP/1.1 by ALPN.
    pub fn tls(addr: SocketAddr) -> Self {
        Self { tls: true, ..Self::plain(addr) }
    }
}

impl fmt::Display for ListenerSpec {
    /// The address as the configuration file spells it: `https://127.0.0.1:8443`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.addr)
    }
}

/// Bounds that protect the gateway from slow, large and many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of a request head (for the first one: from the start of the connection) to its last.
    pub header_timeout: Duration,
    /// Bytes of a request head, request line included.
    pub max_header_size: usize,
    /// Header fields of an HTTP/1.1 request head. Any value but 100 costs an allocation per request.
    pub max_headers: usize,
    /// How long a kept-alive connection may wait for its next request. Measured coarsely: up to a quarter more.
    pub idle_timeout: Duration,
    /// Connections in all, handshakes included.
    pub max_connections: usize,
    /// Connections of one address (IPv6: of its /64).
    pub max_connections_per_address: Option<usize>,
    /// How long a client may leave an answer unread. A client that reads a little now and then is given up to twice that.
    pub write_timeout: Duration,
    /// From the accepted connection to the finished TLS handshake.
    pub handshake_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            max_header_size: 16 * 1024,
            max_headers: 100,
            idle_timeout: Duration::from_secs(75),
            max_connections: 20_000,
            max_connections_per_address: None,
            write_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
        }
    }
}
