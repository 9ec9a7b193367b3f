//! Waives the verdict about the token of a request, on a route in shadow mode.

use super::access::{Judged, ShadowAccess};
use crate::gate::Gate;
use crate::gate::question::Undecided;
use crate::headers::RequestView;
use crate::oauth::decide::{self, Identity, Lease};
use crate::oauth::evidence::Target;
use crate::proxy::authorize::judge::judge;
use crate::proxy::observer::RequestObserver;
use crate::proxy::request_context::RequestContext;
use crate::proxy::rules::Rules;

/// Judges the token of a request as on an enforced route, and makes a lease whether or not the token is good
/// enough. `identity` is that of a valid token, even if the token lacks a scope.
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
    let RequestContext { request, client, .. } = *context;
    let (lease, denial) = match judge(gate, &shadow.token, context, target, identity) {
        Ok(lease) => (lease, None),
        Err(Undecided::Denied(denial)) => {
            if !denial.is_about_valid_token() {
                identity.clear();
            }
            (decide::shadow(&denial), Some(denial))
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
