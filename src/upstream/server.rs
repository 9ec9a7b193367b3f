//! One server of an upstream.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio_rustls::rustls::ClientConfig;

#[cfg(test)]
use super::registry::{ServerKey, ServerRegistry};
use super::resolve::Resolver;
use super::state::ServerState;
#[cfg(test)]
use crate::config::settings::upstreams::IDLE_TIMEOUT;
use crate::headers::ServerOrigin;
use crate::limit::concurrency::InFlightGauge;
use crate::telemetry::Escaped;

/// One server of an upstream.
pub(crate) struct Server {
    /// The key of this server's connections in the pools: unique in the process.
    pub(crate) key: u64,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The Unix socket that it listens on, instead of the host and port.
    pub socket: Option<Box<Path>>,
    /// Its name in the access log.
    pub(crate) logged_name: Escaped,
    /// The TLS settings and server name, or `None` for plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The maximum idle time of a connection that is reused.
    pub(crate) idle_timeout: Duration,
    /// The requests in flight, counted if the balancing policy needs it.
    pub(crate) in_flight: Arc<InFlightGauge>,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) state: Arc<ServerState>,
}

impl Server {
    #[must_use]
    pub(crate) fn new(
        host: String,
        port: u16,
        tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
        resolver: Arc<Resolver>,
        state: Arc<ServerState>,
        idle_timeout: Duration,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            key,
            logged_name: Escaped::new(&format!("{}:{port}", bracketed(&host))),
            host,
            port,
            socket: None,
            tls,
            idle_timeout,
            in_flight: Arc::default(),
            resolver,
            state,
        }
    }

    /// Creates a server on a Unix socket, which speaks HTTP without TLS. Its name is `localhost`.
    pub(crate) fn on_socket(path: &Path, state: Arc<ServerState>, idle_timeout: Duration) -> Self {
        // An address needs no lookups. Nothing connects to this one.
        let resolver = Arc::new(Resolver::new("127.0.0.1", 80));
        Self {
            socket: Some(path.into()),
            logged_name: Escaped::new(&format!("unix:{}", path.display())),
            ..Self::new("localhost".to_owned(), 80, None, resolver, state, idle_timeout)
        }
    }

    /// Creates a server without TLS and with its own state.
    #[cfg(test)]
    pub(crate) fn alone(host: &str, port: u16) -> Self {
        let key = ServerKey { upstream: "a".to_owned(), origin: format!("{host}:{port}"), probed: true };
        let state = ServerRegistry::default().state(None, key);
        Self::new(
            host.to_owned(),
            port,
            None,
            Arc::new(Resolver::new(host, port)),
            state,
            IDLE_TIMEOUT.default,
        )
    }

    /// Returns the authority that requests name (RFC 9110 §7.2): without the port if it is the scheme's
    /// default.
    #[must_use]
    pub(crate) fn authority(&self) -> String {
        let default_port = if self.tls.is_some() { 443 } else { 80 };
        if self.port == default_port { bracketed(&self.host) } else { self.to_string() }
    }
}

impl Server {
    /// Returns its host and port. For a Unix socket, it returns the path and 0.
    pub(crate) fn address(&self) -> (&str, u16) {
        match self.socket.as_deref().and_then(Path::to_str) {
            Some(path) => (path, 0),
            None => (&self.host, self.port),
        }
    }

    /// Returns its origin.
    #[must_use]
    pub(crate) fn origin(&self) -> ServerOrigin {
        ServerOrigin { secure: self.tls.is_some(), host: bracketed(&self.host).into(), port: self.port }
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(path) => write!(f, "unix:{}", path.display()),
            None => write!(f, "{}:{}", bracketed(&self.host), self.port),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self}{})", if self.tls.is_some() { ", tls" } else { "" })
    }
}
