//! Client certificates are verified when they are used. Neither a resumed TLS session nor an open connection
//! keeps the trust in a certificate alive.

use crate::support::certificates::{Authority, self_signed};
use crate::support::config::SECRET;
use crate::support::jose::encode;
use crate::support::tls::{H2, Identity, Sessions};
use crate::support::{Config, Conn, Gateway, TOKEN, TestResponse, Upstream, get, post_form, token_of};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// Long enough for all that happens before the expiry on a busy machine.
const VALIDITY: Duration = Duration::from_secs(6);

fn body(client: &str) -> String {
    format!("grant_type=client_credentials&scope=read&client_id={client}")
}

fn token_request(client: &str) -> Vec<u8> {
    post_form(TOKEN, &[], body(client))
}

fn hello(marker: &str, token: &str) -> Vec<u8> {
    get(&format!("/hello?m={marker}"), &[&format!("Authorization: Bearer {token}")])
}

/// A gateway with the client `machine`, whose certificate the CA has signed and whose tokens are bound to it,
/// and the client `plain` with a secret.
fn config(ca: &Path, upstream: SocketAddr) -> Config {
    Config::bare()
        .listen("https://127.0.0.1:0")
        .table(&format!("[server.tls]\nclient_ca = {ca:?}"))
        .table(
            "[clients.machine]\ntoken_endpoint_auth_methods = [\"tls_client_auth\"]\n\
             tls_san_dns = \"machine.example.test\"\ncapabilities = [\"client_credentials\"]\n\
             scopes = [\"read\"]\ncertificate_bound_tokens = true",
        )
        .client("plain", SECRET, "scopes = [\"read\"]")
        .upstream("api", upstream)
        .route("path = \"/hello\"\nscopes = [\"read\"]\nupstream = \"api\"")
}

/// Adds the client `own`, which is registered with its certificate. The handshake then accepts every
/// certificate.
fn with_registered(config: Config, own: &Identity) -> Config {
    let thumbprint = encode(&Sha256::digest(&own.certificate));
    config.table(&format!(
        "[clients.own]\ntoken_endpoint_auth_methods = [\"self_signed_tls_client_auth\"]\n\
         tls_thumbprint = \"{thumbprint}\"\ncapabilities = [\"client_credentials\"]\n\
         scopes = [\"read\"]\ncertificate_bound_tokens = true"
    ))
}

/// Opens a connection that resumes a session.
#[track_caller]
fn resumed(sessions: &Sessions, gateway: &Gateway) -> Conn {
    let (conn, kind) = Conn::of(sessions, gateway.tls()).expect("a handshake");
    assert_eq!(kind, HandshakeKind::Resumed);
    conn
}

/// Returns the answer after a complete handshake, or `None` if the gateway refuses the handshake.
fn anew(gateway: &Gateway, identity: &Identity, request: &[u8]) -> Option<TestResponse> {
    let (mut conn, _) = Conn::of(&Sessions::new(identity, &TLS13), gateway.tls()).ok()?;
    conn.send(request);
    conn.try_read(false).ok()
}

/// Asserts that the certificate of a connection opens nothing, and that the client has to leave the
/// connection.
#[track_caller]
fn assert_refused(answer: &TestResponse, conn: &mut Conn, error: &str) {
    if error == "invalid_token" {
        answer.bearer_error(401, Some(error));
    } else {
        answer.oauth_error(401, error);
    }
    conn.assert_closed("the client needs a new connection for a new certificate");
}

