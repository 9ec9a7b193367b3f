//! The verdict about the token of a request.

use std::sync::Arc;

use super::super::request_context::RequestContext;
use super::super::token_access::TokenAccess;
use crate::gate::Gate;
use crate::gate::question::Undecided;
use crate::headers::{CredentialsIn, CredentialsOf, RequestView};
use crate::oauth::decide::{Identity, Lease};
use crate::oauth::evidence::{Credentials, Evidence, Target};
use crate::oauth::scope::Demand;

/// Judges the token of a request. Enforced routes and routes in shadow mode both call this function: what
/// shadow mode learns is what enforcing the route would do.
///
/// `identity` becomes that of the token if the token is found, even if it is not good enough
/// ([`Denial::is_about_found_token`](crate::oauth::denial::Denial::is_about_found_token)).
///
/// # Errors
/// The denial, or a question that the store has to answer first.
#[inline(always)]
pub(in crate::proxy) fn judge<V: RequestView>(
    gate: &Gate,
    required: &TokenAccess,
    context: &RequestContext<'_, V>,
    target: Target<'_>,
    identity: &mut Identity,
) -> Result<Lease, Undecided> {
    let RequestContext { request, client, answers, .. } = *context;
    match required {
        TokenAccess::Plain(demand) => {
            let evidence = Evidence { certificate: client.verified_certificate(), target: Some(target) };
            gate.lease(&CredentialsOf(request), demand, &evidence, identity, answers)
        }
        TokenAccess::Special(special) => {
            let (demand, jwt_for) = (&special.demand, special.jwt_for.as_ref());
            match &special.header {
                None => lease(gate, &CredentialsOf(request), demand, jwt_for, context, target, identity),
                Some(header) => {
                    let credentials = CredentialsIn::new(request, header);
                    lease(gate, &credentials, demand, jwt_for, context, target, identity)
                }
            }
        }
    }
}

/// Leases with these credentials. With `jwt_for`, the upstream gets a JWT for that audience.
#[inline(never)]
fn lease<V: RequestView>(
    gate: &Gate,
    credentials: &impl Credentials,
    demand: &Demand,
    jwt_for: Option<&Arc<str>>,
    context: &RequestContext<'_, V>,
    target: Target<'_>,
    identity: &mut Identity,
) -> Result<Lease, Undecided> {
    let RequestContext { client, answers, .. } = *context;
    let evidence = Evidence { certificate: client.verified_certificate(), target: Some(target) };
    match jwt_for {
        None => gate.lease(credentials, demand, &evidence, identity, answers),
        Some(audience) => gate.lease_with_jwt(credentials, demand, &evidence, identity, answers, audience),
    }
}
