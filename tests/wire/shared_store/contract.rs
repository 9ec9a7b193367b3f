//! The contract of a store, on every kind of engine.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tollgate::clock::ManualClock;
use tollgate::store::testing::Contract;
use tollgate::store::{RedisOptions, RedisStore, Topology};

use super::engine::{Cluster, Engine, valkey};

/// Makes stores on one engine. Each begins with another prefix, so that it is empty.
fn options(topology: Topology, number: u32) -> RedisOptions {
    RedisOptions {
        prefix: format!("test{number}"),
        // The shortest lease: the checks revoke thousands of tokens.
        lease: Duration::from_millis(50),
        ..RedisOptions::of(topology)
    }
}

fn open(topology: Topology, number: u32, max_tokens: usize) -> RedisStore {
    let clock = Arc::new(ManualClock::default());
    let store = RedisStore::open(options(topology, number), max_tokens, clock, None).expect("a store");
    // The first operation waits for the connection, but not for a slow start.
    while !store.status().connected {
        std::thread::sleep(Duration::from_millis(5));
    }
    store
}

/// The contract on a topology. A store that is restarted keeps its prefix.
fn contract(topology: Topology) -> Contract<RedisStore> {
    let number = Rc::new(Cell::new(0));
    let (next, last, again) = (Rc::clone(&number), number, topology.clone());
    Contract::of(move |max_tokens| {
        next.set(next.get() + 1);
        open(topology.clone(), next.get(), max_tokens)
    })
    .restart(move |store| {
        drop(store);
        open(again.clone(), last.get(), 100_000)
    })
}

#[test]
fn one_server_keeps_the_contract_of_a_store() {
    let engine = Rc::new(Engine::start(&[]));
    let topology = Topology::Single(engine.address());
    let stopped = Rc::clone(&engine);
    contract(topology).faults(move |_, broken| stopped.signal(if broken { "STOP" } else { "CONT" })).check();
}

#[test]
fn a_primary_that_sentinels_know_keeps_the_contract_of_a_store() {
    let primary = Rc::new(Engine::start(&[]));
    let replica = Engine::start(&["--replicaof", "127.0.0.1", &primary.port().to_string()]);
    replica.wait_for(&["INFO", "replication"], "master_link_status:up");
    let sentinel = Engine::start_sentinel(&primary);
    // No sentinel listens at the first address.
    let gone = Engine::start_sentinel(&primary).address();
    let topology =
        Topology::Sentinel { sentinels: vec![gone, sentinel.address()], primary: "tollgate".to_owned() };
    contract(topology).check();
}

#[test]
fn a_cluster_keeps_the_contract_of_a_store() {
    let cluster = Rc::new(Cluster::start());
    let stopped = Rc::clone(&cluster);
    contract(Topology::Cluster(cluster.addresses()))
        .faults(move |_, broken| {
            for node in &stopped.nodes {
                node.signal(if broken { "STOP" } else { "CONT" });
            }
        })
        .check();
}

#[test]
fn valkey_keeps_the_contract_of_a_store() {
    let Some(valkey) = valkey() else { return };
    let engine = Rc::new(Engine::start_program(&valkey, &[]));
    assert!(engine.run(&["INFO", "server"]).contains("valkey_version:"));
    let topology = Topology::Single(engine.address());
    let stopped = Rc::clone(&engine);
    contract(topology).faults(move |_, broken| stopped.signal(if broken { "STOP" } else { "CONT" })).check();
}

#[test]
fn a_primary_of_valkey_that_sentinels_know_keeps_the_contract_of_a_store() {
    let Some(valkey) = valkey() else { return };
    let primary = Engine::start_program(&valkey, &[]);
    let sentinel = Engine::start_sentinel_of(&valkey, "tollgate", primary.port(), Duration::from_millis(500));
    let sentinels = vec![sentinel.address()];
    contract(Topology::Sentinel { sentinels, primary: "tollgate".to_owned() }).check();
}

#[test]
fn a_cluster_of_valkey_keeps_the_contract_of_a_store() {
    let Some(valkey) = valkey() else { return };
    let cluster = Cluster::start_program(&valkey, 0);
    contract(Topology::Cluster(cluster.addresses())).check();
}

#[test]
fn a_server_that_begins_empty_keeps_the_contract_of_a_store() {
    let engine = Rc::new(std::cell::RefCell::new(Engine::start(&[])));
    let topology = Topology::Single(engine.borrow().address());
    let killed = Rc::clone(&engine);
    contract(topology)
        .faults(
            move |_, broken| {
                if broken { killed.borrow_mut().kill() } else { killed.borrow_mut().restart() }
            },
        )
        .check();
    assert!(engine.borrow().run(&["PING"]).contains("PONG"));
}
