//! The options of a server.

use std::time::Duration;

use super::listener::ListenerSpec;
use super::tls::TlsPaths;
use crate::config::{AddressRange, Limits};

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
    /// The addresses that stand for many clients: `max_connections_per_address` is not for them.
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
