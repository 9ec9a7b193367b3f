//! The options of a server.

use std::time::Duration;

use super::listener::ListenerSpec;
use super::tls::TlsPaths;
use crate::config::{AddressRange, Limits};

/// The options that [`Bound::bind`](super::Bound::bind) takes.
#[derive(Clone, Debug)]
pub(crate) struct ServerOptions {
    /// The addresses to listen on. At least one is required.
    pub listeners: Vec<ListenerSpec>,
    /// The certificates and keys. Required if a listener has `tls`.
    pub tls: Option<TlsPaths>,
    /// The number of worker threads; 0 means one per core.
    pub threads: usize,
    /// How long requests in flight may take to complete during a drain.
    pub grace: Duration,
    /// The limits on connections, and their timeouts.
    pub limits: Limits,
    /// The addresses of proxies, each of which represents many clients. `max_connections_per_address` does
    /// not apply to them.
    pub trusted_proxies: Vec<AddressRange>,
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
