//! Selects the servers that may be picked for a request, by their health and ejections.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use super::ejection::Phase;
use super::pick::{PickContext, ServerSet};
use super::server::Server;
use crate::clock::Millis;
use crate::config::Ejection;

/// The servers that are available to a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Availability {
    /// The servers to avoid, or `None` if no server may be picked.
    pub(crate) avoid: Option<ServerSet>,
    /// Whether every server is healthy and gets its full share.
    pub(crate) all: bool,
}

/// Checks each server. Unhealthy servers are always avoided. Servers that are ejected, or that failed this
/// request before, are used only if there is no other.
pub(crate) fn availability(
    name: &str,
    servers: &[Arc<Server>],
    rule: Option<&Ejection>,
    context: &PickContext<'_>,
    sticky: bool,
    now: Millis,
) -> Availability {
    let mut all = true;
    let (mut unhealthy, mut ejected, mut held_back) =
        (ServerSet::default(), ServerSet::default(), ServerSet::default());
    for (at, server) in servers.iter().enumerate() {
        if server.state.health.is_unhealthy() {
            unhealthy.insert(at);
            continue;
        }
        let phase = rule.map_or(Phase::Active, |rule| server.state.ejection.phase(rule, now));
        match phase {
            Phase::Active => {}
            Phase::Ejected => ejected.insert(at),
            Phase::SlowStart(share) => {
                all = false;
                // A fixed fraction per client, so that a sticky client moves back to its server only once.
                let fraction = if sticky { context.fixed_fraction(server) } else { None };
                if fraction.unwrap_or_else(random_fraction) >= share {
                    held_back.insert(at);
                }
            }
        }
        if phase != Phase::Ejected && server.state.ejection.take_unreported_return() {
            log::info!("upstream {name:?}: {server} gets requests again, few at first");
        }
    }
    all &= unhealthy.is_empty() && ejected.is_empty();
    let tried = context.tried();
    // In order of preference: the first that leaves a server.
    let mut choices = [
        unhealthy.with(tried).with(&ejected).with(&held_back),
        unhealthy.with(tried).with(&ejected),
        unhealthy.with(tried),
        unhealthy.with(&ejected),
        unhealthy,
    ]
    .into_iter();
    let avoid = choices.find(|avoid| (0..servers.len()).any(|at| !avoid.contains(at)));
    Availability { avoid, all }
}

/// Returns a random number from 0 to 1.
fn random_fraction() -> f64 {
    (RandomState::new().hash_one(()) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;
    use crate::upstream::registry::{ServerKey, ServerRegistry};
    use crate::upstream::resolve::Resolver;

    const RULE: Ejection = Ejection {
        failures: NonZeroU32::MIN,
        server_errors: false,
        span: Duration::from_secs(10),
        max: Duration::from_secs(60),
        return_over: Duration::from_secs(10),
    };

    fn key(at: usize, probed: bool) -> ServerKey {
        ServerKey { upstream: "a".to_owned(), origin: format!("http://10.0.0.{at}"), probed }
    }

    fn servers(count: usize) -> Vec<Arc<Server>> {
        let mut registry = ServerRegistry::default();
        let server = |at| {
            let (host, state) = (format!("10.0.0.{at}"), registry.state(None, key(at, true)));
            let resolver = Arc::new(Resolver::new(&host, 80));
            Arc::new(Server::new(host, 80, None, resolver, state, std::time::Duration::from_secs(1)))
        };
        (0..count).map(server).collect()
    }

    fn at(seconds: f64) -> Millis {
        Millis::new((seconds * 1000.0) as u64)
    }

    fn set_unhealthy(server: &Server) {
        server.state.health.set_unhealthy();
    }

    /// Returns the servers that may be picked, and whether all are available.
    fn available(servers: &[Arc<Server>], context: &PickContext<'_>, now: Millis) -> (Vec<usize>, bool) {
        let Availability { avoid, all } = availability("a", servers, Some(&RULE), context, false, now);
        let picked = avoid.map(|avoid| (0..servers.len()).filter(|at| !avoid.contains(*at)).collect());
        (picked.unwrap_or_default(), all)
    }

    #[test]
    fn unhealthy_servers_are_never_picked_and_ejected_ones_only_if_no_other_is_left() {
        let anonymous = || PickContext::new(None);
        let three = servers(3);
        assert_eq!(available(&three, &anonymous(), at(1.0)), (vec![0, 1, 2], true));
        three[0].state.ejection.failure(&RULE, at(1.0));
        assert_eq!(available(&three, &anonymous(), at(2.0)), (vec![1, 2], false), "one server is ejected");
        set_unhealthy(&three[1]);
        assert_eq!(available(&three, &anonymous(), at(2.0)), (vec![2], false), "and one is unhealthy");
        three[2].state.ejection.failure(&RULE, at(2.0));
        assert_eq!(
            available(&three, &anonymous(), at(3.0)),
            (vec![0, 2], false),
            "ejected servers are used if there is no other"
        );
        set_unhealthy(&three[0]);
        set_unhealthy(&three[2]);
        assert_eq!(available(&three, &anonymous(), at(3.0)), (vec![], false), "unhealthy servers are not");
    }

    #[test]
    fn a_server_that_failed_this_request_is_the_last_choice_among_the_healthy() {
        let three = servers(3);
        let mut context = PickContext::failed_at(0);
        assert_eq!(available(&three, &context, at(1.0)), (vec![1, 2], true));
        three[1].state.ejection.failure(&RULE, at(1.0));
        set_unhealthy(&three[2]);
        assert_eq!(
            available(&three, &context, at(2.0)).0,
            [1],
            "another server is preferred although it is ejected"
        );
        context.tried.insert(1);
        assert_eq!(available(&three, &context, at(2.0)).0, [0], "if all failed, one that is not ejected");
    }

    #[test]
    fn the_share_grows_linearly_during_the_slow_start() {
        let two = servers(2);
        two[0].state.ejection.failure(&RULE, at(0.001));
        let share = |seconds| {
            let picked = |_: &u32| available(&two, &PickContext::new(None), at(seconds)).0.contains(&0);
            (0..2_000).filter(picked).count()
        };
        assert_eq!(share(9.0), 0);
        assert!((300..500).contains(&share(12.0)), "a fifth");
        assert!((1_500..1_700).contains(&share(18.0)), "four fifths");
        assert_eq!(share(20.1), 2_000);
        assert!(available(&two, &PickContext::new(None), at(20.1)).1, "all servers are available again");
        // If the server in its slow start is the only one, it gets everything.
        set_unhealthy(&two[1]);
        assert_eq!(share(11.0), 2_000);
    }

    #[test]
    fn a_sticky_client_moves_back_only_once() {
        let two = servers(2);
        two[0].state.ejection.failure(&RULE, at(0.001));
        for client in 0..50 {
            let client = format!("c{client}");
            let mut admitted = false;
            for tenth in 100..=201 {
                let now = at(f64::from(tenth) / 10.0);
                let context = PickContext::new(Some(&client));
                let availability = availability("a", &two, Some(&RULE), &context, true, now);
                let now_admitted = !availability.avoid.unwrap().contains(0);
                assert!(now_admitted || !admitted, "{client} moved away again");
                admitted = now_admitted;
            }
            assert!(admitted);
        }
    }
}
