//! The requirements of a route, and of requests without one.

use http::StatusCode;

use super::super::access::Access;
use super::super::forward::error::ForwardError;
use super::super::observe;
use super::super::observer::{Denied, RequestObserver};
use super::super::refusal::Refusal;
use super::super::request_context::RequestContext;
use super::super::route::{ClientConnection, Route};
use super::super::rules::Rules;
use super::super::shadow::waive;
use super::judge::judge;
use crate::gate::Gate;
use crate::gate::question::{Question, Undecided};
use crate::headers::RequestView;
use crate::limit::concurrency::Admission;
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::decide::{Identity, Lease};
use crate::oauth::evidence::Target;
use crate::response;
use crate::telemetry::Reason;
use crate::upstream::downstream::BodyFault;

/// The result of checking a request against the requirements of its route.
pub(super) enum Enforced {
    Permitted(Lease, Option<Box<ExchangeLimits>>),
    Ask(Question),
}

/// Checks the requirements of a route in this order: the client's address, the token, the rates, the size of
/// the body, and the number of requests in flight.
pub(super) fn enforce<V: RequestView>(
    gate: &Gate,
    rules: &Rules,
    route: &Route,
    context: &RequestContext<'_, V>,
    target: Target<'_>,
    observer: &mut impl RequestObserver,
    identity: &mut Identity,
) -> Result<Enforced, Box<Refusal>> {
    let RequestContext { request, client, .. } = *context;
    check_address(rules, route, request, client)?;
    let leased = match &route.access {
        Access::Public => {
            identity.clear();
            Ok(Lease::public())
        }
        Access::Token(required) => judge(gate, required, context, target, identity),
        Access::Shadow(shadow) => waive::lease(gate, rules, shadow, context, target, observer, identity),
    };
    let lease = match leased {
        Ok(lease) => lease,
        Err(Undecided::Ask(question)) => return Ok(Enforced::Ask(question)),
        Err(Undecided::Denied(denial)) => {
            // Any other denial is not about a token that was found: `identity` may be an earlier request's.
            let client_id = identity.client().filter(|_| denial.is_about_found_token());
            let address = rules.client_address(client.peer, request);
            observer.on_denial(&Denied { denial: &denial, client: client_id, address, target });
            let refusal = Refusal::new(gate.refuse(&denial), observe::denial_reason(&denial));
            return Err(Refusal { close: client.has_refused_certificate(), ..refusal }.into());
        }
    };
    observer.on_permit(identity.client());
    let refused = |reason| move |response| Refusal::new(response, reason);
    rules.check_client(gate, identity.client()).map_err(refused(Reason::ClientRate))?;
    if let Some(limiter) = &route.rate_limit {
        limiter.check().map_err(refused(Reason::RouteRate))?;
    }
    if route.max_body_size.is_some_and(|max| context.body_size.lower() > max) {
        let response = ForwardError::Body(BodyFault::TooLarge).to_response();
        return Err(Refusal { close: true, ..Refusal::new(response, Reason::BodyTooLarge) }.into());
    }
    let mut limits = None;
    if let Some(in_flight) = &route.in_flight {
        ExchangeLimits::of(&mut limits).route =
            Some(in_flight.try_acquire().map_err(refused(Reason::RouteBusy))?);
    }
    if let Some(in_flight) = &route.upstream.in_flight {
        let limits = ExchangeLimits::of(&mut limits);
        match in_flight.acquire_or_queue().map_err(refused(Reason::UpstreamBusy))? {
            Admission::Granted(permit) => limits.upstream = Some(permit),
            Admission::Queued(ticket) => limits.ticket = Some(ticket),
        }
    }
    Ok(Enforced::Permitted(lease, limits))
}

/// Checks the client's address and its request rate, before the token is checked. Refused requests count
/// towards the rate.
pub(super) fn check_address(
    rules: &Rules,
    route: &Route,
    request: &impl RequestView,
    client: &ClientConnection<'_>,
) -> Result<(), Refusal> {
    let Some(policy) = &route.addresses else { return Ok(()) };
    // The filter uses the address of the connection. Even a trusted proxy does not decide which addresses are
    // allowed.
    if policy.filter.as_ref().is_some_and(|filter| !filter.allows(client.peer)) {
        let detail = "this resource takes no requests from this address";
        return Err(Refusal::new(response::problem(StatusCode::FORBIDDEN, detail), Reason::Address));
    }
    if policy.rates.is_empty() {
        return Ok(());
    }
    let address = rules.client_address(client.peer, request);
    let checked = policy.rates.iter().try_for_each(|limiter| limiter.check(address));
    checked.map_err(|response| Refusal::new(response, Reason::AddressRate))
}

/// Counts a request without a route against the server's rate for its address.
pub(super) fn check_rate_outside_of_routes(
    rules: &Rules,
    request: &impl RequestView,
    client: &ClientConnection<'_>,
) -> Result<(), Refusal> {
    let Some(limiter) = &rules.rate_by_address else { return Ok(()) };
    let checked = limiter.check(rules.client_address(client.peer, request));
    checked.map_err(|response| Refusal::new(response, Reason::AddressRate))
}
