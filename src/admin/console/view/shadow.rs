//! The routes in shadow mode, and who would be refused.

use askama::Template;

use super::frame::Frame;
use super::parts::{Badge, Link};

/// The routes in shadow mode.
#[derive(Debug, Template)]
#[template(path = "shadow.html")]
pub(crate) struct ShadowPage {
    pub(crate) frame: Frame,
    pub(crate) routes: Vec<ShadowRoute>,
    /// Proposals that do not concern a single caller.
    pub(crate) others: Vec<OtherProposal>,
}

/// A proposal that does not concern a single caller.
#[derive(Debug)]
pub(crate) struct OtherProposal {
    pub(crate) text: String,
    pub(crate) key: String,
}

/// A route in shadow mode.
#[derive(Debug)]
pub(crate) struct ShadowRoute {
    pub(crate) anchor: String,
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) state: Badge,
    pub(crate) share: String,
    pub(crate) summary: String,
    pub(crate) warning: String,
    pub(crate) empty: String,
    pub(crate) callers: Vec<Caller>,
    pub(crate) is_ready: bool,
}

/// A caller that would be refused.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) who: String,
    pub(crate) agent: String,
    pub(crate) verdict: String,
    pub(crate) requests: String,
    pub(crate) last: String,
    pub(crate) proposal: String,
    /// The value that the form sends to accept the proposal.
    pub(crate) propose: Option<String>,
    pub(crate) link: Option<Link>,
}
