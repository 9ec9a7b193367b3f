//! The decision about a request, and what led to it.

use crate::access::explain::credential::Credential;
use crate::config::{Access, Config, Route};

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The request goes upstream, with this path.
    Passes { upstream: String, path: String },
    /// An endpoint of the gateway answers the request.
    Endpoint(&'static str),
    /// The gateway answers a browser's preflight, and allows the page to go on or not.
    Preflight { allowed: bool },
    /// The gateway refuses the request.
    Refused {
        status: u16,
        error: Option<&'static str>,
        reason: String,
        /// The key of gateway.toml that would have to change for such a request to be served.
        setting: Option<&'static str>,
    },
}

/// The decision about a request, and what led to it.
#[derive(Debug)]
pub(crate) struct Explanation<'c> {
    /// The canonical path, or `None` if the request is refused before there is one.
    pub(crate) canonical_path: Option<String>,
    /// The route that decides, or `None` if no route does.
    pub(crate) route: Option<&'c Route>,
    /// The decision.
    pub(crate) verdict: Verdict,
    /// What the verdict would be if the route were enforced, for a request that passes only in shadow mode.
    pub(crate) enforced: Option<Verdict>,
    /// Whether a page of the request's origin may read the response, or `None` if no page makes the request.
    pub(crate) page_reads_response: Option<bool>,
}

impl Explanation<'_> {
    /// Returns whether the gateway refuses the request, or a browser does after the gateway's answer.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.verdict, Verdict::Refused { .. } | Verdict::Preflight { allowed: false })
    }

    /// Returns what a client has to ask a token for, so that a request that passes does so. It is empty if the token
    /// that the client gets without asking is enough.
    pub(crate) fn token_request(&self, config: &Config, credential: &Credential) -> Vec<String> {
        let mut asked = Vec::new();
        let (Verdict::Passes { .. }, Some(route), Credential::Client { id, audience, .. }) =
            (&self.verdict, self.route, credential)
        else {
            return asked;
        };
        let (Access::Token { requirement, audience: needed }, Some(client)) =
            (&route.access, config.client(id))
        else {
            return asked;
        };
        let lacking = requirement.missing(&client.default_scopes);
        if !lacking.is_empty() {
            asked.push(format!("scope {}", lacking.join(" ")));
        }
        if let (Some(needed), None) = (needed, audience) {
            asked.push(format!("resource {needed}"));
        }
        asked
    }
}
