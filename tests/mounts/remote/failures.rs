//! Gateways that do not answer, and answers that prove nothing: every request is refused.

use super::{Setting, invented, status};
use crate::Keys;

use crate::relay::Mode;
use crate::setup::SECRET;
use crate::support::config;
use crate::support::{Gateway, INTROSPECT};
use http::StatusCode;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tollgate::Gate;
use tollgate::gate::{Credentials, IntrospectionError};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_down_or_slow_is_503_and_nothing_is_cached() {
    let setting = Setting::start().await;
    let token = setting.token("server").await;
    let gate = setting.remote().timeout(Duration::from_millis(300)).build().unwrap();
    let patient = setting.remote().build().unwrap();

    setting.relay.set(Mode::Hold);
    assert_eq!(status(&gate, &token).await, 503);
    assert_eq!(setting.failures(), ["the introspection endpoint did not answer in time"]);
    setting.relay.set(Mode::Break);
    assert_eq!(status(&patient, &token).await, 503);
    let [failure] = &setting.failures()[..] else { panic!("one failure") };
    assert!(failure.starts_with("the introspection endpoint cannot be reached: "), "{failure}");
    setting.relay.set(Mode::Pass);
    assert_eq!(status(&patient, &token).await, 200, "the failure is not remembered");

    // Nothing listens on a port that was just released.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{closed}{INTROSPECT}");
    let down = Gate::remote(url, Credentials::new("introspector", config::SECRET)).build().unwrap();
    assert_eq!(status(&down, &token).await, 503);
    assert!(matches!(down.check_endpoint().await, Err(IntrospectionError::Unreachable(_))));

    // An introspection succeeds although the gateway has closed the kept connection.
    drop(setting.gateway);
    assert_eq!(status(&patient, &token).await, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_and_a_missing_capability_are_503_with_their_reason() {
    let setting = Setting::start().await;
    let token = setting.token("server").await;
    let url = format!("http://{}{INTROSPECT}", setting.relay.address);
    for (id, secret, expected) in [
        ("introspector", "wrong", StatusCode::UNAUTHORIZED),
        ("nobody", config::SECRET, StatusCode::UNAUTHORIZED),
        ("other", config::SECRET, StatusCode::BAD_REQUEST),
    ] {
        let gate = Gate::remote(&url, Credentials::new(id, secret)).timeout(Duration::from_secs(20));
        let gate = gate.build().unwrap();
        assert_eq!(status(&gate, &token).await, 503, "{id}");
        let error = gate.check_endpoint().await.unwrap_err();
        assert!(matches!(error, IntrospectionError::Status(status) if status == expected), "{id}: {error}");
    }
    // A path without an endpoint.
    let url = format!("http://{}/introspect", setting.relay.address);
    let gate = Gate::remote(url, Credentials::new("introspector", config::SECRET)).build().unwrap();
    assert_eq!(status(&gate, &token).await, 503);
}

/// Starts a server that responds to every request with these bytes.
async fn fake(answer: impl Into<String>) -> SocketAddr {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await;
            let _ = connection.write_all(answer.as_bytes()).await;
            let _ = connection.shutdown().await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_introspection_response_is_503() {
    let ok = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let good = r#"{"active":true,"client_id":"server","scope":"read","exp":99999999999}"#;
    let large = format!("{{\"active\":true,\"padding\":\"{}\"}}", "a".repeat(20_000));
    let target = fake(ok(good)).await;
    let redirect =
        format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{target}/\r\nContent-Length: 0\r\n\r\n");
    let broken = format!("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{good}");
    for (name, answer, expected) in [
        ("good", ok(good), 200),
        ("inactive", ok(r#"{"active":false}"#), 401),
        ("a redirect", redirect, 503),
        ("no JSON", ok("active"), 503),
        ("too large", ok(&large), 503),
        ("broken off", broken, 503),
        ("no HTTP", "hello\r\n\r\n".to_owned(), 503),
        ("empty", String::new(), 503),
        ("no content", "HTTP/1.1 204 No Content\r\n\r\n".to_owned(), 503),
        ("an error with a good body", ok(good).replace("200 OK", "500 Oops"), 503),
    ] {
        let address = fake(answer).await;
        let gate = Gate::remote(format!("http://{address}/"), Credentials::new("a", "b")).build().unwrap();
        assert_eq!(status(&gate, &invented(1)).await, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_untrusted_certificate_is_503_and_the_token_is_not_sent() {
    let keys = Keys::new();
    let gateway = Gateway::start_text(&keys.files(([127, 0, 0, 1], 9).into()).before, &[]);
    let url = format!("https://localhost:{}{INTROSPECT}", gateway.tls().port());
    let other = std::fs::read(keys.folder.path().join("ca.pem")).unwrap();
    let gate =
        Gate::remote(url, Credentials::new("api", SECRET)).trusted_certificates(other).build().unwrap();
    assert_eq!(status(&gate, &invented(1)).await, 503);
    assert!(matches!(gate.check_endpoint().await, Err(IntrospectionError::Unreachable(_))));
}
