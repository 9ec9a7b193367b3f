//! What is recorded of a request only for the access log and for traces.

use std::time::Duration;

use http::{Method, Version};
use tokio::time::Instant;

use crate::clock::turn;
use crate::telemetry::Reason;
use crate::telemetry::tracing::Trace;

/// What the access log and the trace need of a request, and metrics do not.
pub(super) struct Logged {
    /// The time since 1970.
    pub(super) time: Duration,
    pub(super) started: Instant,
    pub(super) client: Vec<u8>,
    pub(super) client_id: String,
    pub(super) method: Method,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) version: Version,
    pub(super) secure: bool,
    /// Why an enforced route would have refused the request.
    pub(super) shadow: Option<Reason>,
    pub(super) trace: Option<Trace>,
}

impl Logged {
    pub(super) fn new() -> Self {
        Self {
            time: Duration::ZERO,
            started: turn::now(),
            client: Vec::new(),
            client_id: String::new(),
            method: Method::GET,
            host: String::new(),
            path: String::new(),
            version: Version::HTTP_11,
            secure: false,
            shadow: None,
            trace: None,
        }
    }
}

/// Replaces a text and keeps its memory.
pub(super) fn set(text: &mut String, to: &str) {
    text.clear();
    text.push_str(to);
}

/// Returns the name of a version of HTTP.
pub(super) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
