//! Which server of an upstream is asked.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::upstream::Server;
use crate::config::Balance;

/// How servers are picked.
#[derive(Debug)]
pub(super) struct Balancer {
    kind: Balance,
    /// Indices of servers, each as often as its weight says, spread out.
    turns: Vec<usize>,
    next: AtomicUsize,
    weights: Vec<u32>,
    /// What each server is told apart by in every gateway, whatever its place in the file.
    seeds: Vec<u64>,
}

/// Who asks, and which servers were asked in vain.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    client: Option<&'a str>,
    /// One bit a server; those after the 64th are never passed over.
    tried: u64,
    last: usize,
}

impl<'a> Asking<'a> {
    /// A request of this client, if it is one's.
    pub(super) fn new(client: Option<&'a str>) -> Self {
        Self { client, tried: 0, last: usize::MAX }
    }

    /// The server last picked cannot be reached: another is to be picked.
    pub(super) fn failed(&mut self) {
        self.tried |= bit(self.last);
    }
}

fn bit(at: usize) -> u64 {
    u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or(0)
}

impl Balancer {
    pub(super) fn new(kind: Balance, servers: &[Arc<Server>], weights: &[u32]) -> Self {
        let seed = |server: &Arc<Server>| hash(format!("{}:{}", server.host, server.port).as_bytes());
        Self {
            kind,
            turns: smooth_turns(weights),
            next: AtomicUsize::new(0),
            weights: weights.to_vec(),
            seeds: servers.iter().map(seed).collect(),
        }
    }

    /// Whether the requests under way at each server are to be counted.
    pub(super) fn counts(&self) -> bool {
        self.kind == Balance::LeastRequests
    }

    /// The place of the server to ask.
    pub(super) fn pick(&self, servers: &[Arc<Server>], asking: &mut Asking<'_>) -> Option<usize> {
        let at = match (self.kind, asking.client) {
            (Balance::LeastRequests, _) => self.least(servers, asking.tried),
            (Balance::Consistent, Some(client)) => self.rendezvous(client, asking.tried),
            // Many picks in a row would find one that was not tried only by luck: the next in turn is as random.
            (Balance::Random, _) if asking.tried == 0 => {
                let random = usize::try_from(RandomState::new().hash_one(()) >> 1).unwrap_or(usize::MAX);
                self.turns.get(random % self.turns.len().max(1)).copied()
            }
            _ => self.in_turn(asking.tried),
        }?;
        asking.last = at;
        Some(at)
    }

    /// The next in turn; if it was tried in vain, the next that was not.
    fn in_turn(&self, tried: u64) -> Option<usize> {
        let mut found = None;
        for _ in 0..=if tried == 0 { 0 } else { self.turns.len() } {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.turns.len().max(1);
            found = self.turns.get(turn).copied();
            if found.is_none_or(|at| tried & bit(at) == 0) {
                break;
            }
        }
        found
    }

    /// The one with the fewest requests under way for its weight; of several, one after the other.
    fn least(&self, servers: &[Arc<Server>], tried: u64) -> Option<usize> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let load = |at: usize| {
            let requests = servers.get(at).map_or(usize::MAX, |server| server.under_way.now());
            // With this request: or a heavy server that is idle would be no better than a light one.
            let requests = requests.saturating_add(1) as f64;
            requests / f64::from(self.weights.get(at).copied().unwrap_or(1).max(1))
        };
        (0..servers.len()).map(|step| (start % servers.len() + step) % servers.len()).min_by(|a, b| {
            let passed_over = |at: usize| tried & bit(at) != 0;
            passed_over(*a).cmp(&passed_over(*b)).then(load(*a).total_cmp(&load(*b)))
        })
    }

    /// Rendezvous hashing: each client has its own order of servers. One that leaves moves only its own clients, and
    /// all gateways agree.
    fn rendezvous(&self, client: &str, tried: u64) -> Option<usize> {
        let client = hash(client.as_bytes());
        let score = |at: usize, seed: u64| {
            // 53 bits of a number above 0 and below 1; -w / ln(u) shares clients out by weight.
            let unit = ((mix(client ^ seed) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            f64::from(self.weights.get(at).copied().unwrap_or(1)) / -unit.ln()
        };
        let scored = self.seeds.iter().enumerate().map(|(at, seed)| (at, score(at, *seed)));
        let better = |a: &(usize, f64), b: &(usize, f64)| {
            let fresh = |at: usize| tried & bit(at) == 0;
            fresh(a.0).cmp(&fresh(b.0)).then(a.1.total_cmp(&b.1))
        };
        scored.max_by(better).map(|(at, _)| at)
    }
}

/// FNV-1a, mixed: the same in every process and version, which the standard library's hashers do not promise.
fn hash(bytes: &[u8]) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, fnv))
}

