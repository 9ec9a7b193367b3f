//! The promises of a shared store while the engine or the network is broken.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use super::engine::{Cluster, Engine};
use super::gateways::{Gateways, revoke_at};
use super::link::Link;
use super::requests::wait_until;
use crate::support::metrics::Scrape;
use crate::support::{get, raw};

/// Returns the lines of `[store]` for one server.
fn at(engine: &Engine) -> String {
    format!("url = \"redis://127.0.0.1:{}\"", engine.port())
}

#[test]
fn an_engine_that_stops_means_503_and_never_401_and_the_first_request_after_its_return_succeeds() {
    let engine = Engine::start(&[]);
    let store = at(&engine);
    let gateways = Gateways::start(&[&store, &format!("{store}\nallow_cached = \"1h\"")]);
    let (known, unknown) = (gateways.token(0), gateways.token(0));
    gateways.all_answer(&known, 200);
    engine.signal("STOP");
    wait_until(|| gateways.uses(0, &known).code() == 503);
    // The policy of the other gateway lets it accept the tokens in its memory, and no others.
    gateways.uses(1, &known).status(200);
    gateways.uses(1, &unknown).status(503);
    gateways.uses(0, &unknown).status(503);
    gateways.ask_token(0).status(503);
    // It is carried out at this gateway now, and at the others later.
    gateways.revoke(1, &known).status(503);
    gateways.uses(1, &known).bearer_error(401, Some("invalid_token"));
    assert_eq!(Scrape::of(&gateways.all[0]).value("tollgate_store_healthy"), 0.0);
    engine.signal("CONT");
    for at in 0..2 {
        gateways.uses(at, &unknown).status(200);
    }
    wait_until(|| gateways.uses(0, &known).code() == 401);
    gateways.revoke(1, &known).status(200);
    gateways.token(1);
}

#[test]
fn a_revocation_that_the_engine_has_lost_holds_everywhere_also_at_a_new_gateway() {
    let mut engine = Engine::start(&[]);
    let store = at(&engine);
    let mut gateways = Gateways::start(&[&store, &store]);
    let (revoked, kept) = (gateways.token(0), gateways.token(1));
    gateways.all_answer(&revoked, 200);
    gateways.all_answer(&kept, 200);
    gateways.revoke(1, &revoked).status(200);
    engine.restart();
    gateways.add(&store);
    // Tokens of the last 30 seconds come back.
    wait_until(|| (0..3).all(|at| gateways.uses(at, &kept).code() == 200));
    gateways.all_answer(&revoked, 401);
    // As if an operator had emptied the engine.
    engine.run(&["FLUSHALL"]);
    gateways.add(&store);
    wait_until(|| (0..4).all(|at| gateways.uses(at, &kept).code() == 200));
    gateways.all_answer(&revoked, 401);
    gateways.revoke(3, &kept).status(200);
    gateways.all_answer(&kept, 401);
}

#[test]
fn a_revocation_that_was_not_carried_out_when_the_gateway_died_is_carried_out_after_its_restart() {
    let engine = Engine::start(&[]);
    let mut gateways = Gateways::start(&[&at(&engine), &at(&engine)]);
    let token = gateways.token(0);
    gateways.all_answer(&token, 200);
    engine.signal("STOP");
    wait_until(|| gateways.uses(0, &token).code() == 503);
    gateways.revoke(0, &token).status(503);
    gateways.all[0].signal("KILL");
    // The journal is locked until the process has ended.
    gateways.all[0].wait(Duration::from_secs(30));
    // Its journal is in its folder.
    let folder = gateways.all[0].dir().to_owned();
    engine.signal("CONT");
    wait_until(|| gateways.uses(1, &token).code() == 200);
    let mut again = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["run", "--config"])
        .arg(folder.join("gateway.toml"))
        .current_dir(&folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::fs::File::create(folder.join("again.log")).expect("again.log"))
        .spawn()
        .expect("the gateway starts");
    let refused = (0..2_000).any(|_| {
        thread::sleep(Duration::from_millis(10));
        gateways.uses(1, &token).code() == 401
    });
    let _ = again.kill();
    let _ = again.wait();
    let log = std::fs::read_to_string(folder.join("again.log")).expect("again.log");
    assert!(refused, "the revocation is not carried out\n{log}");
}

