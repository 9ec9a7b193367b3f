//! Clients that sign (RFC 7523) or show a certificate (RFC 8705). The clock starts at 1,800,000,000.

use super::*;
use crate::gate::ThrottlePolicy;
use crate::oauth::certificate::Subject;
use crate::oauth::client_auth::JWT_BEARER;
use crate::oauth::evidence::PeerCertificate;
use crate::oauth::jose::Jwks;
use crate::oauth::jose::testing::{TestKey, tampered};
use crate::oauth::thumbprint::Thumbprint;

const ISSUER: &str = "https://localhost:8443";
const TOKEN_URL: &str = "https://localhost:8443/oauth/v2/oauth-token";

/// A client without a secret.
fn bare(id: &str) -> ClientSpec {
    let mut spec = client(id, &[]);
    spec.secret_methods.clear();
    spec
}

fn signer(id: &str, key: &TestKey) -> ClientSpec {
    ClientSpec { keys: Some(KeySource::Inline(Jwks::from(key.public()))), ..bare(id) }
}

/// Claims that live for a minute.
fn claims(subject: &str, jti: &str, issued: u64) -> String {
    let expires = issued + 60;
    format!(
        r#"{{"iss":"{subject}","sub":"{subject}","aud":"{ISSUER}","jti":"{jti}","iat":{issued},"exp":{expires}}}"#
    )
}

