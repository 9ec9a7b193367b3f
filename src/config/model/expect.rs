//! `[[expect]]`.

use http::Method;

use super::route::HostPattern;
use crate::{config::error::Position, route::pattern::Pattern};

/// An access test: something that a client must, or must never, be able to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expectation {
    /// The client whose token the requests carry, with every scope that it may ask for; `None` is no token.
    pub client: Option<String>,
    /// The expectation.
    pub expected: Expected,
    /// The position in the file.
    pub position: Position,
}

/// The expectation of an access test.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// The outcome of one request.
    Outcome {
        /// The method.
        method: Method,
        /// The URL, or a path for a host that no route names.
        url: String,
        /// The expected outcome.
        outcome: ExpectedOutcome,
    },
    /// No request that matches one of these patterns gets through; at least one pattern.
    Never(Vec<RequestPattern>),
}

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpectedOutcome {
    /// The request is forwarded to an upstream.
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
