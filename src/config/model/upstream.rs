//! `[upstreams.…]`.

use std::{
    fmt,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use http::HeaderName;

use crate::config::{
    address::{Host, Origin},
    error::Place,
    settings::{ejection, retry_budget},
};
use crate::oauth::secret::Secret;

/// Which of [`Config::upstreams`](super::Config::upstreams) a route means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamIndex(pub usize);

/// One upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upstream {
    /// Its name in the file.
    pub name: String,
    /// Its servers: at least one, no two of them the same.
    pub servers: Vec<UpstreamServer>,
    /// How a server is picked.
    pub balance: Balance,
    /// What is spoken to the servers.
    pub protocol: Protocol,
    /// Until a connection stands, TLS included.
    pub connect_timeout: Duration,
    /// Between two reads of an answer.
    pub read_timeout: Duration,
    /// From the request to the end of the answer.
    pub total_timeout: Option<Duration>,
    /// How often a request is tried again, where that is safe.
    pub retries: u32,
    /// How servers are probed.
    pub health_check: Option<HealthCheck>,
    /// What is added to each request.
    pub credentials: Option<Credentials>,
    /// TLS to the `https` servers; the system's defaults where the file says nothing.
    pub tls: UpstreamTls,
    /// Whether its routes match in any case.
    pub case_insensitive: bool,
    /// When a server that fails is left out for a while; none: never.
    pub ejection: Option<Ejection>,
    /// How many requests may be tried again; none: as many as there are.
    pub retry_budget: Option<RetryBudget>,
    /// How many requests may be under way at once.
    pub max_in_flight: Option<NonZeroUsize>,
    /// How many more may wait for that; only where `max_in_flight` is.
    pub queue: Option<QueueLimits>,
    /// Where it stands in the file.
    pub place: Place,
}

/// One server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamServer {
    /// Where it is; the port is never 0.
    pub origin: Origin,
    /// Its share beside the others'.
    pub weight: NonZeroU32,
    /// Where it stands in the file.
    pub place: Place,
}

/// How a server is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Balance {
    /// In turn, by weight.
    RoundRobin,
    /// By chance, by weight.
    Random,
    /// The one with the fewest requests under way.
    LeastRequests,
    /// The same one for the same client id.
    Consistent,
}

/// What is spoken to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2: without TLS to `http` servers, by ALPN to `https` ones.
    Http2,
}

/// How servers are probed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthCheck {
    /// By what.
    pub probe: Probe,
    /// From one probe to the next.
    pub interval: Duration,
    /// How long a probe may take; never longer than `interval`.
    pub timeout: Duration,
    /// So many good probes in a row make a server healthy.
    pub healthy_after: NonZeroU32,
    /// So many bad probes in a row make it unhealthy.
    pub unhealthy_after: NonZeroU32,
}

/// What a health check does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Opens a connection.
    Tcp,
    /// Asks for this path, which may have a query.
    Http {
        /// An origin-form target.
        path: String,
        /// Which answers are good.
        expected: ExpectedStatus,
    },
}

/// The statuses of a good answer to a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedStatus {
    /// From this one to that.
    Range(u16, u16),
    /// One of these.
    OneOf(Vec<u16>),
}

impl ExpectedStatus {
    /// Whether it is one of them.
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

/// When a server that fails is left out, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ejection {
    /// So many failures in a row.
    pub failures: NonZeroU32,
    /// Whether an answer of 500 and above is a failure, beside connections that fail and answers that do not come.
    pub server_errors: bool,
    /// How long the first time; twice as long each time that follows soon.
    pub span: Duration,
    /// But never longer.
    pub max: Duration,
    /// How long it takes until a server that returns has its whole share again.
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

/// How many of the requests of the last ten seconds may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// This part of them, in percent.
    pub percent: u32,
    /// And so many a second, however few requests there are.
    pub min_per_second: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { percent: retry_budget::PERCENT.default, min_per_second: retry_budget::MIN_PER_SECOND.default }
    }
}

/// How requests wait for others to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// How many.
    pub most: NonZeroUsize,
    /// How long each.
    pub timeout: Duration,
}

/// What is added to each request to an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A header.
    Header {
        /// Its name: no hop-by-hop header, none that frames, routes or identifies.
        name: HeaderName,
        /// Its value: fit for a header as it is.
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
    /// Which authorities vouch for the servers (PEM); the common ones where left out.
    pub ca: Option<PathBuf>,
    /// The certificate and key shown to the servers (PEM).
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// The name to ask for and to check; the host of the server's URL where left out. Never empty.
    pub server_name: Option<Host>,
}
