use std::sync::Arc;

use pingora::http::RequestHeader;

use crate::gate::Gate;
use crate::gate::question::Answers;
use crate::oauth::decide::{self, Permit};
use crate::oauth::denial::Denial;
use crate::plugin::evidence;
use crate::plugin::pingora::access::Access;
use crate::plugin::pingora::connection::Connection;
use crate::plugin::pingora::identity;

/// The rule for requests: the demand, the condition, and what the heads of authorized requests become.
#[derive(Clone)]
pub(super) struct Rule {
    pub(super) gate: Gate,
    pub(super) access: AccessSource,
    pub(super) condition: Option<Arc<OwnCondition>>,
    pub(super) endpoints: bool,
    pub(super) forward_token: bool,
}

pub(super) type ByRequest = dyn Fn(&RequestHeader) -> Access + Send + Sync;
pub(super) type OwnCondition = dyn Fn(&Permit, &RequestHeader) -> Result<(), Denial> + Send + Sync;

#[derive(Clone)]
pub(super) enum AccessSource {
    Always(Access),
    ByRequest(Arc<ByRequest>),
}

impl Rule {
    pub(super) fn new(gate: Gate, access: Access) -> Self {
        Self {
            gate,
            access: AccessSource::Always(access),
            condition: None,
            endpoints: false,
            forward_token: false,
        }
    }

    /// Returns whether the request is for one of the gate's endpoints, and the program answers them.
    pub(super) fn is_endpoint(&self, head: &RequestHeader) -> bool {
        self.endpoints && self.gate.endpoint(head.uri.path()).is_some()
    }

    /// Authorizes a request, and sets the identity headers of its head.
    pub(super) async fn admit(&self, head: &mut RequestHeader, seen: &Connection) -> Result<Permit, Denial> {
        let permit = match &self.access {
            AccessSource::Always(access) => self.authorize(head, access, seen).await,
            AccessSource::ByRequest(ask) => self.authorize(head, &ask(head), seen).await,
        }?;
        // The names are constant and the values were made for headers, so no insertion fails. If one did, the
        // request would lack its identity, so it is refused.
        identity::set(head, &permit, self.forward_token).map_err(|_| Denial::Unavailable)?;
        Ok(permit)
    }

    async fn authorize(
        &self,
        head: &RequestHeader,
        access: &Access,
        seen: &Connection,
    ) -> Result<Permit, Denial> {
        let Access::Token(demand) = access else { return Ok(decide::public()) };
        let certificate = seen.certificate().map(|certificate| certificate.sha256);
        let target = || {
            let https = self.gate.is_public_by_https() || seen.is_tls();
            evidence::target_of(https, &head.method, &head.uri, &head.headers)
        };
        let (requirement, audience) = (&demand.requirement, demand.audience.as_deref());
        let decide = |answers: &Answers| {
            self.gate.authorize_inner(&head.headers, requirement, audience, certificate, target, answers)
        };
        let permit = self.gate.until_decided(decide).await?;
        match &self.condition {
            Some(condition) => condition(&permit, head).map(|()| permit),
            None => Ok(permit),
        }
    }
}
