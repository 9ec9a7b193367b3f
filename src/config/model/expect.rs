//! `[[expect]]`.

use http::Method;

use super::route::HostPattern;
use crate::{config::error::Position, route::pattern::Pattern};

/// One access test: what a client must be able to do, or must never be able to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expectation {
    /// The client whose token the requests carry, with every scope that it may ask for; `None` is no token.
    pub client: Option<String>,
    /// What is expected.
    pub expected: Expected,
    /// The position in the file.
    pub position: Position,
}

/// What an access test expects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// What becomes of one request.
    Outcome {
        /// The method.
        method: Method,
        /// The URL, or a path for a host that no route names.
        url: String,
        /// What becomes of it.
        outcome: ExpectedOutcome,
    },
    /// No request that matches one of these patterns gets through; at least one pattern.
    Never(Vec<RequestPattern>),
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpectedOutcome {
    /// It goes to an upstream.
    Pass,
    /// The gateway answers it with this status.
    Status(u16),
}

/// Requests: methods, hosts and paths.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestPattern {
    /// The pattern as it is written.
    pub text: String,
    /// The methods; `None` is all of them.
    pub methods: Option<Vec<Method>>,
    /// The hosts; `None` is any host.
    pub host: Option<HostPattern>,
    /// The paths.
    pub path: Pattern,
    /// The position in the file.
    pub position: Position,
}
