//! The gate with a fake clock: issuing, expiry, revocation, throttling, rotation, reload.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
#[cfg(feature = "jose")]
use http_body_util::Full;
use serde_json::Value;

use crate::clock::{Clock, Millis};
#[cfg(feature = "jose")]
use crate::gate::KeySource;
use crate::gate::hashing;
use crate::gate::{ClientSpec, Endpoint, FormBody, Gate, GateSpec, Origin, SecretSpec};
use crate::oauth::client::{Capabilities, ClientId, ClientPolicy};
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::{Requirement, Scopes};

#[cfg(feature = "jose")]
mod audience;
#[cfg(feature = "jose")]
mod bound;
#[cfg(feature = "jose")]
mod changes;
#[cfg(feature = "gateway")]
mod overlap;
#[cfg(feature = "jose")]
mod plugin;
#[cfg(feature = "jose")]
mod restart;
#[cfg(feature = "jose")]
mod secretless;
mod secrets;
#[cfg(feature = "gateway")]
mod stopped;

/// A clock whose wall clock shows 1,800,000,000 at its origin.
#[derive(Default)]
struct FakeClock {
    /// Milliseconds since the origin. It is negative in a gate that was made before.
    millis: Mutex<i64>,
    /// By how much the wall clock was set.
    step: Mutex<i64>,
}

/// The time of the monotonic clock at the origin.
const ORIGIN: i64 = 10_000_000;

impl FakeClock {
    fn advance(&self, millis: u64) {
        *self.millis.lock().unwrap() += i64::try_from(millis).unwrap();
    }

    /// Sets the wall clock.
    #[cfg(feature = "jose")]
    fn step(&self, millis: i64) {
        *self.step.lock().unwrap() += millis;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Millis {
        Millis::new((*self.millis.lock().unwrap() + ORIGIN).unsigned_abs())
    }

    fn unix_time(&self) -> Duration {
        let millis = *self.millis.lock().unwrap() + *self.step.lock().unwrap();
        Duration::from_millis((1_800_000_000_000 + millis).unsigned_abs())
    }
}

fn policy() -> ClientPolicy {
    ClientPolicy {
        capabilities: Capabilities { client_credentials: true, introspection: true },
        scopes: Scopes::parse("read write").unwrap(),
        default_scopes: Scopes::none(),
        token_lifetime: Duration::from_secs(299),
        enabled: true,
    }
}

fn client(id: &str, secrets: &[(&str, &str, Option<u64>)]) -> ClientSpec {
    let mut spec = ClientSpec::new(ClientId::new(id).unwrap(), policy());
    let expires = |at: Option<u64>| at.map(Duration::from_secs);
    spec.secrets = secrets
        .iter()
        .map(|(id, secret, at)| SecretSpec::new(*id, hashing::tests::cheap(secret), expires(*at)))
        .collect();
    spec
}

fn spec(clients: Vec<ClientSpec>) -> GateSpec {
    GateSpec { clients, ..GateSpec::default() }
}

fn gate(clients: Vec<ClientSpec>) -> (Gate, Arc<FakeClock>) {
    gate_of(spec(clients))
}

fn gate_of(spec: GateSpec) -> (Gate, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let gate = Gate::builder(spec).clock(Arc::<FakeClock>::clone(&clock)).hashing_threads(1).build().unwrap();
    (gate, clock)
}

/// A gate that was made long before the origin of its clock.
#[cfg(feature = "jose")]
fn old_gate_of(spec: GateSpec) -> (Gate, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock { millis: Mutex::new(-ORIGIN), ..FakeClock::default() });
    let gate = Gate::builder(spec).clock(Arc::<FakeClock>::clone(&clock)).hashing_threads(1).build().unwrap();
    clock.advance(ORIGIN.unsigned_abs());
    (gate, clock)
}

async fn post(gate: &Gate, endpoint: Endpoint, body: &str) -> (StatusCode, Value) {
    post_from(gate, endpoint, &[], body, Origin::from_address([127, 0, 0, 1].into())).await
}

