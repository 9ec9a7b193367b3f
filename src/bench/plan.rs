//! What to measure, and how.

use std::path::PathBuf;
use std::time::Duration;

use http::Method;

use crate::bench::scenario::Kind;

/// How many tokens the issuing scenario may leave in a gateway that others use. They wait if it has no room
/// left.
const MAX_ISSUED_BY_RUNNING: u64 = 20_000;
/// The same for a temporary gateway.
const MAX_ISSUED_BY_TEMPORARY: u64 = 1_000_000;

/// Which gateway is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The gateway at this URL.
    Url(String),
    /// A temporary gateway.
    Temporary,
    /// The gateway of the configuration if it runs, or else a temporary one.
    RunningOrTemporary,
}

/// A method and a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) path: String,
}

/// What to measure, and how.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) wanted: Wanted,
    pub(crate) remote: bool,
    pub(crate) client: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) route: Option<RequestLine>,
    pub(crate) public_route: Option<RequestLine>,
    /// The scenarios, or empty for all that the gateway has.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) duration: Duration,
    pub(crate) rounds: usize,
    pub(crate) rate: Option<f64>,
    pub(crate) tokens: usize,
    pub(crate) max_issued: Option<u64>,
    pub(crate) http2: bool,
    pub(crate) insecure: bool,
    pub(crate) ca: Option<PathBuf>,
}

impl Plan {
    /// Returns how many tokens the issuing scenario may get in all.
    pub(crate) fn max_issued(&self, temporary: bool) -> u64 {
        self.max_issued.unwrap_or(if temporary { MAX_ISSUED_BY_TEMPORARY } else { MAX_ISSUED_BY_RUNNING })
    }

    /// Returns whether a scenario is to be measured if it can be.
    pub(crate) fn wants(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}
