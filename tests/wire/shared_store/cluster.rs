//! A cluster in which a node fails that has tokens, but not the log.

use super::engine::{Cluster, Engine};
use super::gateways::Gateways;
use super::requests::wait_until;

/// Returns the keys of tokens that a node has.
fn tokens(node: &Engine) -> usize {
    node.run(&["--scan", "--pattern", "tg:t:*"]).lines().filter(|key| !key.is_empty()).count()
}

#[test]
fn a_node_that_fails_with_a_tombstone_that_its_replica_lacks_revives_no_token() {
    let mut cluster = Cluster::start_with(1);
    let urls: Vec<String> =
        cluster.nodes.iter().map(|node| format!("\"redis://127.0.0.1:{}\"", node.port())).collect();
    let store = format!("urls = [{}]\ncluster = true", urls.join(", "));
    let mut gateways = Gateways::start(&[&store, &store]);
    let log = cluster.owner("{tg}:log").expect("a node has the log");
    let info = |node: usize| cluster.nodes[node].run(&["INFO", "replication"]);
    let primary = (0..6).find(|&node| node != log && info(node).contains("role:master"));
    let primary = primary.expect("another primary");
    let port = cluster.nodes[primary].port();
    let replica = (0..6).find(|&node| info(node).contains(&format!("master_port:{port}")));
    let replica = replica.expect("its replica");
    // A token of that node.
    let token = loop {
        let before = tokens(&cluster.nodes[primary]);
        let token = gateways.token(0);
        if tokens(&cluster.nodes[primary]) > before {
            break token;
        }
    };
    gateways.all_answer(&token, 200);
    let known = tokens(&cluster.nodes[primary]).to_string();
    wait_until(|| tokens(&cluster.nodes[replica]).to_string() == known);
    cluster.nodes[replica].signal("STOP");
    gateways.revoke(1, &token).status(200);
    gateways.all_answer(&token, 401);
    cluster.nodes[primary].kill();
    cluster.nodes[replica].signal("CONT");
    cluster.nodes[replica].wait_for(&["INFO", "replication"], "role:master");
    // The gateways notice that another node has the tokens, and write their tombstones to it.
    let is_lacking = || {
        let node = &cluster.nodes[replica];
        let keys = node.run(&["--scan", "--pattern", "tg:t:*"]);
        keys.lines().all(|key| node.run(&["GET", key]).starts_with('T'))
    };
    wait_until(|| !is_lacking());
    gateways.add(&store);
    let is_refused = |at| {
        let code = gateways.uses(at, &token).code();
        assert!([401, 503].contains(&code), "{code} for a revoked token");
        code == 401
    };
    wait_until(|| (0..3).all(is_refused));
}