#[test]
fn an_expired_certificate_opens_nothing_over_resumed_sessions_and_open_connections() {
    let (authority, upstream, folder) =
        (Authority::new(), Upstream::start(), tempfile::tempdir().expect("a folder"));
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).expect("ca.pem");
    let gateway = Gateway::start(&config(&ca, upstream.address()));
    let unbound = format!("client_secret={SECRET}&{}", body("plain"));
    let unbound = token_of(&Conn::plain(gateway.plain()).request(post_form(TOKEN, &[], unbound)));
    let identity = authority.sign_until("machine.example.test", SystemTime::now() + VALIDITY);
    let request = token_request("machine");

    let clients = [&TLS13, &TLS12].map(|version| {
        let sessions = Sessions::new(&identity, version);
        let (mut open, kind) = Conn::of(&sessions, gateway.tls()).expect("a handshake");
        assert_eq!(kind, HandshakeKind::Full);
        let token = token_of(&open.request(&request));
        let mut second = resumed(&sessions, &gateway);
        token_of(&second.request(&request));
        second.request(hello("before", &token)).status(200);
        (sessions, open, token)
    });
    let started = Instant::now();
    while anew(&gateway, &identity, &request).is_some() {
        assert!(started.elapsed() < VALIDITY * 5, "the certificate does not expire");
        std::thread::sleep(Duration::from_millis(100));
    }
    for (sessions, mut open, token) in clients {
        // A token that is not bound does not need a certificate.
        open.request(hello("unbound", &unbound)).status(200);
        assert_refused(&open.request(&request), &mut open, "invalid_client");
        let mut next = resumed(&sessions, &gateway);
        assert_refused(&next.request(&request), &mut next, "invalid_client");
        let mut next = resumed(&sessions, &gateway);
        assert_refused(&next.request(hello("late", &token)), &mut next, "invalid_token");
    }
    assert!(upstream.saw("m=before") && upstream.saw("m=unbound") && !upstream.saw("m=late"));
    let renewed = authority.sign("machine.example.test");
    token_of(&anew(&gateway, &renewed, &request).expect("a handshake"));
}

/// Over HTTP/2, the gateway ends a connection whose certificate it has refused with GOAWAY.
async fn assert_http2_ends(mut h2: H2) {
    let request = Request::post(format!("https://localhost{TOKEN}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(body("machine"))));
    let answer = h2.request(request.expect("a request")).await;
    assert_eq!(answer.status(), 401, "{answer:?}");
    assert!(String::from_utf8_lossy(answer.body()).contains("invalid_client"), "{answer:?}");
    let started = Instant::now();
    while !h2.is_closed() {
        assert!(started.elapsed() < Duration::from_secs(10), "the connection is still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_replaced_ca_ends_the_trust_in_certificates_on_open_connections() {
    let [one, other] = [Authority::new(), Authority::new()];
    let [ones, others] = [&one, &other].map(|authority| authority.sign("machine.example.test"));
    let own = self_signed("own.example.test");
    let request = token_request("machine");
    for accepts_any in [false, true] {
        let (upstream, folder) = (Upstream::start(), tempfile::tempdir().expect("a folder"));
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, &one.pem).expect("ca.pem");
        let config = config(&ca, upstream.address());
        let config = if accepts_any { with_registered(config, &own) } else { config };
        let gateway = Gateway::start(&config);
        let [mut first, mut second] = [(); 2].map(|()| Conn::tls_as(gateway.tls(), Some(&ones)));
        let h2 = H2::connect_as(gateway.tls(), Some(&ones)).await;
        let token = token_of(&first.request(&request));
        second.request(hello("before", &token)).status(200);
        let registered = accepts_any.then(|| {
            let mut conn = Conn::tls_as(gateway.tls(), Some(&own));
            let token = token_of(&conn.request(token_request("own")));
            (conn, token)
        });

        std::fs::write(&ca, &other.pem).expect("ca.pem");
        gateway.reload(&config);
        assert_refused(&first.request(&request), &mut first, "invalid_client");
        assert_refused(&second.request(hello("late", &token)), &mut second, "invalid_token");
        assert_http2_ends(h2).await;
        // On new connections as well, whether the handshake takes place or not.
        for request in [&request, &hello("late", &token)] {
            let answer = anew(&gateway, &ones, request);
            assert_eq!(answer.map(|answer| answer.code()), accepts_any.then_some(401));
        }
        assert!(upstream.saw("m=before") && !upstream.saw("m=late"));

        let fresh = token_of(&anew(&gateway, &others, &request).expect("a handshake"));
        anew(&gateway, &others, &hello("after", &fresh)).expect("a handshake").status(200);
        if let Some((mut conn, token)) = registered {
            conn.request(hello("own", &token)).status(200);
            token_of(&conn.request(token_request("own")));
        }
    }
}
