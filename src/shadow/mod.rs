//! Shadow mode: observations about requests that an enforced route would refuse, and proposals for changes
//! before a route is enforced.
//!
//! The proxy records the verdict about each request in a table of bounded size ([`Learned`]). A [`Summary`]
//! says who would be refused and why, and [`proposals`] says which changes of the configuration would let
//! those callers pass.

mod counts;
pub(crate) mod file;
mod learned;
mod proposal;
mod refusal;
mod summary;
mod text;

pub(crate) use self::learned::{Learned, LearnedRoute, Seen, Taken};
pub(crate) use self::proposal::{Proposal, proposals};
pub(crate) use self::refusal::Refusal;
pub(crate) use self::summary::{CallerSummary, RouteSummary, Summary, Who};