#[test]
fn nothing_is_accepted_after_its_200_through_a_bad_network() {
    let engine = Engine::start(&[]);
    let link = Link::to(engine.port());
    let (far, near) = (link.store(), at(&engine));
    let gateways = Gateways::start(&[&far, &near]);
    for round in 0..24 {
        match round % 4 {
            0 => link.lose(0),
            1 => link.lose(20),
            2 => link.reset(),
            _ => link.cut(true),
        }
        let token = loop {
            let answer = gateways.ask_token(1);
            if answer.code() == 200 {
                break crate::support::token_of(&answer);
            }
        };
        // The gateway behind the bad network has the token in memory, if it could read it.
        let before = gateways.uses(0, &token).code();
        assert!([200, 503].contains(&before), "{before}");
        gateways.revoke(1, &token).status(200);
        let after = gateways.uses(0, &token).code();
        assert!([401, 503].contains(&after), "round {round}: {after} after the 200 of its revocation");
        link.cut(false);
        link.lose(0);
    }
    wait_until(|| gateways.uses(0, &gateways.token(1)).code() == 200);
}

#[test]
fn a_client_that_was_ended_elsewhere_is_refused_while_the_log_cannot_be_read() {
    let engine = Engine::start(&[]);
    let link = Link::to(engine.port());
    let gateways = Gateways::start(&[&link.store(), &at(&engine)]);
    let epochs = engine.run(&["KEYS", "*"]);
    let gateways_key = epochs.lines().find(|key| key.ends_with(":gateways")).expect("the hash of gateways");
    let epochs = gateways_key.replace(":gateways", ":epochs");
    let tokens = [gateways.token(1), gateways.token(1)];
    wait_until(|| gateways.uses(0, &tokens[0]).code() == 200);
    // The lease is over by then, and the gateway has not given up its connection to the log yet.
    link.cut_log(true);
    thread::sleep(Duration::from_millis(300));
    engine.run(&["HINCRBY", &epochs, "other", "1"]);
    let code = gateways.uses(0, &tokens[1]).code();
    link.cut_log(false);
    // The status is 503 if the gateway has given up the connection in the meantime.
    assert!(code == 401 || code == 503, "{code} after the epoch was ended");
}

#[test]
fn entries_of_a_later_version_are_neither_unknown_nor_skipped() {
    let engine = Engine::start(&[]);
    let gateways = Gateways::start(&[&at(&engine), &at(&engine)]);
    let (here, elsewhere) = (gateways.token(0), gateways.token(1));
    gateways.all_answer(&here, 200);
    let keys = engine.run(&["KEYS", "*"]);
    let tokens: Vec<&str> = keys.lines().filter(|key| key.contains(":t:")).collect();
    assert_eq!(tokens.len(), 2, "{keys}");
    for token in tokens {
        engine.run(&["SET", token, "X", "KEEPTTL"]);
    }
    gateways.uses(0, &elsewhere).status(503);
    gateways.uses(0, &here).status(200);
    // The entry may be about any token, so each token is queried again.
    let log =
        keys.lines().find(|key| key.ends_with(":gateways")).expect("a key").replace(":gateways", ":log");
    engine.run(&["XADD", &log, "1-0", "e", "x1 2"]);
    wait_until(|| gateways.uses(0, &here).code() == 503);
    let token = gateways.token(0);
    gateways.all_answer(&token, 200);
}

