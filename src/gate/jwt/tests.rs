use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, Method, Request};
use serde_json::Value;

use super::*;
use crate::clock::ManualClock;
use crate::gate::question::NO_ANSWERS;
use crate::gate::{ClientSpec, Gate, GateSpec};
use crate::oauth::decide::Identity;
use crate::oauth::evidence::{Credentials, Evidence};
use crate::oauth::jose::SigningAlgorithm;
use crate::oauth::scope::{Demand, Requirement};
use crate::oauth::token::AccessToken;
use crate::response::body;

const NOW: u64 = 1_800_000_000;

struct Headers(HeaderMap);

impl Credentials for Headers {
    fn authorization(&self) -> impl Iterator<Item = &[u8]> {
        self.0.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes)
    }

    fn proofs(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }
}

struct Setup {
    gate: Gate,
    clock: Arc<ManualClock>,
    audience: Arc<str>,
}

fn spec(lifetime: u64) -> GateSpec {
    let client = |id| ClientSpec::with_id(id).unwrap().scopes(["read", "write"]).unwrap();
    let mut spec =
        GateSpec::new("https://gateway.example.com").client(client("shop")).client(client("other"));
    spec.jwt = Some(JwtPolicy { lifetime: Duration::from_secs(lifetime) });
    spec
}

fn key(algorithm: SigningAlgorithm) -> Arc<SigningKey> {
    Arc::new(SigningKey::from_pkcs8(&SigningKey::generate(algorithm).unwrap()).unwrap())
}

fn ring(signing: &Arc<SigningKey>, published: &[&Arc<SigningKey>]) -> Arc<KeyRing> {
    let published: Vec<_> = published.iter().map(|key| Arc::clone(key)).collect();
    Arc::new(KeyRing::new(Arc::clone(signing), None, &published, Duration::from_secs(60)))
}

impl Setup {
    fn new(lifetime: u64) -> Self {
        let clock = Arc::new(ManualClock::new(Duration::from_millis(NOW * 1_000 + 400)));
        let gate = Gate::builder(spec(lifetime)).clock(clock.clone()).build_without_threads().unwrap();
        gate.set_signing_keys(ring(&key(SigningAlgorithm::Es256), &[]));
        Self { gate, clock, audience: "orders".into() }
    }

    fn token(&self, scopes: &'static str) -> AccessToken {
        self.gate.issue_to("shop", scopes).unwrap()
    }

    /// Returns the JWT of a request with a token, or the code of the refusal.
    fn jwt(&self, token: &AccessToken) -> Result<String, Option<&'static str>> {
        let bearer = format!("Bearer {}", token.expose()).parse().unwrap();
        let credentials = Headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]));
        let mut identity = Identity::default();
        let demand = Demand::from(Requirement::AnyToken);
        let evidence = Evidence::default();
        let audience = &self.audience;
        let leased =
            self.gate.lease_with_jwt(&credentials, &demand, &evidence, &mut identity, &NO_ANSWERS, audience);
        match leased {
            Ok(_) => Ok(identity.authorization().strip_prefix("Bearer ").unwrap().to_owned()),
            Err(undecided) => {
                assert!(identity.authorization().is_empty(), "{identity:?}");
                Err(undecided.without_waiting().code())
            }
        }
    }

    fn signed(&self) -> u64 {
        self.gate.jwt_stats().signed
    }
}

