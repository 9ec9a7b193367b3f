//! `[upstreams.…]`.

use std::{
    fmt,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use http::HeaderName;

use super::server::CertificateFiles;
use crate::config::{
    address::{Host, Origin},
    error::Position,
    settings::{ejection, retry_budget},
};
use crate::oauth::secret::Secret;

/// The index of a route's upstream in [`Config::upstreams`](super::Config::upstreams).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamIndex(pub usize);

/// One upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upstream {
    /// The name in the file.
    pub name: String,
    /// The servers: at least one, without duplicates.
    pub servers: Vec<UpstreamServer>,
    /// The prefix of every path at the servers. It is empty, or a path without a trailing slash.
    pub base_path: String,
    /// The `Host` of requests and health probes.
    pub host: UpstreamHost,
    /// The algorithm that picks a server.
    pub balance: Balance,
    /// The protocol that its servers speak.
    pub protocol: Protocol,
    /// The connect timeout, including TLS.
    pub connect_timeout: Duration,
    /// The timeout between two reads of a response.
    pub read_timeout: Duration,
    /// The timeout of a whole request, until the end of its response.
    pub total_timeout: Option<Duration>,
    /// The maximum idle time of a connection that is reused.
    pub idle_timeout: Duration,
    /// The number of retries of a failed request, if a retry is safe.
    pub retries: u32,
    /// The health check. `None` if servers are not probed.
    pub health_check: Option<HealthCheck>,
    /// The credentials that are added to each request.
    pub credentials: Option<Credentials>,
    /// TLS to the `https` servers.
    pub tls: UpstreamTls,
    /// Whether the routes of the upstream match in any case.
    pub case_insensitive: bool,
    /// When a server that fails gets no requests for a while; `None` is never.
    pub ejection: Option<Ejection>,
    /// The retry budget. `None` if all requests may be retried.
    pub retry_budget: Option<RetryBudget>,
    /// The `aud` claim of JWTs for it. `None` is its name.
    pub jwt_audience: Option<String>,
    /// The most requests in flight.
    pub max_in_flight: Option<NonZeroUsize>,
    /// The queue of further requests. Set only together with `max_in_flight`.
    pub queue: Option<QueueLimits>,
    /// The position in the file.
    pub position: Position,
}

impl Upstream {
    /// Returns the `aud` claim of JWTs for it.
    #[must_use]
    pub fn audience(&self) -> &str {
        self.jwt_audience.as_deref().unwrap_or(&self.name)
    }
}

/// One server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamServer {
    /// The address. The port is never 0. For a Unix socket, the origin of requests: `http://localhost`.
    pub origin: Origin,
    /// The Unix socket that it listens on, instead of an address.
    pub socket: Option<PathBuf>,
    /// The share of the requests, relative to the other servers.
    pub weight: NonZeroU32,
    /// The position in the file.
    pub position: Position,
}

impl fmt::Display for UpstreamServer {
    /// Writes the server as the file does: a URL, or `unix:` and a path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(path) => write!(f, "unix:{}", path.display()),
            None => self.origin.fmt(f),
        }
    }
}

/// The `Host` that servers get.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum UpstreamHost {
    /// The client's.
    #[default]
    Preserve,
    /// The server's own, from its URL.
    Upstream,
    /// This one, with a port if it needs one.
    Name(String),
}

/// The algorithm that picks a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Balance {
    /// In turn, by weight.
    RoundRobin,
    /// At random, by weight.
    Random,
    /// The one with the fewest requests in flight.
    LeastRequests,
    /// Always the same one for a client id.
    Consistent,
}

/// The protocol of an upstream's servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2: without TLS to `http` servers, by ALPN to `https` ones.
    Http2,
}

/// A health check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthCheck {
    /// The kind of probe.
    pub probe: Probe,
    /// The time from one probe to the next.
    pub interval: Duration,
    /// The timeout of a probe. Never longer than `interval`.
    pub timeout: Duration,
    /// The good probes in a row that make a server healthy.
    pub healthy_after: NonZeroU32,
    /// The bad probes in a row that make it unhealthy.
    pub unhealthy_after: NonZeroU32,
}

/// The kind of probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Opens a connection.
    Tcp,
    /// Requests a path with GET.
    Http {
        /// The target in origin-form; it can have a query.
        path: String,
        /// The statuses of a good answer.
        expected: ExpectedStatus,
    },
}

/// The statuses of a good answer to a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedStatus {
    /// From the first to the last one.
    Range(u16, u16),
    /// One of these.
    OneOf(Vec<u16>),
}

impl ExpectedStatus {
    /// Returns whether a status is one of them.
    #[must_use]
    pub fn contains(&self, status: http::StatusCode) -> bool {
        match self {
            Self::Range(first, last) => (*first..=*last).contains(&status.as_u16()),
            Self::OneOf(statuses) => statuses.contains(&status.as_u16()),
        }
    }
}

impl fmt::Display for ExpectedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::OneOf(statuses) => {
                let texts: Vec<String> = statuses.iter().map(u16::to_string).collect();
                f.write_str(&texts.join(" or "))
            }
        }
    }
}

/// When a server that fails is ejected, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ejection {
    /// The failures in a row after which it is ejected.
    pub failures: NonZeroU32,
    /// Whether responses with status 500 and above count, in addition to failed connections and missing
    /// responses.
    pub server_errors: bool,
    /// The time of the first ejection. Every one that follows soon is twice as long.
    pub span: Duration,
    /// The longest time.
    pub max: Duration,
    /// The time until a server that returns gets its full share of requests again.
    pub return_over: Duration,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            failures: NonZeroU32::new(ejection::FAILURES.default).unwrap_or(NonZeroU32::MIN),
            server_errors: false,
            span: ejection::FOR.default,
            max: ejection::MAX.default,
            return_over: ejection::RETURN_OVER.default,
        }
    }
}

/// The part of the requests of the last ten seconds that may be retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// The share of them, in percent.
    pub percent: u32,
    /// The retries per second that are always allowed.
    pub min_per_second: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { percent: retry_budget::PERCENT.default, min_per_second: retry_budget::MIN_PER_SECOND.default }
    }
}

/// The queue of requests that wait for others to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// The most requests that wait.
    pub most: NonZeroUsize,
    /// The maximum waiting time of each request.
    pub timeout: Duration,
}

/// Credentials that are added to each request to an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A header.
    Header {
        /// The name. It is neither a connection header nor one that the gateway sets.
        name: HeaderName,
        /// The value, which is valid in a header.
        value: Secret,
    },
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user id: no colon, no control characters.
        user: String,
        /// The password: no control characters.
        password: Secret,
    },
}

/// TLS to an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UpstreamTls {
    /// The authorities (PEM) that the servers' certificates are verified with; `None` is those of the system.
    pub ca: Option<PathBuf>,
    /// The certificate and key shown to the servers.
    pub client_certificate: Option<CertificateFiles>,
    /// The name that the certificates must have, never empty; `None` is the host of the server's URL.
    pub server_name: Option<Host>,
    /// The SHA-256 digests of the public keys (SubjectPublicKeyInfo) that the servers' certificates may have;
    /// empty is any key. Without `ca`, nothing else about a certificate is verified.
    pub pins: Vec<[u8; 32]>,
    /// Whether any certificate is accepted. Never together with `ca` or `pins`.
    pub insecure_skip_verify: bool,
}
