//! DPoP proofs and certificates through the tower layer and the OAuth service.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::Response;
use http_body_util::Empty;
use tower::{Layer as _, Service, ServiceExt as _};

use super::*;
use crate::oauth::jose::testing::TestKey;
use crate::plugin::ClientCertificate;

fn gate(clients: Vec<ClientSpec>) -> (Gate, Arc<FakeClock>) {
    gate_of(spec(clients).public_origin("https://api.example").unwrap())
}

/// Answers every request with 200.
#[derive(Clone)]
struct Inner;

impl Service<Request<Full<Bytes>>> for Inner {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        assert!(request.extensions().get::<Permit>().is_some());
        ready(Ok(Response::new(Empty::new())))
    }
}

fn proof(key: &TestKey, claims: &str) -> String {
    key.sign(&format!(r#"{{"typ":"dpop+jwt","alg":"{}","jwk":{}}}"#, key.algorithm(), key.jwk("")), claims)
}

async fn token(gate: &Gate, request: http::request::Builder) -> Value {
    let body = "grant_type=client_credentials&client_id=a&client_secret=s&scope=read";
    let request = request
        .method(Method::POST)
        .uri("/oauth/v2/oauth-token")
        .header(header::HOST, "api.example")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let answer = gate.oauth_service().oneshot(request).await.unwrap();
    serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

async fn try_api(gate: &Gate, request: http::request::Builder) -> u16 {
    let request = request.uri("/orders?page=2").header(header::HOST, "api.example");
    let service = gate.require(Requirement::AnyToken).layer(Inner);
    service.oneshot(request.body(Full::default()).unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_proof_passes_the_layer() {
    let (gate, _) = gate(vec![client("a", &[("1", "s", None)])]);
    let key = TestKey::ed25519();
    let claims = |method: &str, path: &str, more: &str| {
        format!(
            r#"{{"jti":"{method}{path}","htm":"{method}","htu":"https://api.example{path}","iat":1800000000{more}}}"#
        )
    };
    let asked = Request::builder().header("dpop", proof(&key, &claims("POST", "/oauth/v2/oauth-token", "")));
    let answer = token(&gate, asked).await;
    assert_eq!(answer["token_type"], "DPoP", "{answer}");
    let token = answer["access_token"].as_str().unwrap();
    let ath = crate::oauth::thumbprint::Thumbprint::of(token.as_bytes()).to_string();
    for (path, status) in [("/orders", 200), ("/other", 401)] {
        let proof = proof(&key, &claims("GET", path, &format!(r#","ath":"{ath}""#)));
        let request =
            Request::builder().header("authorization", format!("DPoP {token}")).header("dpop", proof);
        assert_eq!(try_api(&gate, request).await, status, "{path}");
    }
    let bearer = Request::builder().header("authorization", format!("Bearer {token}"));
    assert_eq!(try_api(&gate, bearer).await, 401);
}

#[tokio::test]
async fn a_certificate_in_the_extensions_is_the_one_of_the_connection() {
    let mut spec = client("a", &[("1", "s", None)]);
    spec.certificate_bound_tokens = true;
    let (gate, _) = gate(vec![spec]);
    assert_eq!(token(&gate, Request::builder()).await["error"], "invalid_request");
    let shown = |der: &'static [u8]| Request::builder().extension(ClientCertificate::new(der, false));
    let answer = token(&gate, shown(b"one")).await;
    let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    assert_eq!(try_api(&gate, shown(b"one").header("authorization", &bearer)).await, 200);
    assert_eq!(try_api(&gate, shown(b"two").header("authorization", &bearer)).await, 401);
    assert_eq!(try_api(&gate, Request::builder().header("authorization", &bearer)).await, 401);
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn below_a_nested_axum_router_a_proof_names_the_uri_that_the_client_used() {
    use axum::routing::get;

    let (gate, _) = gate(vec![client("a", &[("1", "s", None)])]);
    let key = TestKey::ed25519();
    let issued = r#""iat":1800000000"#;
    let at_token_endpoint =
        format!(r#"{{"jti":"1","htm":"POST","htu":"https://localhost:8443/oauth/v2/oauth-token",{issued}}}"#);
    let answer = token(&gate, Request::builder().header("dpop", proof(&key, &at_token_endpoint))).await;
    let token = answer["access_token"].as_str().unwrap();
    let ath = crate::oauth::thumbprint::Thumbprint::of(token.as_bytes());
    let api = axum::Router::new()
        .route("/orders", get(async |_: Permit| "orders"))
        .layer(gate.require(Requirement::AnyToken));
    let app = axum::Router::new().nest("/v1", axum::Router::new().nest("/shop", api));
    for (jti, htu, status) in [
        ("2", "https://api.example/v1/shop/orders", 200),
        ("3", "https://api.example/orders", 401),
        ("5", "https://elsewhere.example/v1/shop/orders", 401),
        ("4", "https://api.example/shop/orders", 401),
    ] {
        let claims = format!(r#"{{"jti":"{jti}","htm":"GET","htu":"{htu}",{issued},"ath":"{ath}"}}"#);
        let request = Request::get("/v1/shop/orders?page=2")
            .header(header::HOST, "api.example")
            .header(header::AUTHORIZATION, format!("DPoP {token}"))
            .header("dpop", proof(&key, &claims))
            .body(axum::body::Body::empty())
            .unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status().as_u16(), status, "{htu}");
    }
    // The attack: a proof for another server, and the name of that server as the Host.
    let elsewhere = "https://elsewhere.example/v1/shop/orders";
    let claims = format!(r#"{{"jti":"6","htm":"GET","htu":"{elsewhere}",{issued},"ath":"{ath}"}}"#);
    let request = Request::get("/v1/shop/orders")
        .header(header::HOST, "elsewhere.example")
        .header(header::AUTHORIZATION, format!("DPoP {token}"))
        .header("dpop", proof(&key, &claims))
        .body(axum::body::Body::empty())
        .unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status().as_u16(), 401);
}