async fn post_from(
    gate: &Gate,
    endpoint: Endpoint,
    headers: &[(&str, &str)],
    body: &str,
    origin: Origin<'_>,
) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(Method::POST)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(()).unwrap();
    let body = FormBody::Whole(Bytes::copy_from_slice(body.as_bytes()));
    let answer = gate.answer(endpoint, &request.into_parts().0, body, origin).await;
    let (parts, body) = answer.into_parts();
    (parts.status, serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap())
}

async fn issue(gate: &Gate, client: &str, secret: &str) -> Result<String, (u16, String)> {
    let body = format!("grant_type=client_credentials&client_id={client}&client_secret={secret}&scope=read");
    let (status, body) = post(gate, Endpoint::Token, &body).await;
    match body["access_token"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => Err((status.as_u16(), body["error"].as_str().unwrap().to_owned())),
    }
}

fn refused(status: u16, code: &str) -> Result<String, (u16, String)> {
    Err((status, code.to_owned()))
}

fn try_token(gate: &Gate, token: &str) -> Result<Permit, Denial> {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    gate.authorize(&headers, &Requirement::All(Scopes::parse("read").unwrap()))
}

#[tokio::test]
async fn a_token_works_until_the_millisecond_it_expires() {
    let (gate, clock) = gate(vec![client("server", &[("1", "Password1", None)])]);
    let token = issue(&gate, "server", "Password1").await.unwrap();
    assert_eq!(try_token(&gate, &token).unwrap().client_id(), Some("server"));
    clock.advance(298_999);
    assert!(try_token(&gate, &token).is_ok());
    clock.advance(1);
    assert_eq!(try_token(&gate, &token).err(), Some(Denial::InvalidToken));
}

#[tokio::test]
async fn a_wrong_secret_an_unknown_and_a_disabled_client_get_the_same_response() {
    let mut off = client("off", &[("1", "s", None)]);
    off.policy.enabled = false;
    let (gate, _) = gate(vec![client("server", &[("1", "s", None)]), off]);
    for (id, secret) in [("server", "wrong"), ("nobody", "s"), ("off", "s"), ("Server", "s")] {
        assert_eq!(issue(&gate, id, secret).await, refused(401, "invalid_client"), "{id}");
    }
}

#[tokio::test]
async fn a_pair_that_fails_too_often_waits_but_a_remembered_secret_never_does() {
    let (gate, clock) =
        gate(vec![client("server", &[("1", "good", None)]), client("new", &[("1", "good", None)])]);
    issue(&gate, "server", "good").await.unwrap();
    for id in ["server", "new"] {
        for _ in 0..10 {
            assert_eq!(issue(&gate, id, "bad").await, refused(401, "invalid_client"));
        }
        assert_eq!(issue(&gate, id, "bad").await, refused(429, "temporarily_unavailable"));
    }
    assert!(issue(&gate, "server", "good").await.is_ok(), "remembered as good");
    assert_eq!(issue(&gate, "new", "good").await, refused(429, "temporarily_unavailable"));
    clock.advance(60_000);
    assert!(issue(&gate, "new", "good").await.is_ok());
}

#[tokio::test]
async fn a_client_has_at_most_as_many_live_tokens_as_the_limit_says() {
    let clock = Arc::new(FakeClock::default());
    let spec = GateSpec {
        max_tokens_per_client: 3,
        ..spec(vec![client("a", &[("1", "s", None)]), client("b", &[("1", "s", None)])])
    };
    let gate = Gate::builder(spec)
        .clock(Arc::<FakeClock>::clone(&clock))
        .max_tokens(5)
        .hashing_threads(1)
        .build()
        .unwrap();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(issue(&gate, "a", "s").await.unwrap());
    }
    let full = refused(503, "temporarily_unavailable");
    assert_eq!(issue(&gate, "a", "s").await, full);
    assert!(issue(&gate, "b", "s").await.is_ok() && issue(&gate, "b", "s").await.is_ok());
    assert_eq!(issue(&gate, "b", "s").await, full, "five in all");
    assert!(tokens.iter().all(|token| try_token(&gate, token).is_ok()), "nothing was evicted");
    // Revoking a token makes room for another one.
    let body = format!("client_id=a&client_secret=s&token={}", tokens[0]);
    assert_eq!(post(&gate, Endpoint::Revocation, &body).await.0, StatusCode::OK);
    assert!(issue(&gate, "a", "s").await.is_ok());
    assert_eq!(issue(&gate, "a", "s").await, full);
}

