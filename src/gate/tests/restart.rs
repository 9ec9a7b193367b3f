//! Assertions and proofs that may have been used before the gate was made, and clocks that jump.

use super::stopped::Restarts;
use super::*;
use crate::gate::ThrottlePolicy;
use crate::oauth::client_auth::JWT_BEARER;
use crate::oauth::jose::Jwks;
use crate::oauth::jose::testing::TestKey;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://localhost:8443";
const HOUR: i64 = 3_600_000;

/// A client that signs assertions. Proofs may have the same key.
fn signer(key: &TestKey) -> ClientSpec {
    let keys = KeySource::Inline(Jwks::from(key.public()));
    ClientSpec { keys: Some(keys), ..client("a", &[("1", "s", None)]) }
}

fn gate_at(clock: &Arc<FakeClock>, key: &TestKey) -> Gate {
    // Each refusal counts as a failure.
    let throttle = ThrottlePolicy { failures: 10_000, ..ThrottlePolicy::default() };
    let gate =
        Gate::builder(spec(vec![signer(key)]).throttle(throttle)).clock(Arc::<FakeClock>::clone(clock));
    gate.hashing_threads(1).build().unwrap()
}

fn assertion(key: &TestKey, jti: &str, dates: &str) -> String {
    let claims = format!(r#"{{"iss":"a","sub":"a","aud":"{ISSUER}","jti":"{jti}",{dates}}}"#);
    key.sign(&format!(r#"{{"alg":"{}"}}"#, key.algorithm()), &claims)
}

fn proof(key: &TestKey, jti: &str, issued: u64) -> String {
    let (algorithm, jwk) = (key.algorithm(), key.jwk(""));
    let claims =
        format!(r#"{{"jti":"{jti}","htm":"POST","htu":"{ISSUER}/oauth/v2/oauth-token","iat":{issued}}}"#);
    key.sign(&format!(r#"{{"typ":"dpop+jwt","alg":"{algorithm}","jwk":{jwk}}}"#), &claims)
}

async fn with_assertion(gate: &Gate, assertion: &str) -> u16 {
    let body = format!(
        "grant_type=client_credentials&client_assertion_type={JWT_BEARER}&client_assertion={assertion}"
    );
    post(gate, Endpoint::Token, &body).await.0.as_u16()
}

async fn with_proof(gate: &Gate, proof: &str) -> u16 {
    let body = "grant_type=client_credentials&client_id=a&client_secret=s";
    post_from(gate, Endpoint::Token, &[("dpop", proof)], body, Origin::default()).await.0.as_u16()
}

#[tokio::test]
async fn assertions_that_were_accepted_before_a_restart_are_refused_after_it() {
    let (key, clock) = (TestKey::ed25519(), Arc::new(FakeClock::default()));
    let before = gate_at(&clock, &key);
    let dated = assertion(&key, "1", &format!(r#""iat":{NOW},"exp":{}"#, NOW + 60));
    let undated = assertion(&key, "2", &format!(r#""exp":{}"#, NOW + 90));
    let shown = proof(&key, "3", NOW);
    clock.advance(500);
    assert_eq!(with_assertion(&before, &dated).await, 200);
    assert_eq!(with_assertion(&before, &undated).await, 200);
    assert_eq!(with_proof(&before, &shown).await, 200);
    drop(before);
    // Within the same second.
    clock.advance(100);
    let after = gate_at(&clock, &key);
    for pause in [0, 399, 29_000] {
        clock.advance(pause);
        assert_eq!(with_assertion(&after, &dated).await, 401, "{pause}");
        assert_eq!(with_assertion(&after, &undated).await, 401, "{pause}");
        assert_eq!(with_proof(&after, &shown).await, 400, "{pause}");
    }
    // Assertions that are made after the start are accepted.
    let fresh = assertion(&key, "4", &format!(r#""iat":{},"exp":{}"#, NOW + 1, NOW + 60));
    assert_eq!(with_assertion(&after, &fresh).await, 200);
    assert_eq!(with_proof(&after, &proof(&key, "5", NOW + 1)).await, 200);
    // An assertion without a date is refused until no valid one can be older than the start.
    clock.advance(1_499);
    let undated = assertion(&key, "6", &format!(r#""exp":{}"#, NOW + 31 + 60));
    assert_eq!(with_assertion(&after, &undated).await, 200);
}

#[tokio::test]
async fn a_store_that_remembers_assertions_accepts_new_ones_from_its_first_moment_on() {
    let (key, restarts) = (TestKey::ed25519(), Restarts::new());
    let dated =
        |jti: &str, issued: u64| assertion(&key, jti, &format!(r#""iat":{issued},"exp":{}"#, NOW + 60));
    restarts.clock.advance(500);
    let before = restarts.gate(vec![signer(&key)]);
    let used = dated("1", NOW);
    assert_eq!(with_assertion(&before, &used).await, 200);
    drop(before);
    // Within the same second.
    restarts.clock.advance(100);
    let after = restarts.gate(vec![signer(&key)]);
    assert_eq!(with_assertion(&after, &used).await, 401, "it was used before the restart");
    assert_eq!(with_assertion(&after, &dated("2", NOW)).await, 200);
    assert_eq!(with_assertion(&after, &dated("3", NOW - 1)).await, 401, "from before the start");
}

#[tokio::test]
async fn a_clock_that_jumped_forward_and_back_refuses_nothing_that_is_new() {
    let (key, clock) = (TestKey::ed25519(), Arc::new(FakeClock::default()));
    let gate = gate_at(&clock, &key);
    clock.step(2 * HOUR);
    // Clients with the same wrong time, long enough for the gate to forget the first of them.
    let wrong = NOW + 7_200;
    for second in 0..200 {
        let now = wrong + second;
        let dates = format!(r#""iat":{now},"exp":{}"#, now + 60);
        assert_eq!(with_assertion(&gate, &assertion(&key, &format!("w{second}"), &dates)).await, 200);
        assert_eq!(with_proof(&gate, &proof(&key, &format!("w{second}"), now)).await, 200);
        clock.advance(1_000);
    }
    clock.step(-2 * HOUR);
    for second in 200..260 {
        let now = NOW + second;
        let dates = format!(r#""iat":{now},"exp":{}"#, now + 60);
        let (good, shown) =
            (assertion(&key, &format!("r{second}"), &dates), proof(&key, &format!("r{second}"), now));
        assert_eq!(with_assertion(&gate, &good).await, 200, "{second}");
        assert_eq!(with_proof(&gate, &shown).await, 200, "{second}");
        clock.advance(1_000);
        assert_eq!(with_assertion(&gate, &good).await, 401, "{second}");
        assert_eq!(with_proof(&gate, &shown).await, 400, "{second}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_a_little_opens_no_gap() {
    let (key, clock) = (TestKey::ed25519(), Arc::new(FakeClock::default()));
    let gate = gate_at(&clock, &key);
    let shown = proof(&key, "1", NOW);
    assert_eq!(with_proof(&gate, &shown).await, 200);
    clock.advance(62_000);
    assert_eq!(with_proof(&gate, &shown).await, 400, "too old");
    clock.step(-25_000);
    for _ in 0..25 {
        assert_eq!(with_proof(&gate, &shown).await, 400, "by its date it would be good again");
        clock.advance(1_000);
    }
}

#[tokio::test]
async fn a_machine_that_starts_with_a_wrong_date_refuses_nothing_once_it_is_right() {
    let (key, clock) = (TestKey::ed25519(), Arc::new(FakeClock::default()));
    clock.step(2 * HOUR);
    let gate = gate_at(&clock, &key);
    clock.advance(5_000);
    clock.step(-2 * HOUR);
    assert_eq!(with_proof(&gate, &proof(&key, "1", NOW + 5)).await, 200);
    let dates = format!(r#""iat":{},"exp":{}"#, NOW + 5, NOW + 60);
    assert_eq!(with_assertion(&gate, &assertion(&key, "2", &dates)).await, 200);
    assert_eq!(with_proof(&gate, &proof(&key, "3", NOW - 1)).await, 400, "from before the start");
}
