//! One server of an upstream.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls_pki_types::ServerName;
use tokio_rustls::rustls::ClientConfig;

#[cfg(test)]
use super::registry::{ServerKey, ServerRegistry};
use super::resolve::Resolver;
use super::state::ServerState;
use crate::limit::concurrency::InFlightGauge;

/// One server.
pub(crate) struct Server {
    /// What the connections of this server are pooled under: never used twice in a process.
    pub(crate) key: u64,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How to speak TLS to it; none for plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// Requests under way; counted where the balance asks for it.
    pub(crate) in_flight: Arc<InFlightGauge>,
    /// Its addresses.
    pub(crate) resolver: Arc<Resolver>,
    /// How it is.
    pub(crate) state: Arc<ServerState>,
}

impl Server {
    /// A server at this address, and what is known of it already.
    #[must_use]
    pub(crate) fn new(
        host: String,
        port: u16,
        tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
        resolver: Arc<Resolver>,
        state: Arc<ServerState>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { key, host, port, tls, in_flight: Arc::default(), resolver, state }
    }

    /// A server without TLS of which nothing is known.
    #[cfg(test)]
    pub(crate) fn alone(host: &str, port: u16) -> Self {
        let key = ServerKey { upstream: "a".to_owned(), origin: format!("{host}:{port}"), probed: true };
        let state = ServerRegistry::default().state(None, key);
        Self::new(host.to_owned(), port, None, Arc::new(Resolver::new(host, port)), state)
    }

    /// What a request names it by (RFC 9110 §7.2): without the port where that is the scheme's own.
    #[must_use]
    pub(crate) fn authority(&self) -> String {
        let usual = if self.tls.is_some() { 443 } else { 80 };
        if self.port == usual { bracketed(&self.host) } else { self.to_string() }
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({}:{}{})", self.host, self.port, if self.tls.is_some() { ", tls" } else { "" })
    }
}
