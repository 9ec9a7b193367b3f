//! `[security_log]` and `[tracing]`.

use super::server::AccessLog;
use crate::oauth::secret::Secret;

/// `[security_log]`: events for a security team, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecurityLog {
    /// Where it goes: never nowhere.
    pub output: AccessLog,
    /// The most lines of each kind of event in a second.
    pub max_per_second: u32,
}

/// `[tracing]`: OpenTelemetry traces, sent to a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tracing {
    /// The URL that spans are posted to.
    pub endpoint: String,
    /// The `Authorization` header of these requests.
    pub authorization: Option<Secret>,
    /// The name of the service in the spans.
    pub service_name: String,
    /// The share of traces that are recorded, in millionths.
    pub ratio: u32,
    /// The clients whose trace context is accepted.
    pub accept_context: AcceptContext,
}

/// The clients whose `traceparent` and `tracestate` are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcceptContext {
    /// Trusted proxies.
    #[default]
    TrustedProxies,
    /// Everybody.
    All,
    /// Nobody: every request begins a trace.
    None,
}
