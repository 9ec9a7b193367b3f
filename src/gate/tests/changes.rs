//! The effect of a reload that changes a client on the tokens of the client. Each test is a row of the table
//! in docs/tokens-and-clients.md, once with a running gate and once with two gates, one after the other.

use super::stopped::Restarts;
use super::*;
use crate::oauth::certificate::Subject;
use crate::oauth::evidence::{Evidence, PeerCertificate};
use crate::oauth::grant::{Confirmation, Terms};
use crate::oauth::jose::Jwks;
use crate::oauth::jose::testing::TestKey;
use crate::oauth::scope::Demand;

const ORDERS: &str = "https://orders.example";
const CERTIFICATE: [u8; 32] = [7; 32];

/// A client with every kind of setting that tokens depend on.
fn full() -> ClientSpec {
    let mut spec = client("a", &[("1", "s", None), ("2", "t", None)]);
    spec.audiences = vec![ORDERS.to_owned(), "https://stock.example".to_owned()];
    spec
}

/// Terms of a token with the scope `read`.
fn terms() -> Terms {
    Terms {
        scopes: Scopes::parse("read").unwrap(),
        lifetime: Duration::from_secs(299),
        audience: None,
        confirmation: None,
    }
}

/// Issues a token on `terms`, changes the client from `before` to `after`, and returns the answers to the
/// token of the old terms before and after the change.
fn changed(before: ClientSpec, after: ClientSpec, terms: Terms) -> (Gate, Arc<FakeClock>, String) {
    let (gate, clock) = gate_of(spec(vec![before]));
    let token = gate.issue_on("a", terms).unwrap().expose().to_owned();
    assert!(opens(&gate, &token), "before the change");
    gate.reload(spec(vec![after]));
    (gate, clock, token)
}

/// Whether a token opens a route that asks for `read`, over a connection with the certificate.
fn opens(gate: &Gate, token: &str) -> bool {
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    let certificate = PeerCertificate { der: b"", sha256: &CERTIFICATE, verified: true };
    let evidence = Evidence::default().over(certificate);
    let open = |audience: Option<&str>| {
        let mut demand = Demand::from(Requirement::All(Scopes::parse("read").unwrap()));
        demand.audience = audience.map(Into::into);
        gate.authorize_with(&headers, &demand, &evidence).is_ok()
    };
    open(None) || open(Some(ORDERS))
}

#[track_caller]
fn ends(before: ClientSpec, after: ClientSpec, terms: Terms) {
    let (gate, _, token) = changed(before.clone(), after.clone(), terms.clone());
    assert!(!opens(&gate, &token));
    // It stays ended when the old settings return.
    gate.reload(spec(vec![before.clone()]));
    assert!(!opens(&gate, &token), "it came back");

    let (restarts, token) = stopped(&before, terms.clone());
    assert!(!opens(&restarts.gate(vec![after.clone()]), &token), "after a restart");
    assert!(!opens(&restarts.gate(vec![before.clone()]), &token), "it came back after a restart");

    let (restarts, token) = stopped(&before, terms);
    restarts.gate(vec![before.clone()]).reload(spec(vec![after]));
    assert!(!opens(&restarts.gate(vec![before]), &token), "a reload ended it, and a restart revived it");
}

/// Issues a token on `terms` from a gate that has stopped.
fn stopped(client: &ClientSpec, terms: Terms) -> (Restarts, String) {
    let restarts = Restarts::new();
    let token = restarts.gate(vec![client.clone()]).issue_on("a", terms).unwrap().expose().to_owned();
    assert!(opens(&restarts.gate(vec![client.clone()]), &token), "an unchanged client keeps its tokens");
    (restarts, token)
}

#[track_caller]
fn stays(before: ClientSpec, after: ClientSpec, terms: Terms) {
    let (restarts, token) = stopped(&before, terms.clone());
    assert!(opens(&restarts.gate(vec![after.clone()]), &token), "after a restart");
    let (gate, clock, token) = changed(before, after, terms);
    assert!(opens(&gate, &token));
    clock.advance(298_999);
    assert!(opens(&gate, &token));
    clock.advance(1);
    assert!(!opens(&gate, &token));
}

