//! Load balancing: picks one of an upstream's servers.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::pick::{PickContext, ServerSet, hash};
use super::server::Server;
use crate::config::Balance;
use crate::splitmix::mix;

/// The balancing policy of an upstream, with its state.
#[derive(Debug)]
pub(crate) struct Balancer {
    kind: Balance,
    /// One round of weighted round robin, as indices of servers.
    turns: Vec<usize>,
    next: AtomicUsize,
    weights: Vec<u32>,
    /// The hash of each server's address: the same in every gateway, whatever the order of the configuration
    /// file.
    seeds: Vec<u64>,
}

impl Balancer {
    pub(crate) fn new(kind: Balance, servers: &[Arc<Server>], weights: &[u32]) -> Self {
        let seed = |server: &Arc<Server>| hash(format!("{}:{}", server.host, server.port).as_bytes());
        Self {
            kind,
            turns: smooth_turns(weights),
            next: AtomicUsize::new(0),
            weights: weights.to_vec(),
            seeds: servers.iter().map(seed).collect(),
        }
    }

    /// Returns whether the policy needs the number of requests in flight at each server.
    pub(crate) fn needs_in_flight(&self) -> bool {
        self.kind == Balance::LeastRequests
    }

    /// Returns whether a client always gets the same server.
    pub(crate) fn is_sticky(&self) -> bool {
        self.kind == Balance::Consistent
    }

    /// Returns the index of the server to use. Never one of `avoid`, which must leave at least one.
    pub(crate) fn pick(
        &self,
        servers: &[Arc<Server>],
        context: &mut PickContext<'_>,
        avoid: &ServerSet,
    ) -> Option<usize> {
        let at = match (self.kind, context.client) {
            (Balance::LeastRequests, _) => self.least_requests(servers, avoid),
            (Balance::Consistent, Some(client)) => self.rendezvous(client, avoid),
            // With servers to avoid, drawing until one fits has no bound: fall through to round robin.
            (Balance::Random, _) if avoid.is_empty() => {
                let random = usize::try_from(RandomState::new().hash_one(()) >> 1).unwrap_or(usize::MAX);
                self.turns.get(random % self.turns.len().max(1)).copied()
            }
            _ => self.round_robin(avoid),
        }?;
        context.last = at;
        Some(at)
    }

    fn round_robin(&self, avoid: &ServerSet) -> Option<usize> {
        /// The turns of avoided servers are consumed, so that the server after an avoided one does not get
        /// its share as well. Bounded, because all threads contend for the counter.
        const MAX_SKIPPED: usize = 64;
        let turn = |turn: usize| self.turns.get(turn % self.turns.len().max(1)).copied();
        let mut at = 0;
        for _ in 0..MAX_SKIPPED {
            at = self.next.fetch_add(1, Ordering::Relaxed);
            match turn(at) {
                Some(found) if avoid.contains(found) => {}
                found => return found,
            }
        }
        (1..=self.turns.len()).filter_map(|step| turn(at.wrapping_add(step))).find(|at| !avoid.contains(*at))
    }

