//! Clients without a secret: a certificate (RFC 8705), or a signature whose keys are at a URL (RFC 7523).

use crate::support::certificates::{Authority, self_signed};
use crate::support::jose::{SigningKey, encode};
use crate::support::tls::Identity;
use crate::support::{
    Config, Conn, Gateway, INTROSPECT, PATIENCE, TOKEN, TestResponse, Upstream, form, get, post_form,
    token_of,
};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn thumbprint(identity: &Identity) -> String {
    encode(&Sha256::digest(&identity.certificate))
}

fn request_token(gateway: &Gateway, client: &str, identity: Option<&Identity>) -> TestResponse {
    let body = format!("grant_type=client_credentials&scope=read&client_id={}", form(client));
    Conn::tls_as(gateway.tls(), identity).request(post_form(TOKEN, &[], body))
}

/// A client with these methods and the scope `read`.
fn client(name: &str, method: &str, lines: &str) -> String {
    format!(
        "[clients.{name}]\ntoken_endpoint_auth_methods = [\"{method}\"]\n\
         capabilities = [\"client_credentials\", \"introspection\"]\nscopes = [\"read\"]\n{lines}"
    )
}

#[test]
fn certificates_authenticate_clients_and_bind_their_tokens() {
    let authority = Authority::new();
    let (named, own, other) = (authority.sign("named.example.test"), self_signed("own"), self_signed("own"));
    let forged = self_signed("named.example.test");
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).expect("ca.pem");
    let upstream = Upstream::start();
    let config = Config::bare()
        .listen("https://127.0.0.1:0")
        .table(&format!("[server.tls]\nclient_ca = {ca:?}"))
        .table(&client("dns", "tls_client_auth", "tls_san_dns = \"named.example.test\""))
        .table(&client("dn", "tls_client_auth", "tls_subject_dn = \"CN=named.example.test\""))
        .table(&client(
            "own",
            "self_signed_tls_client_auth",
            &format!("certificate_bound_tokens = true\ntls_thumbprint = \"{}\"", thumbprint(&own)),
        ))
        .upstream("api", upstream.address())
        .route("path = \"/hello\"\nscopes = [\"read\"]\nupstream = \"api\"");
    let gateway = Gateway::start(&config);

    for client in ["dns", "dn"] {
        token_of(&request_token(&gateway, client, Some(&named)));
        // RFC 8705 §2.1: the names in the certificate count if the CA signed it.
        for identity in [Some(&forged), Some(&own), None] {
            request_token(&gateway, client, identity).oauth_error(401, "invalid_client");
        }
    }
    // RFC 8705 §2: the request "MUST include the client_id"; the certificate alone does not identify the
    // client.
    let nameless = post_form(TOKEN, &[], "grant_type=client_credentials&scope=read");
    Conn::tls_as(gateway.tls(), Some(&named)).request(nameless).oauth_error(401, "invalid_client");
    let token = token_of(&request_token(&gateway, "own", Some(&own)));
    for identity in [Some(&other), Some(&named), None] {
        request_token(&gateway, "own", identity).oauth_error(401, "invalid_client");
    }

    // RFC 8705 §3: a token of one certificate is refused with another certificate, with none, and without
    // TLS.
    let bearer = format!("Authorization: Bearer {token}");
    Conn::tls_as(gateway.tls(), Some(&own)).request(get("/hello?m=own", &[&bearer])).status(200);
    for identity in [Some(&other), Some(&named), None] {
        let answer = Conn::tls_as(gateway.tls(), identity).request(get("/hello?m=stolen", &[&bearer]));
        answer.bearer_error(401, Some("invalid_token"));
    }
    Conn::plain(gateway.plain())
        .request(get("/hello?m=stolen", &[&bearer]))
        .bearer_error(401, Some("invalid_token"));
    assert!(upstream.saw("m=own") && !upstream.saw("m=stolen"));
    let body = format!("client_id=own&token={token}");
    let introspected = Conn::tls_as(gateway.tls(), Some(&own)).request(post_form(INTROSPECT, &[], body));
    assert_eq!(introspected.json()["cnf"]["x5t#S256"], thumbprint(&own), "RFC 8705 §3.2\n{introspected}");

    let metadata = Conn::plain(gateway.plain()).request(get("/.well-known/oauth-authorization-server", &[]));
    let methods = &metadata.json()["token_endpoint_auth_methods_supported"];
    assert_eq!(*methods, serde_json::json!(["tls_client_auth", "self_signed_tls_client_auth"]), "{metadata}");
    assert_eq!(metadata.json()["tls_client_certificate_bound_access_tokens"], true, "{metadata}");
}