fn with(change: impl FnOnce(&mut ClientSpec)) -> ClientSpec {
    let mut spec = full();
    change(&mut spec);
    spec
}

#[test]
fn a_removed_client_has_no_tokens() {
    let (gate, _) = gate_of(spec(vec![full()]));
    let token = gate.issue_on("a", terms()).unwrap().expose().to_owned();
    gate.reload(spec(vec![]));
    assert!(!opens(&gate, &token));
    gate.reload(spec(vec![full()]));
    assert!(!opens(&gate, &token));

    let (restarts, token) = stopped(&full(), terms());
    drop(restarts.gate(vec![]));
    assert!(!opens(&restarts.gate(vec![full()]), &token), "after a restart");
}

#[test]
fn a_disabled_client_has_no_tokens() {
    ends(full(), with(|client| client.policy.enabled = false), terms());
}

#[test]
fn another_generation_ends_all_tokens() {
    // The client was disabled and enabled, or removed and added, before the gateway read the file. Only the
    // generation differs.
    ends(full(), with(|client| client.token_generation = 1), terms());
    // The earlier file does not make them valid again.
    ends(with(|client| client.token_generation = 7), with(|client| client.token_generation = 6), terms());
}

#[test]
fn a_lost_scope_ends_the_tokens_that_have_it() {
    let both = Terms { scopes: Scopes::parse("read write").unwrap(), ..terms() };
    let after = || with(|client| client.policy.scopes = Scopes::parse("read").unwrap());
    ends(full(), after(), both);
    stays(full(), after(), terms());
}

#[test]
fn a_lost_audience_ends_the_tokens_for_it() {
    let after = || with(|client| client.audiences = vec!["https://stock.example".to_owned()]);
    ends(full(), after(), Terms { audience: Some(ORDERS.into()), ..terms() });
    stays(full(), after(), terms());
    stays(
        full(),
        with(|client| drop(client.audiences.pop())),
        Terms { audience: Some(ORDERS.into()), ..terms() },
    );
}

#[test]
fn the_capability_to_get_tokens_ends_with_the_tokens() {
    ends(full(), with(|client| client.policy.capabilities.client_credentials = false), terms());
    stays(full(), with(|client| client.policy.capabilities.introspection = false), terms());
}

#[test]
fn tokens_that_must_be_bound_now_end_unless_they_are() {
    let bound = || Terms { confirmation: Some(Confirmation::Certificate(CERTIFICATE)), ..terms() };
    let certified = || with(|client| client.certificate_bound_tokens = true);
    ends(full(), certified(), terms());
    stays(full(), certified(), bound());
    let keyed = || with(|client| client.dpop_bound_tokens = true);
    ends(full(), keyed(), terms());
    ends(full(), keyed(), bound());
    // Tokens stay bound if the client no longer has to bind them.
    stays(certified(), full(), bound());
}

#[tokio::test]
async fn tokens_that_are_bound_to_a_key_stay_if_they_must_be() {
    let (gate, _) = gate_of(spec(vec![full()]));
    let keyed = Terms { confirmation: Some(Confirmation::Key([1; 32])), ..terms() };
    let token = gate.issue_on("a", keyed).unwrap().expose().to_owned();
    gate.reload(spec(vec![with(|client| client.dpop_bound_tokens = true)]));
    let body = format!("client_id=a&client_secret=s&token={token}");
    assert_eq!(post(&gate, Endpoint::Introspection, &body).await.1["active"], true);
}

