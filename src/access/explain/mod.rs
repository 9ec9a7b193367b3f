//! Explains how the gateway decides about one request, from the configuration alone.
//!
//! The decision is made by [`authorize`](crate::proxy::authorize::authorize), the function that the pipeline
//! calls. Its input is the head of the request, a gate that has issued the token in memory, and the rules of
//! the configuration. This module adds what a refusal does not say: the route, the scopes and the audience
//! that its token needs and has, and the conditions of the route.

mod credential;
mod decision;
mod explanation;
mod proof;
mod report;
mod request;
mod target;
mod verdict;

pub(crate) use self::credential::Credential;
pub(crate) use self::decision::{ExplainError, explain};
pub(crate) use self::explanation::{Explanation, Verdict, VerdictFields};
pub(crate) use self::report::Report;
pub(crate) use self::request::SampleRequest;
pub(crate) use self::target::Target;