#[test]
fn a_client_with_a_self_signed_certificate_can_be_added_at_run_time() {
    let own = self_signed("own");
    let before = Config::bare().listen("https://127.0.0.1:0");
    let gateway = Gateway::start(&before);
    request_token(&gateway, "own", Some(&own)).oauth_error(401, "invalid_client");
    let thumbprint = format!("tls_thumbprint = \"{}\"", thumbprint(&own));
    let after = before.table(&client("own", "self_signed_tls_client_auth", &thumbprint));
    std::fs::write(gateway.dir().join("gateway.toml"), after.text()).expect("gateway.toml");
    wait_until(PATIENCE, || request_token(&gateway, "own", Some(&own)).code() == 200);
}

/// A web server that publishes a client's keys; `None` simulates an outage.
struct KeyServer {
    address: SocketAddr,
    keys: Arc<Mutex<Option<String>>>,
}

impl KeyServer {
    fn start(keys: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let server = Self { address: listener.local_addr().expect("its address"), keys: Arc::default() };
        server.publish(keys);
        let keys = Arc::clone(&server.keys);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let Some(keys) = keys.lock().expect("keys").clone() else { continue };
                let mut head = [0; 4096];
                let _ = stream.read(&mut head);
                let length = keys.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: application/jwk-set+json\r\ncontent-length: {length}\r\n\r\n{keys}"
                );
            }
        });
        server
    }

    fn publish(&self, keys: &[String]) {
        *self.keys.lock().expect("keys") = Some(format!(r#"{{"keys":[{}]}}"#, keys.join(",")));
    }

    fn break_down(&self) {
        *self.keys.lock().expect("keys") = None;
    }
}

#[test]
fn keys_at_a_url_are_fetched_rotated_and_kept_during_an_outage() {
    let (old, new) = (SigningKey::new(), SigningKey::new());
    let server = KeyServer::start(&[old.jwk(",\"kid\":\"old\"")]);
    let uri = format!("jwks_uri = \"http://{}/keys\"", server.address);
    let gateway = Gateway::start(&Config::bare().table(&client("signs", "private_key_jwt", &uri)));
    let request_token = |key: &SigningKey, kid: &str| {
        let assertion = key.assertion(kid, "signs", "https://issuer.example.test");
        let body = format!(
            "grant_type=client_credentials&client_assertion={assertion}&client_assertion_type={}",
            form("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        );
        Conn::plain(gateway.plain()).request(post_form(TOKEN, &[], body))
    };
    wait_until(PATIENCE, || request_token(&old, "old").code() == 200);
    // The client publishes another key: the first signature with it is refused, and makes the gateway fetch
    // the keys.
    server.publish(&[new.jwk(",\"kid\":\"new\"")]);
    request_token(&new, "new").oauth_error(401, "invalid_client");
    wait_until(PATIENCE, || request_token(&new, "new").code() == 200);
    request_token(&old, "old").oauth_error(401, "invalid_client");
    server.break_down();
    request_token(&old, "old").oauth_error(401, "invalid_client");
    token_of(&request_token(&new, "new"));
}

/// Requests that cost no hash, or whose signature is wrong, do not stop other clients from getting tokens.
#[test]
fn requests_without_a_secret_and_forged_assertions_lock_nobody_out() {
    let (key, forger) = (SigningKey::new(), SigningKey::new());
    let server = KeyServer::start(&[key.jwk(",\"kid\":\"k\"")]);
    let uri = format!("jwks_uri = \"http://{}/keys\"", server.address);
    let config = Config::bare()
        .throttle("throttle = { failures = 10, per = \"10m\" }")
        .client("fresh", "0ther-S3cret-x7", "scopes = []")
        .table(&client("signs", "private_key_jwt", &uri));
    let gateway = Gateway::start(&config);
    let post = |body: String| {
        let body = format!("grant_type=client_credentials&{body}");
        Conn::plain(gateway.plain()).request(post_form(TOKEN, &[], body))
    };
    let signed = |key: &SigningKey| {
        let assertion = key.assertion("k", "signs", "https://issuer.example.test");
        let kind = form("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        post(format!("client_assertion={assertion}&client_assertion_type={kind}"))
    };
    wait_until(PATIENCE, || signed(&key).code() == 200);

    for number in 0..101 {
        post(format!("client_id=unknown-{number}")).oauth_error(401, "invalid_client");
    }
    // More than an address may fail with secrets. The answer stays the same.
    for _ in 0..110 {
        signed(&forger).oauth_error(401, "invalid_client");
    }
    token_of(&signed(&key));
    // Its secret is not remembered yet, so the throttle applies to it.
    token_of(&post("client_id=fresh&client_secret=0ther-S3cret-x7".to_owned()));
}

/// Retries until a condition holds.
#[track_caller]
fn wait_until(limit: Duration, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < limit, "not within {limit:?}");
        thread::sleep(Duration::from_millis(50));
    }
}
