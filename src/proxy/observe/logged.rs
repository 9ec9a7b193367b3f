//! What is recorded of a request only for the access log and for traces.

use std::time::SystemTime;

use http::{Method, Version};
use tokio::time::Instant;

use crate::clock::turn;
use crate::telemetry::Reason;
use crate::telemetry::tracing::Trace;

/// What the access log and the trace need of a request, and metrics do not.
pub(super) struct Logged {
    pub(super) time: SystemTime,
    pub(super) started: Instant,
    pub(super) client: String,
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
            time: SystemTime::UNIX_EPOCH,
            started: turn::now(),
            client: String::new(),
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
