//! What the server is told before it binds anything.

use std::time::Duration;

use super::listener::ListenerSpec;
use super::tls::TlsPaths;

/// Everything [`Bound::bind`](super::Bound::bind) needs.
#[derive(Clone, Debug)]
pub(crate) struct ServerOptions {
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
    /// The number of worker threads, once 0 is replaced by the number of cores.
    pub(super) fn worker_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

/// Bounds that protect the gateway from slow, large and many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From the first byte of a request head (for the first one: from the start of the connection) to its last.
    pub header_timeout: Duration,
    /// Bytes of a request head, request line included.
    pub max_header_size: usize,
    /// Header fields of an HTTP/1.1 request head.
    pub max_headers: usize,
    /// How long a kept-alive connection may wait for its next request.
    pub idle_timeout: Duration,
    /// Connections in all, handshakes included.
    pub max_connections: usize,
    /// Connections of one address (IPv6: of its /64).
    pub max_connections_per_address: Option<usize>,
    /// How long a client may leave an answer unread.
    pub write_timeout: Duration,
    /// From the accepted connection to the finished TLS handshake.
    pub handshake_timeout: Duration,
}