#[tokio::test]
async fn revocation_is_for_ones_own_tokens() {
    let (gate, _) = gate(vec![client("a", &[("1", "s", None)]), client("b", &[("1", "s", None)])]);
    let token = issue(&gate, "a", "s").await.unwrap();
    let revoke = |id: &str, token: &str| format!("client_id={id}&client_secret=s&token={token}");
    let done = (StatusCode::OK, serde_json::json!({}));
    assert_eq!(post(&gate, Endpoint::Revocation, &revoke("b", &token)).await, done);
    assert!(try_token(&gate, &token).is_ok());
    assert_eq!(post(&gate, Endpoint::Revocation, &revoke("a", "unknown")).await, done);
    assert_eq!(post(&gate, Endpoint::Revocation, &revoke("a", &token)).await, done);
    assert_eq!(try_token(&gate, &token).err(), Some(Denial::InvalidToken));
    // A hint only helps to find a token (RFC 7009 §2.1). An unknown token is taken for what the hint says.
    let hinted = |token: &str| format!("{}&token_type_hint=refresh_token", revoke("a", token));
    assert_eq!(post(&gate, Endpoint::Revocation, &hinted(&token)).await, done);
    assert_eq!(post(&gate, Endpoint::Revocation, &hinted("x")).await.1["error"], "unsupported_token_type");
}

#[tokio::test]
async fn introspection_describes_a_live_token_and_reveals_nothing_about_others() {
    let (gate, clock) = gate(vec![client("a", &[("1", "s", None)])]);
    let token = issue(&gate, "a", "s").await.unwrap();
    clock.advance(10_000);
    let ask = |token: &str| format!("client_id=a&client_secret=s&token={token}");
    let expected = serde_json::json!({
        "active": true, "client_id": "a", "scope": "read", "token_type": "bearer", "exp": 1_800_000_299_u64,
        "iat": 1_800_000_000_u64, "nbf": 1_800_000_000_u64, "iss": "https://localhost:8443", "sub": "a",
    });
    assert_eq!(post(&gate, Endpoint::Introspection, &ask(&token)).await, (StatusCode::OK, expected));
    let inactive = (StatusCode::OK, serde_json::json!({"active": false}));
    assert_eq!(post(&gate, Endpoint::Introspection, &ask("tg_x")).await, inactive);
    clock.advance(289_000);
    assert_eq!(post(&gate, Endpoint::Introspection, &ask(&token)).await, inactive);
}

#[tokio::test]
async fn a_reload_keeps_tokens_except_those_of_removed_clients() {
    let both = || vec![client("a", &[("1", "s", None)]), client("b", &[("1", "s", None)])];
    let (gate, _) = gate(both());
    let (a, b) = (issue(&gate, "a", "s").await.unwrap(), issue(&gate, "b", "s").await.unwrap());
    gate.reload(spec(both()));
    assert!(try_token(&gate, &a).is_ok() && try_token(&gate, &b).is_ok());
    let mut off = client("a", &[("1", "s", None)]);
    off.policy.enabled = false;
    gate.reload(spec(vec![off]));
    for token in [&a, &b] {
        assert_eq!(try_token(&gate, token).err(), Some(Denial::InvalidToken));
    }
    gate.reload(spec(both()));
    assert_eq!(try_token(&gate, &a).err(), Some(Denial::InvalidToken), "a revoked token stays revoked");
    // RFC 7662 §4: "the authorization server MUST determine whether or not the token has been revoked".
    let ask = format!("client_id=a&client_secret=s&token={b}");
    let inactive = (StatusCode::OK, serde_json::json!({"active": false}));
    assert_eq!(post(&gate, Endpoint::Introspection, &ask).await, inactive);
    assert!(issue(&gate, "a", "s").await.is_ok());
    assert!(gate.revoke_all("b") && !gate.revoke_all("nobody"));
}
