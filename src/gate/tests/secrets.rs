//! Secrets: rotation, the record of their use, and the equal cost of every refusal.

use super::*;
use crate::gate::SeenSecret;

#[tokio::test]
async fn rotation_both_secrets_work_until_the_old_one_expires() {
    let secrets = [("old", "one", Some(1_800_000_010)), ("new", "two", None)];
    let (gate, clock) = gate(vec![client("server", &secrets)]);
    for _ in 0..2 {
        assert!(issue(&gate, "server", "one").await.is_ok());
    }
    assert!(issue(&gate, "server", "two").await.is_ok());
    let usage = gate.secret_usage("server");
    assert_eq!((usage[0].0.as_str(), usage[0].1.count, usage[1].1.count), ("old", 2, 1));
    assert_eq!(usage[0].1.last_address, Some([127, 0, 0, 1].into()));
    clock.advance(10_000);
    assert_eq!(
        issue(&gate, "server", "one").await,
        refused(401, "invalid_client"),
        "though it was remembered"
    );
    assert!(issue(&gate, "server", "two").await.is_ok());
}

#[tokio::test]
async fn tries_after_the_end_are_counted_apart() {
    let (gate, clock) =
        gate(vec![client("server", &[("old", "one", Some(1_800_000_010)), ("new", "two", None)])]);
    clock.advance(10_000);
    for _ in 0..2 {
        assert_eq!(issue(&gate, "server", "one").await, refused(401, "invalid_client"));
    }
    assert_eq!(issue(&gate, "server", "neither").await, refused(401, "invalid_client"));
    let usage = gate.secret_usage("server");
    assert_eq!((usage[0].1.count, usage[0].1.refused_count, usage[1].1.refused_count), (0, 2, 0));
    assert_eq!(usage[0].1.last_refused, Some(Duration::from_secs(1_800_000_010)));
    assert_eq!(usage[0].1.last_refused_address, Some([127, 0, 0, 1].into()));
}

/// Two hashes may be of the same secret, for example while a hash is renewed.
#[tokio::test]
async fn a_secret_that_expired_under_one_id_is_good_under_another() {
    let (gate, _) = gate(vec![client("a", &[("old", "same", Some(1)), ("new", "same", None)])]);
    assert!(issue(&gate, "a", "same").await.is_ok());
    let usage = gate.secret_usage("a");
    assert_eq!((usage[0].1.refused_count, usage[1].1.count), (0, 1));
}

#[tokio::test]
async fn the_use_of_secrets_outlives_a_reload_and_a_restart() {
    let before = || {
        spec(vec![client("a", &[("1", "one", None), ("2", "two", None)]), client("b", &[("1", "s", None)])])
    };
    let (gate, clock) = gate_of(before());
    let began = Duration::from_secs(1_800_000_000);
    clock.advance(1000);
    assert!(issue(&gate, "a", "one").await.is_ok());
    // Another salt makes another hash: the secret of "b" was reset, and "1" gets an expiry.
    let mut after = before();
    after.clients[0].secrets = gate_secrets(&before().clients[0], Some(1_800_000_100));
    gate.reload(after);
    clock.advance(1000);
    assert!(issue(&gate, "a", "one").await.is_ok());
    let seen = gate.seen_secrets();
    let names: Vec<(&str, &str)> = seen.iter().map(|secret| (&*secret.client_id, &*secret.id)).collect();
    assert_eq!(names, [("a", "1"), ("a", "2"), ("b", "1")]);
    assert_eq!((seen[0].usage.count, seen[0].usage.since), (2, began));
    assert_eq!(seen[0].expires, Some(Duration::from_secs(1_800_000_100)));

    let (next, clock) = gate_of(before());
    clock.advance(60_000);
    next.reload(spec(vec![client("b", &[("1", "another", None)])]));
    next.reload(before());
    assert_eq!(next.secret_usage("b")[0].1.since, began + Duration::from_secs(60), "it was away");
    assert!(issue(&next, "a", "one").await.is_ok());
    let mut stale = seen.clone();
    // The use of another hash, or of a client that does not exist.
    stale[2].fingerprint = "0000000000000000".into();
    stale.push(SeenSecret::new("gone", "1", "0000000000000000", seen[0].usage));
    next.restore_seen_secrets(&stale);
    let usage = next.secret_usage("a")[0].1;
    assert_eq!((usage.count, usage.since), (3, began));
    assert_eq!(usage.last_used, Some(began + Duration::from_secs(60)), "the later of both");
    assert_eq!(next.secret_usage("b")[0].1.since, began + Duration::from_secs(60));
    assert_eq!(next.seen_secrets().len(), 3);
}

/// The workers of one client authenticate at the same time after a restart.
#[tokio::test]
async fn many_first_tries_of_a_good_secret_are_one() {
    let (gate, _) = gate(vec![client("server", &[("1", "good", None)])]);
    let all = async |secret: &'static str| {
        let try_it = |gate: Gate| async move { issue(&gate, "server", secret).await };
        let tries: Vec<_> = (0..30).map(|_| tokio::spawn(try_it(gate.clone()))).collect();
        let mut answers = Vec::new();
        for answer in tries {
            answers.push(answer.await.unwrap());
        }
        answers
    };
    assert!(all("good").await.iter().all(Result::is_ok));
    assert_eq!(gate.hashing_work(), 8, "one hash");
    assert_eq!(gate.secret_usage("server")[0].1.count, 30);

    let answers = all("bad").await;
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!(count(refused(401, "invalid_client")), 10, "each counts");
    assert_eq!(count(refused(429, "temporarily_unavailable")), 20);
    assert_eq!(gate.hashing_work(), 11 * 8);
}

/// Returns the same secrets with another expiry.
fn gate_secrets(client: &ClientSpec, expires: Option<u64>) -> Vec<SecretSpec> {
    let until =
        |secret: &SecretSpec| SecretSpec { expires: expires.map(Duration::from_secs), ..secret.clone() };
    client.secrets.iter().map(until).collect()
}

#[tokio::test]
async fn every_refusal_costs_the_same_work_and_answers_the_same() {
    let ended = Some(1_700_000_000);
    let mut off = client("off", &[("1", "s", None), ("2", "t", None)]);
    off.policy.enabled = false;
    let mut by_basic = client("basic", &[("1", "s", None)]);
    by_basic.secret_methods = vec![crate::oauth::client_auth::SecretMethod::Basic];
    // It costs three times as much as the others.
    let mut dear = client("dear", &[]);
    dear.secrets = vec![SecretSpec::new("1", hashing::tests::of_cost("s", 24, 1), None)];
    let clients = vec![
        client("one", &[("1", "s", None)]),
        client("three", &[("1", "s", ended), ("2", "t", None), ("3", "u", ended)]),
        client("gone", &[("1", "s", ended)]),
        off,
        by_basic,
        dear,
    ];
    let (gate, _) = gate(clients);
    let cost = async |id: &str, secret: &str| {
        let before = gate.hashing_work();
        assert_eq!(issue(&gate, id, secret).await, refused(401, "invalid_client"), "{id} {secret}");
        gate.hashing_work() - before
    };
    let unknown = cost("nobody", "s").await;
    assert_eq!(unknown, 3 * 8, "as much as the secrets of the most expensive client");
    for (id, secret) in [
        ("one", "wrong"),
        ("three", "wrong"),
        ("three", "s"),
        ("three", "u"),
        ("gone", "s"),
        ("off", "s"),
        ("off", "wrong"),
        ("basic", "s"),
        ("dear", "wrong"),
    ] {
        assert_eq!(cost(id, secret).await, unknown, "{id} {secret}");
    }
}
