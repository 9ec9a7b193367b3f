//! How the gateway decides about one request, from the configuration alone.
//!
//! The decision is made by [`authorize`](crate::proxy::authorize::authorize), the function that the pipeline calls. It
//! gets the head that the request would have, a gate that has issued the token in memory, and the rules of the
//! configuration. What is added here is what a refusal does not say: the route, what its token needs and has, the terms.

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
pub(crate) use self::explanation::{Explanation, Verdict};
pub(crate) use self::report::Report;
pub(crate) use self::request::SampleRequest;
pub(crate) use self::target::Target;
