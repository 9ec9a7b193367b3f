//! Two primaries at once: the network between them is cut, sentinels promote a replica, and the old primary
//! goes on with the gateways on its side.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::gateways::Gateways;
use super::link::Link;
use super::requests::wait_until;

/// What the documentation asks for: a primary without replicas refuses writes, and it does so before
/// sentinels promote a replica.
const FENCED: [&str; 6] =
    ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "1", "--repl-diskless-sync-delay", "0"];
const DOWN_AFTER: Duration = Duration::from_secs(6);

/// A primary with one gateway on its side, and two replicas with another gateway and the sentinel on the
/// other side of a link.
struct Sides {
    primary: Engine,
    replicas: [Engine; 2],
    link: Link,
    /// The sentinel on the side of the primary. It knows no other sentinel, and promotes nothing.
    near: Engine,
    far: Engine,
    gateways: Gateways,
}

const NEAR: usize = 0;
const FAR: usize = 1;

impl Sides {
    fn start() -> Self {
        let primary = Engine::start(&FENCED);
        let link = Link::to(primary.port());
        let port = link.port().to_string();
        let replicas = [(); 2].map(|()| {
            let mut arguments = FENCED.to_vec();
            arguments.extend(["--replicaof", "127.0.0.1", &port]);
            Engine::start(&arguments)
        });
        for replica in &replicas {
            replica.wait_for(&["INFO", "replication"], "master_link_status:up");
        }
        primary.wait_for(&["INFO", "replication"], "min_slaves_good_slaves:2");
        let near = Engine::start_sentinel_of("redis-server", "near", primary.port(), DOWN_AFTER);
        let far = Engine::start_sentinel_of("redis-server", "far", link.port(), DOWN_AFTER);
        for replica in &replicas {
            far.wait_for(&["SENTINEL", "REPLICAS", "far"], &replica.port().to_string());
        }
        let gateways = Gateways::start(&[&store(&near, "near"), &store(&far, "far")]);
        Self { primary, replicas, link, near, far, gateways }
    }

    /// Returns which of the replicas was promoted.
    fn promoted(&self) -> Option<&Engine> {
        self.replicas.iter().find(|replica| replica.run(&["INFO", "replication"]).contains("role:master"))
    }

    /// Returns the status of a token on both sides.
    fn statuses(&self, token: &str) -> [u16; 2] {
        [NEAR, FAR].map(|at| self.gateways.uses(at, token).code())
    }
}

fn store(sentinel: &Engine, name: &str) -> String {
    format!("urls = [\"redis://127.0.0.1:{}\"]\nsentinel = \"{name}\"", sentinel.port())
}

#[test]
fn no_token_is_accepted_after_its_200_while_there_are_two_primaries() {
    let mut sides = Sides::start();
    let tokens: Vec<String> = (0..40).map(|number| sides.gateways.token(number % 2)).collect();
    for token in &tokens {
        sides.gateways.all_answer(token, 200);
    }
    let kept = sides.gateways.token(NEAR);
    sides.gateways.all_answer(&kept, 200);
    for replica in &sides.replicas {
        replica.wait_for(&["--scan", "--pattern", "tg:t:*"], "\n");
    }
    // Both sides revoke from the cut until the other side has a primary of its own.
    sides.link.cut(true);
    let cut = Instant::now();
    let (next, confirmed) = (Cell::new(0), Cell::new(Vec::new()));
    // What a gateway refuses after a 503, it carries out later. Without a connection, it does not know all tokens.
    let (refused, unknown) = (Cell::new(Vec::new()), Cell::new(Vec::new()));
    let revoke = |at: usize| {
        let Some(token) = tokens.get(next.get()) else { return 503 };
        next.set(next.get() + 1);
        let code = sides.gateways.revoke(at, token).code();
        assert!([200, 503].contains(&code), "{code}");
        let list = match code {
            200 => &confirmed,
            _ if sides.gateways.uses(at, token).code() == 401 => &refused,
            _ => &unknown,
        };
        let mut all = list.take();
        all.push(token.clone());
        list.set(all);
        code
    };
    let refused_everywhere = |when: &str| {
        let all = confirmed.take();
        for token in &all {
            let codes = sides.statuses(token);
            assert!(codes.iter().all(|code| [401, 503].contains(code)), "{codes:?} after the 200 {when}");
        }
        confirmed.set(all);
    };
    let near_is_fenced = || sides.gateways.uses(NEAR, &kept).code() == 503;
    let deadline = cut + Duration::from_secs(60);
    let (mut was_fenced, mut two) = (None, None);
    loop {
        assert!(Instant::now() < deadline, "no replica is promoted: {was_fenced:?}, {two:?}");
        if next.get() < 24 {
            revoke(next.get() % 2);
        }
        refused_everywhere("while the servers separate");
        if was_fenced.is_none() && near_is_fenced() {
            was_fenced = Some(cut.elapsed());
        }
        if two.is_none() && sides.promoted().is_some() {
            assert!(was_fenced.is_some(), "the old primary is fenced before another one is promoted");
            two = Some(cut.elapsed());
        }
        if two.is_some() && sides.gateways.uses(FAR, &kept).code() == 200 {
            break;
        }
    }
    // The old primary runs, but its gateway does not trust it. It calls no token unknown.
    assert!(sides.primary.run(&["INFO", "replication"]).contains("role:master"));
    assert_eq!(sides.statuses(&kept), [503, 200]);
    sides.gateways.ask_token(NEAR).status(503);
    wait_until(|| revoke(FAR) == 200);
    refused_everywhere("with two primaries");
    let new = sides.gateways.token(FAR);
    assert_eq!(sides.statuses(&new), [503, 200]);
    assert_eq!(revoke(NEAR), 503);

    // The network works again, and the sentinel near the old primary learns of the new one.
    let promoted = sides.promoted().expect("a new primary").port().to_string();
    sides.link.cut(false);
    sides.near.run(&["SENTINEL", "REMOVE", "near"]);
    sides.near.run(&["SENTINEL", "MONITOR", "near", "127.0.0.1", &promoted, "1"]);
    wait_until(|| sides.statuses(&kept) == [200, 200]);
    wait_until(|| sides.statuses(&new) == [200, 200]);
    let (confirmed, refused, unknown) = (confirmed.take(), refused.take(), unknown.take());
    // The revocations that were not confirmed are carried out now, and a new gateway refuses the tokens, too. The
    // others are repeated.
    let far = store(&sides.far, "far");
    sides.gateways.add(&far);
    for token in &unknown {
        wait_until(|| sides.gateways.revoke(NEAR, token).code() == 200);
    }
    for token in confirmed.iter().chain(&refused).chain(&unknown) {
        wait_until(|| sides.statuses(token) == [401, 401]);
        sides.gateways.all_answer(token, 401);
    }
    assert!(!confirmed.is_empty() && !refused.is_empty(), "{confirmed:?} {refused:?} {unknown:?}");
    eprintln!(
        "the old primary is not trusted {was_fenced:?} after the cut, and there are two primaries after {two:?}; {} \
         revocations were confirmed, {} were not, and {} were of tokens that the gateway did not know then",
        confirmed.len(),
        refused.len(),
        unknown.len()
    );
}
