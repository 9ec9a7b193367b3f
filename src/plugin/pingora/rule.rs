use std::sync::Arc;

use pingora::http::RequestHeader;

use super::access::Access;
use super::connection::Connection;
use super::identity;
use crate::gate::Gate;
use crate::oauth::decide::{self, Permit};
use crate::oauth::denial::Denial;
use crate::oauth::evidence::Target;
use crate::plugin::evidence;

/// What requests are asked, and what is made of the heads of those that pass.
#[derive(Clone)]
pub(super) struct Rule {
    pub(super) gate: Gate,
    pub(super) access: Asked,
    pub(super) condition: Option<Arc<OwnCondition>>,
    pub(super) endpoints: bool,
    pub(super) forward_token: bool,
}

pub(super) type ByRequest = dyn Fn(&RequestHeader) -> Access + Send + Sync;
pub(super) type OwnCondition = dyn Fn(&Permit, &RequestHeader) -> Result<(), Denial> + Send + Sync;

#[derive(Clone)]
pub(super) enum Asked {
    Always(Access),
    ByRequest(Arc<ByRequest>),
}

impl Rule {
    pub(super) fn new(gate: Gate, access: Access) -> Self {
        Self { gate, access: Asked::Always(access), condition: None, endpoints: false, forward_token: false }
    }

    /// Whether the request is for the gate itself, and somebody is there to answer it.
    pub(super) fn is_endpoint(&self, head: &RequestHeader) -> bool {
        self.endpoints && self.gate.endpoint(head.uri.path()).is_some()
    }

    /// Decides, and names the client in the head of a request that may pass.
    pub(super) fn admit(&self, head: &mut RequestHeader, seen: &Connection) -> Result<Permit, Denial> {
        let permit = match &self.access {
            Asked::Always(access) => self.judge(head, access, seen),
            Asked::ByRequest(ask) => self.judge(head, &ask(head), seen),
        }?;
        // Values that were made for headers and names that are constant: no insertion fails. If one did, the
        // request would go on without what it stands for, so it does not go on.
        identity::set(head, &permit, self.forward_token).map_err(|_| Denial::Unavailable)?;
        Ok(permit)
    }

    fn judge(&self, head: &RequestHeader, access: &Access, seen: &Connection) -> Result<Permit, Denial> {
        let Access::Token(demand) = access else { return Ok(decide::public()) };
        let certificate = seen.certificate().map(|certificate| certificate.sha256);
        let target = || {
            let target = evidence::target(&self.gate, &head.method, &head.uri, &head.headers)?;
            Some(Target { https: target.https || seen.is_tls(), ..target })
        };
        let (requirement, audience) = (&demand.requirement, demand.audience.as_deref());
        let permit = self.gate.judge(&head.headers, requirement, audience, certificate, target)?;
        match &self.condition {
            Some(condition) => condition(&permit, head).map(|()| permit),
            None => Ok(permit),
        }
    }
}
