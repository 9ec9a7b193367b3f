//! Which servers of an upstream may be picked for a request, from their health and their ejections.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use super::ejection::Phase;
use super::pick::{PickContext, ServerSet};
use super::server::Server;
use crate::clock::Millis;
use crate::config::Ejection;

/// The servers that one request is to pass over; none where no server may be asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Survey {
    pub(crate) avoid: Option<ServerSet>,
    /// Nothing is wrong with any of them.
    pub(crate) all_well: bool,
}

/// Looks at each server. Those that are unhealthy are never asked; those left out, or asked in vain before, only when
/// there is no other.
pub(crate) fn survey(
    name: &str,
    servers: &[Arc<Server>],
    rule: Option<&Ejection>,
    context: &PickContext<'_>,
    sticky: bool,
    now: Millis,
) -> Survey {
    let mut all_well = true;
    let (mut ill, mut out, mut held_back) =
        (ServerSet::default(), ServerSet::default(), ServerSet::default());
    for (at, server) in servers.iter().enumerate() {
        if server.state.health.is_unhealthy() {
            ill.insert(at);
            continue;
        }
        let phase = rule.map_or(Phase::Active, |rule| server.state.ejection.phase(rule, now));
        match phase {
            Phase::Active => {}
            Phase::Ejected => out.insert(at),
            Phase::SlowStart(share) => {
                all_well = false;
                // A client that stays with a server moves back to it once.
                let lot = if sticky { context.lot(server) } else { None };
                if lot.unwrap_or_else(chance) >= share {
                    held_back.insert(at);
                }
            }
        }
        if phase != Phase::Ejected && server.state.ejection.announce() {
            log::info!("upstream {name:?}: {server} gets requests again, few at first");
        }
    }
    all_well &= ill.is_empty() && out.is_empty();
    let tried = context.tried();
    let mut choices = [
        ill.with(tried).with(&out).with(&held_back),
        ill.with(tried).with(&out),
        ill.with(tried),
        ill.with(&out),
        ill,
    ]
    .into_iter();
    let avoid = choices.find(|avoid| (0..servers.len()).any(|at| !avoid.contains(at)));
    Survey { avoid, all_well }
}

/// A number from 0 to 1.
fn chance() -> f64 {
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
            Arc::new(Server::new(host, 80, None, resolver, state))
        };
        (0..count).map(server).collect()
    }

    fn at(seconds: f64) -> Millis {
        Millis::new((seconds * 1000.0) as u64)
    }

    fn fall_ill(server: &Server) {
        server.state.health.set_unhealthy();
    }

    /// Those that may be asked, and whether all are well.
    fn asked(servers: &[Arc<Server>], context: &PickContext<'_>, now: Millis) -> (Vec<usize>, bool) {
        let survey = survey("a", servers, Some(&RULE), context, false, now);
        let asked = survey.avoid.map(|avoid| (0..servers.len()).filter(|at| !avoid.contains(*at)).collect());
        (asked.unwrap_or_default(), survey.all_well)
    }

    #[test]
    fn who_is_asked() {
        let nobody = || PickContext::new(None);
        let three = servers(3);
        assert_eq!(asked(&three, &nobody(), at(1.0)), (vec![0, 1, 2], true));
        three[0].state.ejection.failure(&RULE, at(1.0));
        assert_eq!(asked(&three, &nobody(), at(2.0)), (vec![1, 2], false), "one is left out");
        fall_ill(&three[1]);
        assert_eq!(asked(&three, &nobody(), at(2.0)), (vec![2], false), "and one is ill");
        three[2].state.ejection.failure(&RULE, at(2.0));
        assert_eq!(asked(&three, &nobody(), at(3.0)), (vec![0, 2], false), "better those than none");
        fall_ill(&three[0]);
        fall_ill(&three[2]);
        assert_eq!(asked(&three, &nobody(), at(3.0)), (vec![], false), "but none that is ill");
    }

    #[test]
    fn who_failed_this_request_is_asked_last_of_the_healthy() {
        let three = servers(3);
        let mut context = PickContext::failed_at(0);
        assert_eq!(asked(&three, &context, at(1.0)), (vec![1, 2], true));
        three[1].state.ejection.failure(&RULE, at(1.0));
        fall_ill(&three[2]);
        assert_eq!(asked(&three, &context, at(2.0)).0, [1], "another server, although it is left out");
        context.tried.insert(1);
        assert_eq!(asked(&three, &context, at(2.0)).0, [0], "all failed: one that is not left out");
    }

    #[test]
    fn a_server_that_returns_gets_its_share_little_by_little() {
        let two = servers(2);
        two[0].state.ejection.failure(&RULE, at(0.001));
        let share = |seconds| {
            let picked = |_: &u32| asked(&two, &PickContext::new(None), at(seconds)).0.contains(&0);
            (0..2_000).filter(picked).count()
        };
        assert_eq!(share(9.0), 0);
        assert!((300..500).contains(&share(12.0)), "a fifth");
        assert!((1_500..1_700).contains(&share(18.0)), "four fifths");
        assert_eq!(share(20.1), 2_000);
        assert!(asked(&two, &PickContext::new(None), at(20.1)).1, "all is well again");
        // One that returns, and no other: nothing is held back.
        fall_ill(&two[1]);
        assert_eq!(share(11.0), 2_000);
    }

    #[test]
    fn a_client_that_stays_with_a_server_moves_back_once() {
        let two = servers(2);
        two[0].state.ejection.failure(&RULE, at(0.001));
        for client in 0..50 {
            let client = format!("c{client}");
            let mut admitted = false;
            for tenth in 100..=201 {
                let now = at(f64::from(tenth) / 10.0);
                let survey = survey("a", &two, Some(&RULE), &PickContext::new(Some(&client)), true, now);
                let now_admitted = !survey.avoid.unwrap().contains(0);
                assert!(now_admitted || !admitted, "{client} was sent away again");
                admitted = now_admitted;
            }
            assert!(admitted);
        }
    }
}