fn sign(key: &TestKey, claims: &str) -> String {
    key.sign(&format!(r#"{{"alg":"{}"}}"#, key.algorithm()), claims)
}

fn with_assertion(assertion: &str, rest: &str) -> String {
    format!(
        "grant_type=client_credentials&client_assertion_type={JWT_BEARER}&client_assertion={assertion}{rest}"
    )
}

/// Returns the status and the error code, which is empty for 200.
async fn ask(gate: &Gate, assertion: &str) -> (u16, String) {
    ask_with(gate, assertion, "").await
}

async fn ask_with(gate: &Gate, assertion: &str, rest: &str) -> (u16, String) {
    let (status, body) = post(gate, Endpoint::Token, &with_assertion(assertion, rest)).await;
    (status.as_u16(), body["error"].as_str().unwrap_or_default().to_owned())
}

fn verdict(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn good() -> (u16, String) {
    verdict(200, "")
}

fn unauthenticated() -> (u16, String) {
    verdict(401, "invalid_client")
}

#[tokio::test]
async fn every_algorithm_gets_a_token() {
    let keys = [("es", TestKey::p256()), ("ed", TestKey::ed25519()), ("rs", TestKey::rsa())];
    let (gate, _) = gate(keys.iter().map(|(id, key)| signer(id, key)).collect());
    for (id, key) in &keys {
        assert_eq!(ask(&gate, &sign(key, &claims(id, "1", 1_800_000_000))).await, good(), "{id}");
    }
    let (id, rsa) = &keys[2];
    let pss = crate::oauth::jose::Algorithm::Ps256;
    let pss = rsa.sign_as(pss, r#"{"alg":"PS256"}"#, &claims(id, "2", 1_800_000_000));
    assert_eq!(ask(&gate, &pss).await, good());
}

#[tokio::test]
async fn assertions_must_meet_rfc_7523_section_3() {
    let key = TestKey::ed25519();
    let patient = GateSpec {
        throttle: ThrottlePolicy { failures: 100, ..ThrottlePolicy::default() },
        ..spec(vec![signer("a", &key), signer("b", &key)])
    };
    let (gate, _) = old_gate_of(patient);
    let claims = claims("a", "JTI", 1_800_000_000);
    let row = |from: &'static str, to: &'static str, good: bool| (from, to, good);
    let rows = [
        // 1, 2B: iss and sub are the client.
        row(r#""iss":"a""#, r#""iss":"b""#, false),
        row(r#""iss":"a","#, "", false),
        row(r#""sub":"a","#, "", false),
        // 3: aud names us, by the issuer or by an endpoint.
        row(ISSUER, TOKEN_URL, true),
        row(ISSUER, "https://localhost:8443/oauth/v2/oauth-introspect", true),
        row(ISSUER, "https://localhost:8443/", false),
        row(ISSUER, "https://other.example", false),
        row(r#""aud":"https://localhost:8443","#, "", false),
        // 4: exp.
        row(r#","exp":1800000060"#, "", false),
        row("1800000060", "1799999970", false),
        row("1800000060", "1799999971", true),
        // Not for longer than its jti is kept.
        row("1800000060", "1800003601", false),
        // 5, 6: nbf and iat.
        row(r#""iat":1800000000"#, r#""nbf":1800000031"#, false),
        row(r#""iat":1800000000"#, r#""iat":1800000031"#, false),
        row(r#""iat":1800000000,"#, "", true),
        // 7: jti.
        row(r#""jti":"JTI","#, "", false),
    ];
    for (number, (from, to, expected)) in rows.into_iter().enumerate() {
        // Each has a `jti` of its own, so that none is refused as a replay.
        let changed = claims.replace(from, to).replace("JTI", &format!("row-{number}"));
        let expected = if expected { good() } else { unauthenticated() };
        assert_eq!(ask(&gate, &sign(&key, &changed)).await, expected, "{from} -> {to}");
    }
    // 9: the signature.
    let whole = sign(&key, &claims);
    assert_eq!(ask(&gate, &tampered(&whole, whole.len() - 10)).await, unauthenticated());
    assert_eq!(ask(&gate, &sign(&TestKey::ed25519(), &claims)).await, unauthenticated());
    let unsigned = format!("{}.", key.sign(r#"{"alg":"none"}"#, &claims).rsplit_once('.').unwrap().0);
    assert_eq!(ask(&gate, &unsigned).await, unauthenticated());
    // RFC 7521 §4.2: a client_id beside it is the same client.
    assert_eq!(ask_with(&gate, &whole, "&client_id=b").await, unauthenticated());
    assert_eq!(ask_with(&gate, &whole, "&client_id=a").await, good());
}

#[tokio::test]
async fn an_assertion_is_good_once() {
    let key = TestKey::p256();
    let (gate, clock) = gate(vec![signer("a", &key), signer("b", &key)]);
    let first = sign(&key, &claims("a", "same", 1_800_000_000));
    assert_eq!(ask(&gate, &first).await, good());
    assert_eq!(ask(&gate, &first).await, unauthenticated(), "RFC 7523 §3, 7");
    // It is refused at another endpoint too, and so is another assertion with its `jti`. The `jti` of another
    // client is another name.
    let introspect = with_assertion(&first, "&token=x");
    assert_eq!(post(&gate, Endpoint::Introspection, &introspect).await.0, 401);
    let again = sign(&key, &claims("a", "same", 1_800_000_001));
    assert_eq!(ask(&gate, &again).await, unauthenticated());
    assert_eq!(ask(&gate, &sign(&key, &claims("b", "same", 1_800_000_000))).await, good());
    // It is refused until the end of its lifetime.
    clock.advance(89_999);
    assert_eq!(ask(&gate, &first).await, unauthenticated());
    clock.advance(40_001);
    assert_eq!(ask(&gate, &sign(&key, &claims("a", "same", 1_800_000_130))).await, good());
}

#[tokio::test]
async fn a_client_has_the_methods_its_configuration_names_and_no_other() {
    let key = TestKey::ed25519();
    let mut off = signer("off", &key);
    off.policy.enabled = false;
    let (gate, _) = gate(vec![signer("signs", &key), client("shares", &[("1", "s", None)]), off]);
    for id in ["shares", "off", "nobody"] {
        let assertion = sign(&key, &claims(id, "1", 1_800_000_000));
        assert_eq!(ask(&gate, &assertion).await, unauthenticated(), "{id}");
    }
    assert_eq!(issue(&gate, "signs", "s").await, refused(401, "invalid_client"));
    assert_eq!(issue(&gate, "signs", "").await, refused(401, "invalid_client"));
    for id in ["signs", "shares"] {
        let alone = format!("grant_type=client_credentials&client_id={id}");
        assert_eq!(post(&gate, Endpoint::Token, &alone).await.0, 401, "{id}");
    }
    assert_eq!(ask(&gate, &sign(&key, &claims("signs", "1", 1_800_000_000))).await, good());
}

/// A signature cannot be guessed, so wrong signatures throttle nobody at the address: neither the holder of
/// the key nor clients with a secret.
#[tokio::test]
async fn forged_assertions_get_the_same_response_and_lock_no_client_out() {
    let (key, stranger) = (TestKey::ed25519(), TestKey::ed25519());
    let (gate, _) = gate(vec![signer("a", &key), signer("b", &key), client("shares", &[("1", "s", None)])]);
    let first = (
        StatusCode::UNAUTHORIZED,
        serde_json::json!({"error": "invalid_client", "error_description": "client authentication failed"}),
    );
    // More attempts than an address may fail with secrets, and more than are verified at once. The rest waits
    // turn.
    for number in 0..130 {
        for id in ["a", "nobody"] {
            let assertion = sign(&stranger, &claims(id, &number.to_string(), 1_800_000_000));
            let answer = post(&gate, Endpoint::Token, &with_assertion(&assertion, "")).await;
            assert_eq!(answer, first, "{id} {number}");
        }
    }
    for id in ["a", "b"] {
        assert_eq!(ask(&gate, &sign(&key, &claims(id, "genuine", 1_800_000_000))).await, good(), "{id}");
        assert_eq!(ask(&gate, &sign(&key, &claims(id, "genuine", 1_800_000_000))).await, unauthenticated());
    }
    assert!(issue(&gate, "shares", "s").await.is_ok());
}

#[tokio::test]
async fn keys_at_a_url_are_called_for_and_outlive_a_reload() {
    let (old, new) = (TestKey::ed25519(), TestKey::ed25519());
    let url = "https://client.example/jwks.json";
    let spec = |id: &str| ClientSpec { keys: Some(KeySource::Uri(url.to_owned())), ..bare(id) };
    let (gate, _) = gate(vec![spec("a"), spec("b")]);
    let set = |kid: &str, key: &TestKey| {
        Jwks::parse(format!(r#"{{"keys":[{}]}}"#, key.jwk(&format!(r#","kid":"{kid}""#))).as_bytes()).unwrap()
    };
    let assertion = |jti: &str, kid: &str, key: &TestKey| {
        key.sign(&format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#), &claims("a", jti, 1_800_000_000))
    };
    let [remote] = &gate.remote_keys()[..] else { panic!("one URL is one set") };
    assert_eq!(remote.uri(), url);
    assert_eq!(ask(&gate, &assertion("1", "old", &old)).await, unauthenticated(), "nothing fetched yet");
    assert!(!remote.is_wanted(), "it is on its way in any case");
    remote.replace(set("old", &old));
    assert_eq!(ask(&gate, &assertion("2", "old", &old)).await, good());
    assert!(!remote.is_wanted());

    // An unknown `kid` starts a fetch of the keys. The request is refused.
    let call = gate.keys_called_for();
    assert_eq!(ask(&gate, &assertion("3", "new", &new)).await, unauthenticated());
    call.await;
    assert!(remote.take_wanted() && !remote.is_wanted());
    // The last fetched keys stay in use, because no others can be fetched here.
    assert_eq!(ask(&gate, &assertion("4", "old", &old)).await, good());
    gate.reload(super::spec(vec![spec("a")]));
    assert_eq!(ask(&gate, &assertion("5", "old", &old)).await, good(), "kept over a reload");
    gate.remote_keys()[0].replace(set("new", &new));
    assert_eq!(ask(&gate, &assertion("6", "new", &new)).await, good());
    assert_eq!(ask(&gate, &assertion("7", "old", &old)).await, unauthenticated(), "the client took it back");
}

const PLAIN: &[u8] = include_bytes!("../../../tests/certificates/plain.der");
const FULL: &[u8] = include_bytes!("../../../tests/certificates/full.der");

async fn ask_over(gate: &Gate, id: &str, der: Option<&[u8]>, verified: bool) -> u16 {
    let sha256 = der.map(|der| *Thumbprint::of(der).as_bytes());
    let certificate = der.zip(sha256.as_ref()).map(|(der, sha256)| PeerCertificate { der, sha256, verified });
    let origin = Origin { certificate, ..Origin::from_address([127, 0, 0, 1].into()) };
    let body = format!("grant_type=client_credentials&client_id={id}");
    post_from(gate, Endpoint::Token, &[], &body, origin).await.0.as_u16()
}

#[tokio::test]
async fn certificates_by_name_and_by_thumbprint() {
    let named = |id: &str, subject| ClientSpec { certificate_subject: Some(subject), ..bare(id) };
    let clients = || {
        let thumbprint = Some(*Thumbprint::of(PLAIN).as_bytes());
        let mut off = named("off", Subject::dn("CN=plain").unwrap());
        off.policy.enabled = false;
        vec![
            named("dn", Subject::dn("CN=plain").unwrap()),
            named("dns", Subject::Dns("client.example.com".into())),
            ClientSpec { certificate_thumbprint: thumbprint, ..bare("self") },
            client("secret", &[("1", "s", None)]),
            off,
        ]
    };
    let (gate, _) = gate(clients());
    let rows = [
        // RFC 8705 §2.1: the name counts in a certificate of a trusted authority.
        ("dn", Some(PLAIN), true, 200),
        ("dn", Some(PLAIN), false, 401),
        ("dn", Some(FULL), true, 401),
        ("dn", None, false, 401),
        ("dns", Some(FULL), true, 200),
        ("dns", Some(PLAIN), true, 401),
        // RFC 8705 §2.2: the certificate itself counts, whoever has signed it.
        ("self", Some(PLAIN), false, 200),
        ("self", Some(PLAIN), true, 200),
        ("self", Some(FULL), true, 401),
        ("self", None, false, 401),
        // Only the methods of the client are accepted.
        ("secret", Some(PLAIN), true, 401),
        ("off", Some(PLAIN), true, 401),
        ("nobody", Some(PLAIN), true, 401),
        // This is not a certificate.
        ("dn", Some(b"\x30\x00"), true, 401),
    ];
    for (id, der, verified, status) in rows {
        let shown = der.map(<[u8]>::len);
        assert_eq!(ask_over(&gate, id, der, verified).await, status, "{id} {shown:?} {verified}");
    }
    // A missing or wrong certificate costs no hash, so it never counts towards the throttle.
    for _ in 0..1_100 {
        assert_eq!(ask_over(&gate, "self", None, false).await, 401);
    }
    assert_eq!(ask_over(&gate, "self", Some(PLAIN), false).await, 200);
}

#[tokio::test]
async fn metadata_names_the_methods_that_some_client_has() {
    let document = |gate: &Gate| gate.settings().authorization_server.clone();
    let (with_secrets, _) = gate(vec![client("a", &[("1", "s", None)])]);
    let server = document(&with_secrets);
    let names = "token_endpoint_auth_methods_supported";
    assert_eq!(server[names], serde_json::json!(["client_secret_basic", "client_secret_post"]));
    assert_eq!(server["token_endpoint_auth_signing_alg_values_supported"], Value::Null);
    assert_eq!(server["tls_client_certificate_bound_access_tokens"], Value::Null);
    // RFC 9449 §5.1: a request with a proof gets a bound token.
    let algorithms = serde_json::json!(["ES256", "EdDSA", "Ed25519", "RS256", "PS256"]);
    assert_eq!(server["dpop_signing_alg_values_supported"], algorithms);

    let mut bound = bare("tls");
    bound.certificate_subject = Some(Subject::dn("CN=a").unwrap());
    bound.certificate_bound_tokens = true;
    let own = ClientSpec { certificate_thumbprint: Some([0; 32]), ..bare("own") };
    let (gate, _) = gate(vec![signer("signs", &TestKey::p256()), bound, own]);
    let server = document(&gate);
    let methods = ["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"];
    assert_eq!(server[names], serde_json::json!(methods));
    assert_eq!(server["token_endpoint_auth_signing_alg_values_supported"], algorithms, "RFC 8414 §2");
    assert_eq!(server["tls_client_certificate_bound_access_tokens"], true, "RFC 8705 §3.3");
    let resource = gate.settings().protected_resource.clone();
    assert_eq!(resource["tls_client_certificate_bound_access_tokens"], true, "RFC 9728 §2");
    assert_eq!(resource["dpop_signing_alg_values_supported"], algorithms);
}