    /// Returns the server with the fewest requests in flight per weight. Ties are broken in turn.
    fn least_requests(&self, servers: &[Arc<Server>], avoid: &ServerSet) -> Option<usize> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let load = |at: usize| {
            let requests = servers.get(at).map_or(usize::MAX, |server| server.in_flight.count());
            // This request is included. Otherwise an idle server with a high weight would tie with one with a
            // low weight.
            let requests = requests.saturating_add(1) as f64;
            requests / f64::from(self.weights.get(at).copied().unwrap_or(1).max(1))
        };
        (0..servers.len())
            .map(|step| (start % servers.len() + step) % servers.len())
            .min_by(|a, b| avoid.contains(*a).cmp(&avoid.contains(*b)).then(load(*a).total_cmp(&load(*b))))
    }

    /// Rendezvous hashing: each client has its own order of servers. The removal of a server moves only the
    /// clients of that server, and all gateways agree without talking to each other.
    fn rendezvous(&self, client: &str, avoid: &ServerSet) -> Option<usize> {
        let client = hash(client.as_bytes());
        let score = |at: usize, seed: u64| {
            // A 53-bit number above 0 and below 1; -w / ln(u) distributes the clients by weight.
            let unit = ((mix(client ^ seed) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            f64::from(self.weights.get(at).copied().unwrap_or(1)) / -unit.ln()
        };
        let scored = self.seeds.iter().enumerate().map(|(at, seed)| (at, score(at, *seed)));
        let better = |a: &(usize, f64), b: &(usize, f64)| {
            let usable = |at: usize| !avoid.contains(at);
            usable(a.0).cmp(&usable(b.0)).then(a.1.total_cmp(&b.1))
        };
        scored.max_by(better).map(|(at, _)| at)
    }
}

/// Returns one round of smooth weighted round robin: each server as often as its weight, spread evenly.
fn smooth_turns(weights: &[u32]) -> Vec<usize> {
    const MAX_TURNS: u64 = 10_000;
    let divisor = weights.iter().fold(0, |a, b| gcd(a, *b)).max(1);
    let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight / divisor)).collect();
    let total: i64 = weights.iter().sum();
    let mut credit = vec![0_i64; weights.len()];
    let mut turns = Vec::new();
    for _ in 0..u64::try_from(total).unwrap_or(0).min(MAX_TURNS) {
        for (credit, weight) in credit.iter_mut().zip(&weights) {
            *credit += weight;
        }
        if let Some(richest) = (0..credit.len()).max_by_key(|at| (credit[*at], std::cmp::Reverse(*at))) {
            credit[richest] -= total;
            turns.push(richest);
        }
    }
    turns
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(weights: &[u32]) -> Vec<Arc<Server>> {
        let server = |at| Arc::new(Server::alone(&format!("10.0.0.{at}"), 80));
        (0..weights.len()).map(server).collect()
    }

    /// Returns how often each server is picked when each of `clients` sends one request.
    fn picks(kind: Balance, weights: &[u32], clients: usize) -> Vec<usize> {
        let servers = servers(weights);
        let balancer = Balancer::new(kind, &servers, weights);
        let mut counts = vec![0; weights.len()];
        for client in 0..clients {
            let client = format!("client-{client}");
            counts[balancer
                .pick(&servers, &mut PickContext::new(Some(&client)), &ServerSet::none())
                .unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn turns_follow_weights_and_are_spread_out() {
        assert_eq!(smooth_turns(&[1]), [0]);
        assert_eq!(smooth_turns(&[1, 1]), [0, 1]);
        assert_eq!(smooth_turns(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(smooth_turns(&[20, 10]), [0, 1, 0]);
        assert!(smooth_turns(&[u32::MAX, 1]).len() <= 10_000);
    }

    #[test]
    fn shares_follow_weights() {
        assert_eq!(picks(Balance::RoundRobin, &[1, 2, 1], 4_000), [1_000, 2_000, 1_000]);
        for kind in [Balance::Random, Balance::Consistent] {
            let shares = picks(kind, &[1, 2, 1], 4_000);
            for (share, expected) in shares.iter().zip([1_000_usize, 2_000, 1_000]) {
                assert!(share.abs_diff(expected) < 200, "{kind:?}: {shares:?}");
            }
        }
    }

    #[test]
    fn least_requests_are_counted_per_weight() {
        let weights = [1, 3];
        let servers = servers(&weights);
        let balancer = Balancer::new(Balance::LeastRequests, &servers, &weights);
        let mut permits = Vec::new();
        for _ in 0..40 {
            let at = balancer.pick(&servers, &mut PickContext::new(None), &ServerSet::none()).unwrap();
            permits.push(servers[at].in_flight.acquire());
        }
        assert_eq!((servers[0].in_flight.count(), servers[1].in_flight.count()), (10, 30));
        drop(permits);
        assert_eq!((servers[0].in_flight.count(), servers[1].in_flight.count()), (0, 0));
    }

    #[test]
    fn a_client_keeps_its_server_and_a_removed_server_moves_only_its_own_clients() {
        let four = servers(&[1; 4]);
        let all = Balancer::new(Balance::Consistent, &four, &[1; 4]);
        let fewer = Balancer::new(Balance::Consistent, &four[..3], &[1; 3]);
        for client in 0..500 {
            let client = format!("c{client}");
            let pick = |balancer: &Balancer, servers| {
                balancer.pick(servers, &mut PickContext::new(Some(&client)), &ServerSet::none()).unwrap()
            };
            let home = pick(&all, &four);
            assert_eq!(pick(&all, &four), home);
            if home < 3 {
                assert_eq!(pick(&fewer, &four[..3]), home, "{client}");
            }
        }
    }

    #[test]
    fn avoided_servers_are_not_picked_and_the_others_share_evenly() {
        for kind in [Balance::RoundRobin, Balance::Random, Balance::LeastRequests, Balance::Consistent] {
            let weights = [1, 1, 1, 100];
            let servers = servers(&weights);
            let balancer = Balancer::new(kind, &servers, &weights);
            let mut avoid = ServerSet::none();
            avoid.insert(1);
            avoid.insert(3);
            let mut counts = [0; 4];
            for client in 0..2_000 {
                let client = format!("c{client}");
                counts[balancer.pick(&servers, &mut PickContext::new(Some(&client)), &avoid).unwrap()] += 1;
            }
            assert!(counts[1] == 0 && counts[3] == 0, "{kind:?}: {counts:?}");
            assert!(counts[0] > 800 && counts[2] > 800, "{kind:?}: {counts:?}");
        }
    }

    #[test]
    fn avoiding_a_server_moves_only_its_own_clients() {
        let servers = servers(&[1; 4]);
        let balancer = Balancer::new(Balance::Consistent, &servers, &[1; 4]);
        let mut avoid = ServerSet::none();
        avoid.insert(2);
        for client in 0..500 {
            let client = format!("c{client}");
            let pick = |avoid: &ServerSet| {
                balancer.pick(&servers, &mut PickContext::new(Some(&client)), avoid).unwrap()
            };
            let home = pick(&ServerSet::none());
            assert_eq!(pick(&avoid) == home, home != 2, "{client}");
        }
    }

    #[test]
    fn a_server_set_holds_indices_beyond_the_first_word() {
        let (mut few, mut many) = (ServerSet::none(), ServerSet::none());
        for at in [0, 63] {
            few.insert(at);
        }
        for at in [64, 200] {
            many.insert(at);
        }
        let all = few.with(&many);
        let found: Vec<usize> = (0..300).filter(|at| all.contains(*at)).collect();
        assert_eq!(found, [0, 63, 64, 200]);
        assert_eq!(all, many.with(&few));
        assert!(!many.is_empty() && ServerSet::none().is_empty());
    }
}
