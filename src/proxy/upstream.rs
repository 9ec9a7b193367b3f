//! Upstreams: the servers of a legacy API, and how to reach them.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use rustls_pki_types::ServerName;
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;

/// The servers behind one or more routes, and what was configured about them.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    servers: Vec<Arc<Server>>,
    /// Indices into `servers`, each as often as its weight says, spread out.
    turns: Vec<usize>,
    next: AtomicUsize,
    failures: Failures,
    /// How long a connection may take to be made, TLS included.
    pub connect_timeout: Duration,
    /// How long a server may take to answer, and between two reads of its answer.
    pub read_timeout: Duration,
    /// How often an idempotent request is tried again.
    pub retries: u32,
    /// What the legacy API itself asks for.
    pub credentials: Option<(HeaderName, HeaderValue)>,
    /// Whether its servers take HTTP/2 rather than HTTP/1.1.
    pub http2: bool,
}

/// What is configured about an upstream besides its servers.
#[derive(Debug)]
pub struct UpstreamSpec {
    /// See [`Upstream`]; likewise below.
    pub name: String,
    /// Servers with their weights.
    pub servers: Vec<(Server, u32)>,
    /// See [`Upstream::connect_timeout`].
    pub connect_timeout: Duration,
    /// See [`Upstream::read_timeout`].
    pub read_timeout: Duration,
    /// See [`Upstream::retries`].
    pub retries: u32,
    /// See [`Upstream::credentials`].
    pub credentials: Option<(HeaderName, HeaderValue)>,
    /// See [`Upstream::http2`].
    pub http2: bool,
}

/// One server.
pub struct Server {
    /// What the connections of this server are pooled under: never used twice in a process.
    pub(super) key: u64,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How to speak TLS to it; none for plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Server {
    /// A server at this address.
    #[must_use]
    pub fn new(host: String, port: u16, tls: Option<(Arc<ClientConfig>, ServerName<'static>)>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { key: NEXT.fetch_add(1, Ordering::Relaxed), host, port, tls }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({}:{}{})", self.host, self.port, if self.tls.is_some() { ", tls" } else { "" })
    }
}

impl Upstream {
    /// An upstream; none without servers.
    #[must_use]
    pub fn new(spec: UpstreamSpec) -> Option<Self> {
        let (servers, weights): (Vec<_>, Vec<_>) =
            spec.servers.into_iter().map(|(server, weight)| (Arc::new(server), weight.max(1))).unzip();
        (!servers.is_empty()).then(|| Self {
            name: spec.name,
            servers,
            turns: smooth_turns(&weights),
            next: AtomicUsize::new(0),
            failures: Failures::default(),
            connect_timeout: spec.connect_timeout,
            read_timeout: spec.read_timeout,
            retries: spec.retries,
            credentials: spec.credentials,
            http2: spec.http2,
        })
    }

    /// The server whose turn it is.
    pub(super) fn pick(&self) -> Option<&Arc<Server>> {
        match &*self.servers {
            [only] => Some(only),
            servers => {
                let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.turns.len().max(1);
                servers.get(*self.turns.get(turn)?)
            }
        }
    }
}

/// How often failures of an upstream are reported: it fails once for every request while it is down.
const REPORT_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Failures {
    /// When the last line was written.
    reported: Mutex<Option<Instant>>,
    unreported: AtomicU64,
}

impl Upstream {
    /// Reports that a request failed, at most once in a while.
    pub(super) fn report(&self, error: &dyn fmt::Debug) {
        let now = Instant::now();
        let mut reported = self.failures.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.is_some_and(|last| now.duration_since(last) < REPORT_EVERY) {
            self.failures.unreported.fetch_add(1, Ordering::Relaxed);
            return;
        }
        *reported = Some(now);
        drop(reported);
        let more = match self.failures.unreported.swap(0, Ordering::Relaxed) {
            0 => String::new(),
            more => format!(" (and {more} more since the last such line)"),
        };
        log::warn!("upstream {:?}: {error:?}{more}", self.name);
    }
}

/// Smooth weighted round robin, unrolled: each server as often as its weight, as far apart as can be.
fn smooth_turns(weights: &[u32]) -> Vec<usize> {
    // Weights are divided by what they have in common, and a round has at most this many turns.
    const LONGEST: u64 = 10_000;
    let divisor = weights.iter().fold(0, |a, b| gcd(a, *b)).max(1);
    let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight / divisor)).collect();
    let total: i64 = weights.iter().sum();
    let mut credit = vec![0_i64; weights.len()];
    let mut turns = Vec::new();
    for _ in 0..u64::try_from(total).unwrap_or(0).min(LONGEST) {
        for (credit, weight) in credit.iter_mut().zip(&weights) {
            *credit += weight;
        }
        if let Some(richest) = (0..credit.len()).max_by_key(|at| (credit[*at], std::cmp::Reverse(*at))) {
            credit[richest] -= total;
            turns.push(richest);
        }
    }
    turns
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_follow_weights_and_are_spread_out() {
        assert_eq!(smooth_turns(&[1]), [0]);
        assert_eq!(smooth_turns(&[1, 1]), [0, 1]);
        assert_eq!(smooth_turns(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(smooth_turns(&[20, 10]), [0, 1, 0]);
        assert!(smooth_turns(&[u32::MAX, 1]).len() <= 10_000);
    }
}