#[test]
fn a_failover_that_loses_a_revocation_does_not_revive_the_token() {
    let durable = ["--repl-diskless-sync-delay", "0"];
    let mut primary = Engine::start(&durable);
    let mut arguments = durable.to_vec();
    let port = primary.port().to_string();
    arguments.extend(["--replicaof", "127.0.0.1", &port]);
    let replica = Engine::start(&arguments);
    replica.wait_for(&["INFO", "replication"], "master_link_status:up");
    let sentinel = Engine::start_sentinel(&primary);
    sentinel.wait_for(&["SENTINEL", "REPLICAS", "tollgate"], &replica.port().to_string());
    let store = format!("urls = [\"redis://127.0.0.1:{}\"]\nsentinel = \"tollgate\"", sentinel.port());
    let mut gateways = Gateways::start(&[&store, &store]);
    let (revoked, kept) = (gateways.token(0), gateways.token(1));
    gateways.all_answer(&revoked, 200);
    gateways.all_answer(&kept, 200);
    // Both tokens are at the replica, and then nothing more reaches it.
    replica.wait_for(&["--scan", "--pattern", "tg:t:*"], "\n");
    replica.signal("STOP");
    gateways.revoke(0, &revoked).status(200);
    gateways.all_answer(&revoked, 401);
    primary.kill();
    replica.signal("CONT");
    replica.wait_for(&["INFO", "replication"], "role:master");
    gateways.add(&store);
    wait_until(|| (0..3).all(|at| gateways.uses(at, &kept).code() == 200));
    gateways.all_answer(&revoked, 401);
    gateways.revoke(2, &kept).status(200);
    gateways.all_answer(&kept, 401);
}

#[test]
fn a_cluster_that_promotes_a_replica_revives_no_token_and_loses_none() {
    let mut cluster = Cluster::start_with(1);
    let urls: Vec<String> =
        cluster.nodes.iter().map(|node| format!("\"redis://127.0.0.1:{}\"", node.port())).collect();
    let store = format!("urls = [{}]\ncluster = true", urls.join(", "));
    let mut gateways = Gateways::start(&[&store, &store]);
    let (revoked, kept, elsewhere) = (gateways.token(0), gateways.token(1), gateways.token(0));
    gateways.all_answer(&revoked, 200);
    gateways.all_answer(&kept, 200);
    gateways.revoke(1, &revoked).status(200);
    // This node has the log of revocations.
    let primary = cluster.owner("{tg}:log").expect("a node has the log");
    cluster.nodes[primary].kill();
    let (mut outage, deadline) = (false, Instant::now() + Duration::from_secs(60));
    loop {
        let code = gateways.uses(0, &revoked).code();
        assert!([401, 503].contains(&code), "{code} for a revoked token");
        // A gateway that does not know this token asks the cluster.
        let codes =
            [(0, &kept), (1, &kept), (1, &elsewhere)].map(|(at, token)| gateways.uses(at, token).code());
        assert!(codes.iter().all(|code| [200, 503].contains(code)), "{codes:?} for valid tokens");
        outage |= codes.contains(&503);
        if outage && codes == [200; 3] && cluster.owner("{tg}:log").is_some_and(|owner| owner != primary) {
            break;
        }
        assert!(Instant::now() < deadline, "{codes:?} after the failover");
    }
    gateways.add(&store);
    wait_until(|| (0..3).all(|at| gateways.uses(at, &kept).code() == 200));
    gateways.all_answer(&revoked, 401);
    gateways.revoke(2, &kept).status(200);
    gateways.all_answer(&kept, 401);
    let token = gateways.token(0);
    gateways.all_answer(&token, 200);
}

#[test]
fn nothing_is_accepted_after_its_200_while_the_engine_pauses() {
    let engine = Engine::start(&[]);
    let gateways = Gateways::start(&[&at(&engine), &at(&engine)]);
    for round in 0..20_u64 {
        let token = loop {
            let answer = gateways.ask_token(1);
            if answer.code() == 200 {
                break crate::support::token_of(&answer);
            }
        };
        wait_until(|| gateways.uses(0, &token).code() == 200);
        thread::scope(|scope| {
            // It pauses before, in the middle of or after the revocation, for less and for more than a lease.
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(round % 5));
                engine.signal("STOP");
                thread::sleep(Duration::from_millis(20 + round * 20));
                engine.signal("CONT");
            });
            wait_until(|| gateways.revoke(1, &token).code() == 200);
            let code = gateways.uses(0, &token).code();
            assert!([401, 503].contains(&code), "round {round}: {code} after the 200 of its revocation");
        });
        wait_until(|| gateways.uses(0, &token).code() == 401);
    }
}