#[test]
fn a_lost_key_ends_all_tokens() {
    let (one, two) = (TestKey::ed25519(), TestKey::p256());
    let set = |keys: &[&TestKey]| {
        let keys: Vec<String> = keys.iter().map(|key| key.jwk("")).collect();
        KeySource::Inline(Jwks::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap())
    };
    let keyed = |source: KeySource| with(|client| client.keys = Some(source));
    ends(keyed(set(&[&one])), keyed(set(&[&two])), terms());
    ends(keyed(set(&[&one, &two])), keyed(set(&[&two])), terms());
    ends(keyed(set(&[&one])), full(), terms());
    stays(keyed(set(&[&one])), keyed(set(&[&two, &one])), terms());
    stays(full(), keyed(set(&[&one])), terms());
    let url = |url: &str| KeySource::Uri(url.to_owned());
    ends(keyed(url("https://a.example/keys")), keyed(url("https://b.example/keys")), terms());
    ends(keyed(set(&[&one])), keyed(url("https://a.example/keys")), terms());
    stays(keyed(url("https://a.example/keys")), keyed(url("https://a.example/keys")), terms());
}

#[test]
fn another_certificate_ends_all_tokens() {
    let named = |name: &str| with(|client| client.certificate_subject = Some(Subject::dn(name).unwrap()));
    ends(named("CN=a"), named("CN=b"), terms());
    ends(named("CN=a"), full(), terms());
    stays(full(), named("CN=a"), terms());
    let own = |byte: u8| with(|client| client.certificate_thumbprint = Some([byte; 32]));
    ends(own(1), own(2), terms());
    ends(own(1), full(), terms());
    stays(full(), own(1), terms());
}

#[test]
fn a_new_secret_leaves_the_tokens() {
    stays(full(), with(|client| client.secrets = super::client("a", &[("3", "u", None)]).secrets), terms());
    stays(full(), with(|client| client.secret_methods.truncate(1)), terms());
}

#[test]
fn a_shorter_lifetime_holds_for_tokens_that_are_issued_already() {
    let short = || with(|client| client.policy.token_lifetime = Duration::from_secs(60));
    let (gate, clock, token) = changed(full(), short(), terms());
    clock.advance(59_999);
    assert!(opens(&gate, &token));
    // A longer lifetime applies to new tokens only.
    gate.reload(spec(vec![full()]));
    let new = gate.issue_on("a", terms()).unwrap().expose().to_owned();
    clock.advance(1);
    assert!(!opens(&gate, &token) && opens(&gate, &new));
    clock.advance(298_998);
    assert!(opens(&gate, &new));
    stays(full(), with(|client| client.policy.token_lifetime = Duration::from_secs(600)), terms());

    // A token whose lifetime was shortened can still be ended.
    let (gate, _, token) = changed(full(), short(), terms());
    let mut narrow = short();
    narrow.policy.scopes = Scopes::parse("write").unwrap();
    gate.reload(spec(vec![narrow]));
    assert!(!opens(&gate, &token));
}

#[test]
fn a_client_that_may_do_more_keeps_its_tokens() {
    stays(full(), with(|client| client.policy.scopes = Scopes::parse("read write admin").unwrap()), terms());
    stays(full(), with(|client| client.policy.default_scopes = Scopes::parse("write").unwrap()), terms());
    let fewer = spec(vec![full()]).max_tokens_per_client(1);
    let (gate, _) = gate_of(spec(vec![full()]));
    let token = gate.issue_on("a", terms()).unwrap().expose().to_owned();
    gate.reload(fewer);
    assert!(opens(&gate, &token));
}

#[tokio::test]
async fn a_token_that_is_issued_during_a_change_has_only_what_the_new_settings_permit() {
    let (gate, _) = gate_of(spec(vec![full()]));
    // The settings of a request that was authenticated before the reload.
    let before = gate.settings_full();
    let client = before.clients.get("a").unwrap();
    gate.reload(spec(vec![with(|client| client.policy.scopes = Scopes::parse("read").unwrap())]));
    let write = Terms { scopes: Scopes::parse("write").unwrap(), ..terms() };
    assert_eq!(gate.issue_token(client, write).await.unwrap_err().status(), 503);
    assert!(gate.issue_token(client, terms()).await.is_ok());
    gate.reload(spec(vec![with(|client| client.token_generation = 1)]));
    assert!(gate.issue_token(client, terms()).await.is_err());
}