fn part(jwt: &str, index: usize) -> Value {
    let part = jwt.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn exp(jwt: &str) -> u64 {
    part(jwt, 1)["exp"].as_u64().unwrap()
}

#[test]
fn a_token_has_one_jwt_that_never_outlives_it() {
    let setup = Setup::new(300);
    let token = setup.token("read");
    let first = setup.jwt(&token).unwrap();
    let claims = part(&first, 1);
    assert_eq!((&claims["iat"], &claims["exp"]), (&NOW.into(), &(NOW + 299).into()), "rounded down");
    assert_eq!((&claims["iss"], &claims["aud"]), (&"https://gateway.example.com".into(), &"orders".into()));
    assert_eq!((&claims["sub"], &claims["client_id"]), (&"shop".into(), &"shop".into()));
    assert_eq!(claims["scope"], "read");
    assert_eq!(part(&first, 0)["typ"], "at+jwt");
    // A millisecond before the token ends, and after it.
    setup.clock.advance(Duration::from_millis(298_999));
    assert_eq!(setup.jwt(&token).unwrap(), first);
    setup.clock.advance(Duration::from_millis(1));
    assert_eq!(setup.jwt(&token), Err(Some("invalid_token")));
    assert_eq!(setup.signed(), 1);
}

#[test]
fn a_revoked_token_has_no_jwt_and_the_end_of_a_grant_removes_its_jwts() {
    let setup = Setup::new(300);
    let (token, other) = (setup.token("read"), setup.token("write"));
    setup.jwt(&token).unwrap();
    setup.jwt(&other).unwrap();
    assert_eq!(setup.gate.jwt_stats().kept, 2);
    // The client may not have the scope any more: the grant ends.
    let mut narrower = spec(300);
    narrower.clients[0] = ClientSpec::with_id("shop").unwrap().scopes("write").unwrap();
    setup.gate.reload(narrower);
    assert_eq!(setup.jwt(&token), Err(Some("invalid_token")));
    assert_eq!(setup.gate.jwt_stats().kept, 1);
    setup.jwt(&other).unwrap();
    setup.gate.revoke_all("shop");
    assert_eq!(setup.jwt(&other), Err(Some("invalid_token")));
    assert_eq!(setup.signed(), 2);
}

#[test]
fn the_jwts_of_a_grant_go_with_its_last_token() {
    let setup = Setup::new(300);
    let token = setup.token("read");
    setup.jwt(&token).unwrap();
    assert_eq!(setup.gate.jwt_stats().kept, 1);
    setup.clock.advance(Duration::from_secs(301));
    while setup.gate.inner.store.sweep(setup.gate.clock().now(), 1_000, &mut |record| record.release()) {}
    assert_eq!(setup.gate.jwt_stats().kept, 0);
}

#[test]
fn without_a_key_a_request_is_refused_and_not_forwarded() {
    let clock = Arc::new(ManualClock::new(Duration::from_secs(NOW)));
    let gate = Gate::builder(spec(300)).clock(clock.clone()).build_without_threads().unwrap();
    let setup = Setup { gate, clock, audience: "orders".into() };
    assert_eq!(setup.jwt(&setup.token("read")), Err(None), "503, which has no code");
}

#[test]
fn a_published_key_keeps_its_jwts_and_a_removed_one_does_not() {
    let setup = Setup::new(300);
    let (old, new) = (key(SigningAlgorithm::Es256), key(SigningAlgorithm::EdDsa));
    setup.gate.set_signing_keys(ring(&old, &[]));
    let token = setup.token("read");
    let before = setup.jwt(&token).unwrap();
    setup.gate.set_signing_keys(ring(&old, &[&new]));
    assert_eq!(setup.jwt(&token).unwrap(), before);
    setup.gate.set_signing_keys(ring(&new, &[&old]));
    assert_eq!(setup.jwt(&token).unwrap(), before, "it is still good");
    let other = setup.jwt(&setup.token("write")).unwrap();
    assert_eq!(part(&other, 0)["kid"], new.kid());
    assert_eq!(part(&other, 0)["alg"], "EdDSA");
    setup.gate.set_signing_keys(ring(&new, &[]));
    let after = setup.jwt(&token).unwrap();
    assert_eq!(part(&after, 0)["kid"], new.kid());
}

#[test]
fn a_reload_that_changes_the_issuer_or_the_lifetime_signs_again() {
    let setup = Setup::new(300);
    let token = setup.token("read");
    let before = setup.jwt(&token).unwrap();
    setup.gate.reload(spec(300));
    assert_eq!(setup.jwt(&token).unwrap(), before);
    setup.gate.reload(spec(60));
    assert_eq!(exp(&setup.jwt(&token).unwrap()), NOW + 60);
    let renamed = GateSpec { issuer: "https://other.example.com".to_owned(), ..spec(60) };
    setup.gate.reload(renamed);
    assert_eq!(part(&setup.jwt(&token).unwrap(), 1)["iss"], "https://other.example.com");
}

#[test]
fn openssl_keys_are_read_and_others_are_refused() {
    // openssl genpkey -algorithm ed25519, and an Ed25519 key of ring with the public half.
    let seed =
        [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &[7; 32]].concat();
    assert_eq!(SigningKey::from_pkcs8(&seed).unwrap().algorithm(), SigningAlgorithm::EdDsa);
    for bad in [&b""[..], b"-----BEGIN", &seed[..20], &[0x30; 64]] {
        assert_eq!(SigningKey::from_pkcs8(bad).err(), Some(SigningKeyError::Unsupported));
    }
}

#[test]
fn the_key_set_can_be_cached() {
    let setup = Setup::new(300);
    let answer = |method: Method, tag: Option<&str>| {
        let mut request = Request::builder().method(method);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        setup.gate.inner.jwt.respond(&request.body(()).unwrap().into_parts().0)
    };
    let full = answer(Method::GET, None);
    assert_eq!(
        (full.status().as_u16(), &full.headers()["cache-control"]),
        (200, &"public, max-age=60".parse().unwrap())
    );
    let keys: Value = serde_json::from_slice(&body(&full)).unwrap();
    let key = &keys["keys"][0];
    assert_eq!((&key["use"], &key["alg"], &key["kty"]), (&"sig".into(), &"ES256".into(), &"EC".into()));
    assert!(key.get("d").is_none());
    let tag = full.headers()[ETAG].to_str().unwrap().to_owned();
    for same in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let answer = answer(Method::GET, Some(&same));
        assert_eq!((answer.status().as_u16(), body(&answer).len()), (304, 0), "{same}");
        assert_eq!(answer.headers()[ETAG], *tag);
    }
    assert_eq!(answer(Method::GET, Some("\"x\"")).status(), 200);
    assert_eq!(answer(Method::POST, None).status(), 405);
}
