//! Tokens bound to a key (RFC 9449) or to a certificate (RFC 8705 §3). The clock starts at 1,800,000,000.

use super::*;
use crate::oauth::denial::Mismatch;
use crate::oauth::evidence::{Evidence, PeerCertificate, Target};
use crate::oauth::jose::testing::TestKey;
use crate::oauth::scope::Demand;

const NOW: u64 = 1_800_000_000;
const TOKEN_URL: &str = "https://localhost:8443/oauth/v2/oauth-token";
const API_URL: &str = "https://api.example/orders";

/// A gate that has run for long, and is known by more names than its issuer's.
fn gate(clients: Vec<ClientSpec>) -> (Gate, Arc<FakeClock>) {
    let spec = spec(clients).public_origin("https://api.example").unwrap();
    old_gate_of(spec.public_origin("http://gateway.internal:8080").unwrap())
}

fn proof(key: &TestKey, claims: &str) -> String {
    let (algorithm, jwk) = (key.algorithm(), key.jwk(""));
    key.sign(&format!(r#"{{"typ":"dpop+jwt","alg":"{algorithm}","jwk":{jwk}}}"#), claims)
}

fn at_token_endpoint(key: &TestKey, jti: &str, issued: u64) -> String {
    proof(key, &format!(r#"{{"jti":"{jti}","htm":"POST","htu":"{TOKEN_URL}","iat":{issued}}}"#))
}

fn ath(token: &str) -> String {
    crate::oauth::thumbprint::Thumbprint::of(token.as_bytes()).to_string()
}

fn at_api(key: &TestKey, token: &str, jti: &str, issued: u64) -> String {
    let ath = ath(token);
    proof(key, &format!(r#"{{"jti":"{jti}","htm":"GET","htu":"{API_URL}","iat":{issued},"ath":"{ath}"}}"#))
}

fn certificate(sha256: &[u8; 32]) -> PeerCertificate<'_> {
    PeerCertificate { der: b"", sha256, verified: false }
}

/// Asks for a token with these headers on a connection with this certificate.
async fn ask(gate: &Gate, headers: &[(&str, &str)], shown: Option<&[u8; 32]>) -> (u16, Value) {
    let origin =
        Origin { certificate: shown.map(certificate), ..Origin::from_address([127, 0, 0, 1].into()) };
    let body = "grant_type=client_credentials&client_id=a&client_secret=s&scope=read";
    let (status, body) = post_from(gate, Endpoint::Token, headers, body, origin).await;
    (status.as_u16(), body)
}

fn token_of((status, body): &(u16, Value)) -> String {
    assert_eq!(*status, 200, "{body}");
    body["access_token"].as_str().unwrap().to_owned()
}

/// A GET of `API_URL` on a connection with this certificate.
fn get(gate: &Gate, fields: &[(&'static str, &str)], shown: Option<&[u8; 32]>) -> Result<Permit, Denial> {
    let fields = fields
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    let target = Target { method: &Method::GET, https: true, authority: "api.example", path: "/orders" };
    let evidence = Evidence { certificate: shown.map(certificate), target: Some(target) };
    let demand = Demand::from(Requirement::All(Scopes::parse("read").unwrap()));
    gate.authorize_with(&fields.collect(), &demand, &evidence)
}

fn with_proof(gate: &Gate, token: &str, proof: &str) -> Result<Permit, Denial> {
    get(gate, &[("authorization", &format!("DPoP {token}")), ("dpop", proof)], None)
}

/// The error code of a denial under the DPoP scheme, whose challenge must be of that scheme.
fn code(gate: &Gate, verdict: Result<Permit, Denial>) -> &'static str {
    let denial = verdict.expect_err("a permit");
    let answer = gate.refuse(&denial);
    assert_eq!(answer.status(), 401, "{denial:?}");
    let challenge = answer.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.starts_with("DPoP ") && challenge.contains("algs=\"ES256 EdDSA "), "{challenge}");
    denial.code().unwrap()
}

fn one_client() -> Vec<ClientSpec> {
    vec![client("a", &[("1", "s", None)])]
}

#[tokio::test]
async fn a_token_asked_for_with_a_proof_is_bound_to_its_key() {
    let (gate, clock) = gate(one_client());
    let (key, other) = (TestKey::p256(), TestKey::ed25519());
    let answer = ask(&gate, &[("dpop", &at_token_endpoint(&key, "1", NOW))], None).await;
    assert_eq!(answer.1["token_type"], "DPoP", "RFC 9449 §5");
    let token = token_of(&answer);
    let permit = with_proof(&gate, &token, &at_api(&key, &token, "2", NOW)).unwrap();
    assert!(permit.client_id() == Some("a") && permit.is_bound_to_key());

    // RFC 9449 §7.2: "MUST reject" it as a bearer token.
    let bearer = format!("Bearer {token}");
    let as_bearer = Err(Denial::NotHeld(Mismatch::KeyAsBearer));
    assert_eq!(get(&gate, &[("authorization", &bearer)], None).map(|_| ()), as_bearer);
    let both = [("authorization", &*bearer), ("dpop", &at_api(&key, &token, "3", NOW))];
    assert_eq!(get(&gate, &both, None).map(|_| ()), as_bearer);
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer.parse().unwrap())]);
    assert_eq!(gate.authorize(&headers, &Requirement::AnyToken).map(|_| ()), as_bearer);
    // A server that cannot check proofs does not support the scheme.
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, format!("DPoP {token}").parse().unwrap())]);
    assert_eq!(gate.authorize(&headers, &Requirement::AnyToken).err(), Some(Denial::Missing));

    // §7.1: a valid proof of another key does not help, because the token is bound to the first one.
    assert_eq!(code(&gate, with_proof(&gate, &token, &at_api(&other, &token, "4", NOW))), "invalid_token");
    // §6.2: introspection reports the key.
    let body = format!("client_id=a&client_secret=s&token={token}");
    let (_, told) = post(&gate, Endpoint::Introspection, &body).await;
    let jkt = key.public().thumbprint().to_string();
    assert_eq!((&told["token_type"], &told["cnf"]), (&"DPoP".into(), &serde_json::json!({ "jkt": jkt })));
    clock.advance(299_000);
    let late = at_api(&key, &token, "5", NOW + 299);
    assert_eq!(code(&gate, with_proof(&gate, &token, &late)), "invalid_token", "expired");
}

