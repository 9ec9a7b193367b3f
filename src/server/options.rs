//! The options of a server.

use std::sync::Arc;
use std::time::Duration;

use super::listener::ListenerSpec;
use super::tls::TlsPaths;
use crate::config::{AddressRange, ConnectionsPerAddress};

/// Everything [`Bound::bind`](super::Bound::bind) needs.
#[derive(Clone, Debug)]
pub(crate) struct ServerOptions {
    /// The addresses to listen on; at least one.
    pub listeners: Vec<ListenerSpec>,
    /// Certificate and key. Required if a listener has `tls`.
    pub tls: Option<TlsPaths>,
    /// Worker threads; 0 is one per core.
    pub threads: usize,
    /// How long requests in flight may take to finish during a drain.
    pub grace: Duration,
    /// Limits on connections and their timeouts.
    pub limits: Limits,
}

impl ServerOptions {
    /// Returns the number of worker threads, with 0 replaced by the number of cores.
    pub(super) fn worker_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

/// Limits that protect the gateway from slow clients, large heads and too many connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The time from the first byte of a request head to its last. For the first request, from the start of
    /// the connection.
    pub header_timeout: Duration,
    /// The maximum size of a request head in bytes, request line included.
    pub max_header_size: usize,
    /// The maximum number of header fields of an HTTP/1.1 request head.
    pub max_headers: usize,
    /// How long a kept-alive connection may wait for its next request.
    pub idle_timeout: Duration,
    /// The maximum number of connections, including those in a TLS handshake.
    pub max_connections: usize,
    /// The maximum number of connections per client address (IPv6: per /64).
    pub max_connections_per_address: ConnectionsPerAddress,
    /// The addresses that stand for many clients: they have no such maximum.
    pub trusted_proxies: Arc<[AddressRange]>,
    /// How long a client may leave a response unread.
    pub write_timeout: Duration,
    /// The time from accepting a connection to the end of its TLS handshake.
    pub handshake_timeout: Duration,
}
