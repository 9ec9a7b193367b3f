//! Judges the token of a request on a route in shadow mode.

use super::access::{Judged, ShadowAccess};
use crate::gate::Gate;
use crate::gate::question::Undecided;
use crate::headers::{CredentialsIn, CredentialsOf, RequestView};
use crate::oauth::decide::{self, Identity, Lease};
use crate::oauth::denial::Denial;
use crate::oauth::evidence::{Evidence, Target};
use crate::proxy::observer::RequestObserver;
use crate::proxy::request_context::RequestContext;
use crate::proxy::rules::Rules;

/// Judges the token of a request as on an enforced route, and leases whatever the verdict. `identity` is that
/// of a valid token, even if the token lacks a scope.
///
/// # Errors
/// Only a question for the store. Without an answer, the request passes.
#[cold]
pub(in crate::proxy) fn lease<V: RequestView>(
    gate: &Gate,
    rules: &Rules,
    shadow: &ShadowAccess,
    context: &RequestContext<'_, V>,
    target: Target<'_>,
    observer: &mut impl RequestObserver,
    identity: &mut Identity,
) -> Result<Lease, Undecided> {
    let RequestContext { request, client, answers, .. } = *context;
    let evidence = Evidence { certificate: client.verified_certificate(), target: Some(target) };
    let (demand, jwt_for) = (&shadow.demand, shadow.jwt_for.as_ref());
    let judged = match &shadow.header {
        None => gate.lease_in_shadow(&CredentialsOf(request), demand, &evidence, identity, answers, jwt_for),
        Some(header) => {
            let credentials = CredentialsIn::new(request, header);
            gate.lease_in_shadow(&credentials, demand, &evidence, identity, answers, jwt_for)
        }
    };
    let (lease, denial) = match judged {
        Ok((lease, None)) => (lease, None),
        Ok((_, Some(denial))) => refused(denial),
        Err(Undecided::Denied(denial)) => {
            identity.clear();
            refused(denial)
        }
        Err(ask @ Undecided::Ask(_)) => return Err(ask),
    };
    observer.on_shadow(&Judged {
        learned: &shadow.learned,
        denial: denial.as_ref(),
        client: identity.client(),
        address: rules.client_address(client.peer, request),
        user_agent: request
            .fields()
            .find(|field| field.name.eq_ignore_ascii_case(b"user-agent"))
            .map(|field| field.value),
        now: gate.clock().unix_time(),
    });
    Ok(lease)
}

fn refused(denial: Denial) -> (Lease, Option<Denial>) {
    (decide::shadow(&denial), Some(denial))
}