/// The finaliser of splitmix64: every bit of the input changes half of the output.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Smooth weighted round robin, unrolled: each server as often as its weight, as far apart as can be.
fn smooth_turns(weights: &[u32]) -> Vec<usize> {
    // Weights are divided by what they have in common, and a round has at most this many turns.
    const LONGEST: u64 = 10_000;
    let divisor = weights.iter().fold(0, |a, b| gcd(a, *b)).max(1);
    let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight / divisor)).collect();
    let total: i64 = weights.iter().sum();
    let mut credit = vec![0_i64; weights.len()];
    let mut turns = Vec::new();
    for _ in 0..u64::try_from(total).unwrap_or(0).min(LONGEST) {
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
        let server = |at| Arc::new(Server::new(format!("10.0.0.{at}"), 80, None));
        (0..weights.len()).map(server).collect()
    }

    /// How often each server is picked for these clients, one request each.
    fn picks(kind: Balance, weights: &[u32], clients: usize) -> Vec<usize> {
        let servers = servers(weights);
        let balancer = Balancer::new(kind, &servers, weights);
        let mut counts = vec![0; weights.len()];
        for client in 0..clients {
            let client = format!("client-{client}");
            counts[balancer.pick(&servers, &mut Asking::new(Some(&client))).unwrap()] += 1;
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
    fn the_fewest_requests_for_their_weight() {
        let weights = [1, 3];
        let servers = servers(&weights);
        let balancer = Balancer::new(Balance::LeastRequests, &servers, &weights);
        let mut places = Vec::new();
        for _ in 0..40 {
            let at = balancer.pick(&servers, &mut Asking::new(None)).unwrap();
            places.push(servers[at].under_way.enter());
        }
        assert_eq!((servers[0].under_way.now(), servers[1].under_way.now()), (10, 30));
        drop(places);
        assert_eq!((servers[0].under_way.now(), servers[1].under_way.now()), (0, 0));
    }

    #[test]
    fn a_client_stays_and_a_departure_moves_only_its_own() {
        let four = servers(&[1; 4]);
        let all = Balancer::new(Balance::Consistent, &four, &[1; 4]);
        let fewer = Balancer::new(Balance::Consistent, &four[..3], &[1; 3]);
        for client in 0..500 {
            let client = format!("c{client}");
            let pick = |balancer: &Balancer, servers| {
                balancer.pick(servers, &mut Asking::new(Some(&client))).unwrap()
            };
            let home = pick(&all, &four);
            assert_eq!(pick(&all, &four), home);
            if home < 3 {
                assert_eq!(pick(&fewer, &four[..3]), home, "{client}");
            }
        }
    }

    #[test]
    fn what_failed_is_passed_over_until_all_have() {
        for kind in [Balance::RoundRobin, Balance::Random, Balance::LeastRequests, Balance::Consistent] {
            let weights = [50, 1, 1];
            let servers = servers(&weights);
            let balancer = Balancer::new(kind, &servers, &weights);
            for _ in 0..50 {
                let mut asking = Asking::new(Some("a"));
                let mut seen = Vec::new();
                for _ in 0..3 {
                    seen.push(balancer.pick(&servers, &mut asking).unwrap());
                    asking.failed();
                }
                seen.sort_unstable();
                assert_eq!(seen, [0, 1, 2], "{kind:?}");
                assert!(balancer.pick(&servers, &mut asking).is_some());
            }
        }
    }
}
