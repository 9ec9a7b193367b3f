use std::sync::Arc;

use pingora::http::RequestHeader;

use super::identity;
use crate::gate::Gate;
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::Requirement;

/// What requests are asked, and what is made of the heads of those that pass.
#[derive(Clone)]
pub(super) struct Rule {
    pub(super) gate: Gate,
    requirement: Asked,
    pub(super) endpoints: bool,
    pub(super) forward_token: bool,
}

type ByRequest = dyn Fn(&RequestHeader) -> Arc<Requirement> + Send + Sync;

#[derive(Clone)]
enum Asked {
    Always(Arc<Requirement>),
    ByRequest(Arc<ByRequest>),
}

impl Rule {
    pub(super) fn new(gate: Gate, requirement: Requirement) -> Self {
        let requirement = Asked::Always(Arc::new(requirement));
        Self { gate, requirement, endpoints: false, forward_token: false }
    }

    pub(super) fn ask_by(&mut self, ask: Arc<ByRequest>) {
        self.requirement = Asked::ByRequest(ask);
    }

    /// Whether the request is for the gate itself, and somebody is there to answer it.
    pub(super) fn is_endpoint(&self, head: &RequestHeader) -> bool {
        self.endpoints && self.gate.endpoint(head.uri.path()).is_some()
    }

    /// Decides, and names the client in the head of a request that may pass.
    pub(super) fn admit(&self, head: &mut RequestHeader) -> Result<Permit, Denial> {
        let permit = match &self.requirement {
            Asked::Always(requirement) => self.gate.authorize(&head.headers, requirement),
            Asked::ByRequest(ask) => self.gate.authorize(&head.headers, &ask(head)),
        }?;
        // Values that were made for headers and names that are constant: no insertion fails. If one did, the
        // request would go on without what it stands for, so it does not go on.
        identity::set(head, &permit, self.forward_token).map_err(|_| Denial::Unavailable)?;
        Ok(permit)
    }
}
