//! Compares the conditions of a route or a client before and after a change. Conditions that cannot be
//! ordered count as looser, so that a person reviews them.

use std::num::NonZeroUsize;

use crate::access::describe;
use crate::config::{AddressRules, BodyLimit, Client, Config, Rate, Route, TokenForwarding, Upstream};

/// Returns whether the new conditions of a route may accept a request that the old ones refuse.
pub(super) fn route((before, old): (&Config, &Route), (after, new): (&Config, &Route)) -> bool {
    let in_flight = |config: &Config, route: &Route| {
        config.upstream_of(route).and_then(|upstream| upstream.max_in_flight)
    };
    let (limits, new_limits) = (&before.server.limits, &after.server.limits);
    let cors = match (&old.cors, &new.cors) {
        (_, None) => false,
        (old, new) => old != new,
    };
    rate(old.rate_limit, new.rate_limit)
        || rate(old.rate_limit_by_address, new.rate_limit_by_address)
        || rate(limits.rate_limit_by_address, new_limits.rate_limit_by_address)
        || most(old.max_in_flight, new.max_in_flight)
        || most(in_flight(before, old), in_flight(after, new))
        || size(old.max_body_size, new.max_body_size)
        || addresses(&old.addresses, &new.addresses)
        || cors
        || new.forward_token > old.forward_token
        || (sends_jwt(new) && audience(before, old) != audience(after, new))
        || describe::forwarding(old, before.upstream_of(old))
            != describe::forwarding(new, after.upstream_of(new))
}

fn sends_jwt(route: &Route) -> bool {
    route.forward_token == TokenForwarding::Jwt
}

/// Returns the audience of the JWTs of a route. Another audience may accept them.
fn audience<'c>(config: &'c Config, route: &Route) -> Option<&'c str> {
    config.upstream_of(route).map(Upstream::audience)
}

/// Returns whether the tokens of a client live longer, or whether the client may make more requests.
pub(super) fn client(old: &Client, new: &Client) -> bool {
    new.token_lifetime > old.token_lifetime || rate(old.rate_limit, new.rate_limit)
}

pub(super) fn rate(old: Option<Rate>, new: Option<Rate>) -> bool {
    match (old, new) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(old), Some(new)) => {
            // Events per time, compared without a division.
            let speed = |one: Rate, other: Rate| u128::from(one.events.get()) * other.per.as_nanos();
            speed(new, old) > speed(old, new) || new.burst > old.burst
        }
    }
}

fn most(old: Option<NonZeroUsize>, new: Option<NonZeroUsize>) -> bool {
    old.is_some_and(|old| new.is_none_or(|new| new > old))
}

fn size(old: BodyLimit, new: BodyLimit) -> bool {
    match (old, new) {
        (BodyLimit::Unlimited, _) => false,
        (BodyLimit::Bytes(_), BodyLimit::Unlimited) => true,
        (BodyLimit::Bytes(old), BodyLimit::Bytes(new)) => new > old,
    }
}

/// An address is accepted if `allow` is empty or contains it, and `deny` does not contain it.
fn addresses(old: &AddressRules, new: &AddressRules) -> bool {
    let more_allowed = !old.allow.is_empty()
        && (new.allow.is_empty()
            || !new.allow.iter().all(|range| old.allow.iter().any(|within| range.is_within(within))));
    let less_denied = !old.deny.iter().all(|range| new.deny.iter().any(|within| range.is_within(within)));
    more_allowed || less_denied
}
