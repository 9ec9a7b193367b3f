//! Lifetimes on an engine and gateways whose clocks differ.

use std::sync::Arc;
use std::time::Duration;

use tollgate::clock::{Clock as _, ManualClock};
use tollgate::oauth::{AccessToken, ClientId, ClientState, Grant, Record, Scopes, Terms, TokenDigest};
use tollgate::store::{RedisOptions, RedisStore, TokenStore as _, Topology};

use super::engine::Engine;

const LIFETIME: Duration = Duration::from_secs(600);

/// A gateway's store, whose clock has been running for `running` and shows the wall time `wall`.
fn store(engine: &Engine, running: u64, wall: u64) -> (RedisStore, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Duration::from_secs(wall)));
    clock.advance(Duration::from_secs(running));
    let options = RedisOptions::of(Topology::Single(engine.address()));
    let store = RedisStore::open(options, 100, clock.clone(), None).expect("a store");
    while !store.status().connected {
        std::thread::sleep(Duration::from_millis(5));
    }
    (store, clock)
}

fn wait<T>(pending: tollgate::store::Pending<'_, T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(pending.get())
}

/// Returns what remains of a token's lifetime at a gateway that does not know the token yet.
fn remaining(engine: &Engine, running: u64, wall: u64, token: TokenDigest) -> Duration {
    let (store, clock) = store(engine, running, wall);
    let found = wait(store.ask(token)).expect("an answer").expect("the token");
    found.expires().since(clock.now())
}

#[test]
fn lifetimes_are_measured_by_the_engine_and_never_exceed_that_of_the_grant() {
    let engine = Engine::start(&[]);
    let (first, clock) = store(&engine, 3_600, 1_800_000_000);
    let client = ClientState::new(ClientId::new("server").expect("an id"));
    let scopes = Scopes::parse("read").expect("a scope");
    let terms = Terms { scopes, lifetime: LIFETIME, audience: None, confirmation: None };
    let record = Record::new(Arc::new(Grant::new(client, 0, terms)), clock.now());
    let token = AccessToken::from_random(&[7; 32]).digest();
    wait(first.insert(token, record)).expect("the store keeps it");
    // Neither the wall clocks of other gateways nor their uptimes matter.
    let mut before = LIFETIME;
    for (running, wall) in [(3_600, 1_800_000_000), (10, 1_800_003_600), (900_000, 1_799_990_000), (5_000, 0)]
    {
        let left = remaining(&engine, running, wall, token);
        assert!(left <= before && left > LIFETIME - Duration::from_secs(120), "{left:?} of {before:?}");
        before = left;
    }
    // The engine's clock is what counts: as if it had gone forward by nine minutes, and back by ten hours.
    let keys = engine.run(&["--scan", "--pattern", "tg:t:*"]);
    engine.run(&["PEXPIRE", &keys, "60000"]);
    assert!(remaining(&engine, 3_600, 1_800_000_000, token) <= Duration::from_secs(60));
    engine.run(&["PEXPIRE", &keys, "36000000"]);
    assert!(remaining(&engine, 3_600, 1_800_000_000, token) <= LIFETIME, "it never grows beyond the grant");
    // A key without an expiry was not written by a gateway.
    engine.run(&["PERSIST", &keys]);
    let (other, _) = store(&engine, 3_600, 1_800_000_000);
    assert!(wait(other.ask(token)).expect("an answer").is_none());
}