#[test]
fn a_primary_without_its_replicas_is_not_trusted() {
    let primary = Engine::start(&["--min-replicas-to-write", "1", "--min-replicas-max-lag", "1"]);
    let port = primary.port().to_string();
    let replica = Engine::start(&["--replicaof", "127.0.0.1", &port]);
    replica.wait_for(&["INFO", "replication"], "master_link_status:up");
    primary.wait_for(&["INFO", "replication"], "connected_slaves:1");
    let gateways = Gateways::start(&[&at(&primary)]);
    let token = gateways.token(0);
    gateways.uses(0, &token).status(200);
    replica.signal("STOP");
    // The old primary still answers reads. They do not count, because another server may be the primary now.
    wait_until(|| gateways.uses(0, &token).code() == 503);
    replica.signal("CONT");
    wait_until(|| gateways.uses(0, &token).code() == 200);
}

#[test]
fn a_flood_of_unknown_tokens_reaches_the_engine_in_bounded_numbers() {
    let engine = Engine::start(&[]);
    let gateways = Gateways::start(&[&at(&engine)]);
    let good = gateways.token(0);
    let begun = Instant::now();
    let address = gateways.all[0].plain();
    let statuses: HashSet<u16> = thread::scope(|scope| {
        let floods: Vec<_> = (0..8_u32)
            .map(|thread| {
                scope.spawn(move || {
                    let mut seen = HashSet::new();
                    for number in 0..250_u32 {
                        let mut random = [0; 32];
                        random[..4].copy_from_slice(&thread.to_be_bytes());
                        random[4..8].copy_from_slice(&number.to_be_bytes());
                        let token = tollgate::oauth::AccessToken::from_random(&random);
                        let bearer = format!("Authorization: Bearer {}", token.expose());
                        seen.insert(raw(address, get("/hello", &[&bearer])).code());
                    }
                    seen
                })
            })
            .collect();
        floods.into_iter().flat_map(|flood| flood.join().expect("a flood")).collect()
    });
    gateways.uses(0, &good).status(200);
    assert!(statuses.iter().all(|status| [401, 503].contains(status)), "{statuses:?}");
    let metrics = Scrape::of(&gateways.all[0]);
    let asked = metrics.value("tollgate_shared_store_misses_total{answer=\"unknown\"}");
    let most = 10_000.0 * (begun.elapsed().as_secs_f64() + 1.0);
    assert!(asked > 0.0 && asked <= most, "{asked} of at most {most}");
    let same = revoke_at(address, &good);
    same.status(200);
}

#[test]
fn an_engine_that_cannot_be_used_is_named_with_its_reason() {
    let engine = Engine::start(&["--requirepass", "right"]);
    let upstream = crate::support::Upstream::start();
    let wrong = format!("{}\npassword = \"wrong\"", at(&engine));
    let config = super::gateways::config(upstream.address(), &wrong);
    let gateway = crate::support::Gateway::start(&config);
    gateway.wait_for("cannot be used");
    assert!(!gateway.written().contains("\"wrong\""), "{}", gateway.written());
    let token =
        format!("Authorization: Bearer {}", tollgate::oauth::AccessToken::from_random(&[7; 32]).expose());
    raw(gateway.plain(), get("/hello", &[&token])).status(503);
    raw(gateway.plain(), get("/public/x", &[])).status(200);
    let right = format!("{}\npassword = \"right\"", at(&engine));
    Gateways::start(&[&right]).token(0);
}