#[tokio::test]
async fn every_check_of_rfc_9449_section_4_3_at_the_api() {
    let (gate, clock) = gate(one_client());
    let key = TestKey::ed25519();
    let token = token_of(&ask(&gate, &[("dpop", &at_token_endpoint(&key, "1", NOW))], None).await);
    let plain = token_of(&ask(&gate, &[], None).await);
    let good =
        format!(r#"{{"jti":"JTI","htm":"GET","htu":"{API_URL}","iat":{NOW},"ath":"{}"}}"#, ath(&token));
    let of_other = ath(&plain);
    let rows = [
        ("GET", "POST", false), // 8
        ("GET", "get", false),
        (API_URL, "https://api.example/orders/7", false), // 9
        (API_URL, "http://api.example/orders", false),
        (API_URL, "https://api.example:444/orders", false),
        (API_URL, "https://API.example:443/orders?page=2", true),
        ("1800000000", "1799999939", false), // 11
        ("1800000000", "1799999940", true),
        ("1800000000", "1800000030", true),
        ("1800000000", "1800000031", false),
        (&*ath(&token), &*of_other, false), // 12
        (r#""jti":"JTI","#, "", false),     // 3
        (r#""htm":"GET","#, "", false),
        (r#","ath":""#, r#","hta":""#, false),
    ];
    for (number, (from, to, is_good)) in rows.into_iter().enumerate() {
        let claims = good.replace(from, to).replace("JTI", &format!("row-{number}"));
        assert_ne!(claims, good);
        let verdict = with_proof(&gate, &token, &proof(&key, &claims));
        if is_good {
            assert!(verdict.is_ok(), "{from} -> {to}: {verdict:?}");
        } else {
            assert_eq!(code(&gate, verdict), "invalid_dpop_proof", "{from} -> {to}");
        }
    }
    let (authorization, sign) = (format!("DPoP {token}"), |header: &str| key.sign(header, &good));
    let jwk = key.jwk("");
    let bad = [
        "no proof".to_owned(),
        sign(r#"{"typ":"dpop+jwt","alg":"EdDSA"}"#), // 7
        sign(&format!(r#"{{"typ":"JWT","alg":"EdDSA","jwk":{jwk}}}"#)), // 4
        sign(&format!(r#"{{"typ":"dpop+jwt","alg":"none","jwk":{jwk}}}"#)), // 5
        crate::oauth::jose::testing::tampered(&proof(&key, &good), 30), // 6
        format!(
            "{}.{}",
            proof(&key, &good).rsplit_once('.').unwrap().0,
            proof(&key, "{}").rsplit_once('.').unwrap().1
        ),
    ];
    for proof in bad {
        assert_eq!(code(&gate, with_proof(&gate, &token, &proof)), "invalid_dpop_proof", "{proof}");
    }
    // 1: exactly one header.
    let proof = proof(&key, &good);
    let one = [("authorization", &*authorization), ("dpop", &*proof)];
    assert_eq!(code(&gate, get(&gate, &one[..1], None)), "invalid_dpop_proof");
    let mut headers = HeaderMap::new();
    for (name, value) in [one[0], one[1], one[1]] {
        headers.append(name, value.parse().unwrap());
    }
    let target = Target { method: &Method::GET, https: true, authority: "api.example", path: "/orders" };
    let evidence = Evidence { certificate: None, target: Some(target) };
    let twice = gate.authorize_with(&headers, &Requirement::AnyToken.into(), &evidence);
    assert_eq!(code(&gate, twice), "invalid_dpop_proof");

    // §11.1: a proof is accepted once within its lifetime. The same `jti` of another key is another name.
    assert!(get(&gate, &one, None).is_ok());
    assert_eq!(code(&gate, get(&gate, &one, None)), "invalid_dpop_proof");
    clock.advance(60_999);
    assert_eq!(code(&gate, get(&gate, &one, None)), "invalid_dpop_proof");

    // An unbound token and an unknown token are refused under the DPoP scheme, also with a valid proof.
    for token in [&*plain, "tg_unknown"] {
        let proof = at_api(&key, token, "x", NOW + 60);
        assert_eq!(code(&gate, with_proof(&gate, token, &proof)), "invalid_token");
    }
    // A missing scope is still 403, with a challenge of the DPoP scheme.
    let demand = Demand::from(Requirement::All(Scopes::parse("write").unwrap()));
    let again = at_api(&key, &token, "write", NOW + 60);
    let headers = HeaderMap::from_iter([
        (header::AUTHORIZATION, authorization.parse().unwrap()),
        (http::HeaderName::from_static("dpop"), again.parse().unwrap()),
    ]);
    let denial = gate.authorize_with(&headers, &demand, &evidence).unwrap_err();
    assert_eq!((denial.status().as_u16(), denial.code()), (403, Some("insufficient_scope")));
}

#[tokio::test]
async fn proofs_at_the_token_endpoint_by_rfc_9449_section_5() {
    let mut must = client("a", &[("1", "s", None)]);
    must.dpop_bound_tokens = true;
    let (gate, _) = gate(vec![must]);
    let key = TestKey::p256();
    let refused =
        |(status, body): (u16, Value)| (status, body["error"].as_str().unwrap_or_default().to_owned());
    let bad = || (400, "invalid_dpop_proof".to_owned());
    // §5.2: "MUST reject token requests from the client that do not contain the DPoP header".
    assert_eq!(refused(ask(&gate, &[], None).await), bad());
    let claims =
        |htu: &str, jti: &str| format!(r#"{{"jti":"{jti}","htm":"POST","htu":"{htu}","iat":{NOW}}}"#);
    for (row, proof) in [
        "x".to_owned(),
        proof(&key, &claims("https://localhost:8443/oauth/v2/oauth-introspect", "1")),
        proof(&key, &claims(TOKEN_URL, "2").replace("POST", "GET")),
        at_token_endpoint(&key, "3", NOW - 61),
        at_token_endpoint(&key, "4", NOW + 31),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(refused(ask(&gate, &[("dpop", proof)], None).await), bad(), "row {row}");
    }
    let good = at_token_endpoint(&key, "5", NOW);
    assert_eq!(refused(ask(&gate, &[("dpop", &good), ("dpop", &good)], None).await), bad());
    let token = token_of(&ask(&gate, &[("dpop", &good)], None).await);
    assert_eq!(refused(ask(&gate, &[("dpop", &good)], None).await), bad(), "used before");
    // A proof for the token endpoint is refused at the API, and a proof for the API at the token endpoint.
    assert_eq!(code(&gate, with_proof(&gate, &token, &good)), "invalid_dpop_proof");

    // The proof names the URL of the request, whose host is not the issuer's.
    let inside = "http://gateway.internal:8080/oauth/v2/oauth-token";
    let elsewhere = "http://elsewhere.example:8080/oauth/v2/oauth-token";
    let rows = [
        (inside, "gateway.internal:8080", Some(false), 200),
        // The endpoint is the same under each of the gate's names.
        (inside, "gateway.internal:8080", Some(true), 200),
        (inside, "gateway.internal:8080", None, 200),
        (inside, "10.0.0.7", Some(false), 200),
        (inside, "api.example", Some(true), 200),
        (TOKEN_URL, "api.example", Some(true), 200),
        // The attack: a proof for another server, and the name of that server as the Host.
        (elsewhere, "elsewhere.example:8080", Some(false), 400),
        (elsewhere, "elsewhere.example:8080", None, 400),
        (elsewhere, "gateway.internal:8080", Some(false), 400),
    ];
    for (number, (url, host, https, status)) in rows.into_iter().enumerate() {
        let proof = proof(&key, &claims(url, &format!("row-{number}")));
        let origin = Origin { https, ..Origin::default() };
        let headers = [("dpop", &*proof), ("host", host)];
        let body = "grant_type=client_credentials&client_id=a&client_secret=s";
        let (got, _) = post_from(&gate, Endpoint::Token, &headers, body, origin).await;
        assert_eq!(got.as_u16(), status, "{url} {host} {https:?}");
    }
    // The response to a client that is not authenticated says nothing about its proof.
    let body = "grant_type=client_credentials&client_id=a&client_secret=wrong";
    let (status, _) = post_from(&gate, Endpoint::Token, &[("dpop", "x")], body, Origin::default()).await;
    assert_eq!(status, 401);
    // If a client must use DPoP, the response to a request without a token has a challenge of that scheme.
    let challenges = gate.refuse(&Denial::Missing);
    assert_eq!(challenges.headers().get_all(header::WWW_AUTHENTICATE).iter().count(), 2);
}

#[tokio::test]
async fn a_proof_for_another_server_is_refused_whatever_host_the_caller_sends() {
    let (gate, _) = gate(one_client());
    let key = TestKey::ed25519();
    let token = token_of(&ask(&gate, &[("dpop", &at_token_endpoint(&key, "1", NOW))], None).await);
    let rows = [
        ("https://api.example/orders", "api.example", true),
        ("https://localhost:8443/orders", "localhost:8443", true),
        ("https://api.example/orders", "10.0.0.7:8443", true),
        ("https://api.example/orders", "localhost:8443", false),
        ("https://elsewhere.example/orders", "elsewhere.example", false),
        ("https://elsewhere.example/orders", "api.example", false),
        ("https://elsewhere.example/orders", "10.0.0.7:8443", false),
    ];
    for (number, (htu, authority, good)) in rows.into_iter().enumerate() {
        let claims = format!(
            r#"{{"jti":"row-{number}","htm":"GET","htu":"{htu}","iat":{NOW},"ath":"{}"}}"#,
            ath(&token)
        );
        let headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, format!("DPoP {token}").parse().unwrap()),
            (http::HeaderName::from_static("dpop"), proof(&key, &claims).parse().unwrap()),
        ]);
        let target = Target { method: &Method::GET, https: true, authority, path: "/orders" };
        let evidence = Evidence { certificate: None, target: Some(target) };
        let verdict = gate.authorize_with(&headers, &Requirement::AnyToken.into(), &evidence);
        if good {
            assert!(verdict.is_ok(), "{htu} {authority}: {verdict:?}");
        } else {
            assert_eq!(code(&gate, verdict), "invalid_dpop_proof", "{htu} {authority}");
        }
    }
}

#[tokio::test]
async fn a_token_bound_to_a_certificate_works_over_that_certificate() {
    let mut spec = client("a", &[("1", "s", None)]);
    spec.certificate_bound_tokens = true;
    let (gate, _) = gate(vec![spec]);
    let (mine, other) = ([1; 32], [2; 32]);
    let (status, body) = ask(&gate, &[], None).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_request")), "nothing to bind to");
    let answer = ask(&gate, &[], Some(&mine)).await;
    assert_eq!(answer.1["token_type"], "bearer");
    let token = token_of(&answer);
    let bearer = format!("Bearer {token}");
    let fields = [("authorization", &*bearer)];
    assert!(get(&gate, &fields, Some(&mine)).is_ok());
    // RFC 8705 §3: "MUST be rejected with an error [...] an HTTP 401 status code and the invalid_token error
    // code".
    for shown in [Some(&other), None] {
        let denial = get(&gate, &fields, shown).unwrap_err();
        assert_eq!(denial, Denial::NotHeld(Mismatch::Certificate));
        let answer = gate.refuse(&denial);
        assert_eq!((answer.status().as_u16(), denial.code()), (401, Some("invalid_token")));
        assert!(answer.headers()[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer "));
    }
    // RFC 8705 §3.2.
    let ask_about = format!("client_id=a&client_secret=s&token={token}");
    let (_, told) = post(&gate, Endpoint::Introspection, &ask_about).await;
    assert_eq!(
        told["cnf"],
        serde_json::json!({ "x5t#S256": crate::oauth::thumbprint::Thumbprint::from_bytes(mine).to_string() })
    );

    // A token that is requested with a proof is bound to the key and to the certificate.
    let key = TestKey::p256();
    let answer = ask(&gate, &[("dpop", &at_token_endpoint(&key, "1", NOW))], Some(&mine)).await;
    let token = token_of(&answer);
    let authorization = format!("DPoP {token}");
    let try_over = |jti: &str, shown| {
        let proof = at_api(&key, &token, jti, NOW);
        get(&gate, &[("authorization", &authorization), ("dpop", &proof)], shown).map(|_| ())
    };
    assert_eq!(try_over("2", Some(&mine)), Ok(()));
    let denied = Denial::Dpop(Box::new(Denial::NotHeld(Mismatch::Certificate)));
    assert_eq!(try_over("3", Some(&other)), Err(denied.clone()));
    assert_eq!(try_over("4", None), Err(denied));
}
