//! The decision about a request, with its reasons.

use crate::access::explain::credential::Credential;
use crate::config::{Access, Config, Route};

/// The decision about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The request is forwarded to the upstream, with this path.
    Passes { upstream: String, path: String },
    /// An endpoint of the gateway answers the request.
    Endpoint(&'static str),
    /// The gateway answers a browser's preflight request, and allows or forbids the actual request.
    Preflight { allowed: bool },
    /// The gateway refuses the request.
    Refused {
        status: u16,
        error: Option<&'static str>,
        reason: String,
        /// The key of gateway.toml that must change before such a request is accepted.
        setting: Option<&'static str>,
    },
}

/// A verdict as the members of an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct VerdictFields {
    /// `passes`, `endpoint`, `preflight` or `refused`.
    pub(crate) name: &'static str,
    /// The status of the gateway's own response.
    pub(crate) status: Option<u16>,
    /// The OAuth error of a refusal.
    pub(crate) error: Option<&'static str>,
    /// Why the request is refused, which endpoint answers, or what the answer to a preflight request permits.
    pub(crate) reason: Option<String>,
    /// The key of gateway.toml that must change before such a request is accepted.
    pub(crate) setting: Option<&'static str>,
    /// The upstream that gets the request.
    pub(crate) upstream: Option<String>,
    /// The path that the upstream gets.
    pub(crate) path: Option<String>,
}

impl Verdict {
    /// Returns the members of an object that describes the verdict.
    pub(crate) fn fields(&self) -> VerdictFields {
        let fields = VerdictFields::default();
        match self {
            Self::Passes { upstream, path } => VerdictFields {
                name: "passes",
                upstream: Some(upstream.clone()),
                path: Some(path.clone()),
                ..fields
            },
            Self::Endpoint(endpoint) => {
                VerdictFields { name: "endpoint", reason: Some((*endpoint).to_owned()), ..fields }
            }
            Self::Preflight { allowed } => {
                let reason = if *allowed {
                    "the page may send the request"
                } else {
                    "the page may not send the request"
                };
                let reason = Some(reason.to_owned());
                VerdictFields { name: "preflight", status: Some(204), reason, ..fields }
            }
            Self::Refused { status, error, reason, setting } => VerdictFields {
                name: "refused",
                status: Some(*status),
                error: *error,
                reason: Some(reason.clone()),
                setting: *setting,
                ..fields
            },
        }
    }
}

/// The decision about a request, with its reasons.
#[derive(Debug)]
pub(crate) struct Explanation<'c> {
    /// The canonical path, or `None` if the request is refused before there is one.
    pub(crate) canonical_path: Option<String>,
    /// The route that decides, or `None` if no route matches.
    pub(crate) route: Option<&'c Route>,
    /// The decision.
    pub(crate) verdict: Verdict,
    /// The decision that an enforced route would make, for a request that is accepted only in shadow mode.
    pub(crate) enforced: Option<Verdict>,
    /// Whether a page of the request's origin may read the response, or `None` if the request has no origin.
    pub(crate) page_reads_response: Option<bool>,
}

impl Explanation<'_> {
    /// Returns whether the request fails: the gateway refuses it, or the browser refuses it after the
    /// gateway's answer.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.verdict, Verdict::Refused { .. } | Verdict::Preflight { allowed: false })
    }

    /// Returns what a client must name in its token request to get a token for this request, if the request
    /// is accepted. It is empty if the token that the client gets by default is enough.
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
