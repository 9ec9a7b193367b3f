//! Third-party OAuth clients, and Apache as a resource server, against the gateway over TLS.
//! `tests/clients/run` installs them, so a plain `cargo test` skips them.

mod apache;
mod registration;
mod verifiers;

use crate::support::config::cheap_hash;
use crate::support::program::finish;
use crate::support::{Gateway, Upstream, jose};
use rcgen::{KeyPair, PublicKeyData};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// The time limit of one client.
const LIMIT: Duration = Duration::from_secs(60);

const ID: &str = "server";
const SECRET: &str = "Password1";
/// Id and secret contain characters that are special in forms and in Basic.
const SPECIAL_ID: &str = "an app:with+100%&co=1";
const SPECIAL_SECRET: &str = "p ä+s%s&w=ö:r/d?é";
/// The other secret, for clients that follow RFC 6749 appendix A.2.
const SPECIAL_ASCII_SECRET: &str = "p a+s%s&w=o:r/d?\"\\";
const SIGNER: &str = "signer";

/// The gateway in front of its upstream, and the key of the client without a secret.
struct Server {
    gateway: Gateway,
    upstream: Upstream,
    files: TempDir,
}

impl Server {
    /// Starts `tollgate` with its self-signed certificate, which the clients are configured to trust.
    fn start() -> Self {
        let key = KeyPair::generate().expect("a P-256 key");
        let files = tempfile::tempdir().expect("a folder");
        std::fs::write(files.path().join("signer.pem"), key.serialize_pem()).expect("signer.pem");
        let upstream = Upstream::start();
        let config = format!(
            r#"
[server]
listen = ["https://127.0.0.1:0"]
threads = 1

[token_service]
throttle = {{ failures = 1000000, per = "1m" }}

[scopes]
read = "Read"

[clients.{ID}]
secret = "{}"
capabilities = ["client_credentials", "introspection"]
scopes = ["read"]

[clients."{SPECIAL_ID}"]
secrets = [{{ id = "utf-8", hash = "{}" }}, {{ id = "ascii", hash = "{}" }}]
capabilities = ["client_credentials", "introspection"]
scopes = ["read"]

[clients.{SIGNER}]
token_endpoint_auth_methods = ["private_key_jwt"]
jwks = '[{}]'
capabilities = ["client_credentials", "introspection"]
scopes = ["read"]

[upstreams.api]
servers = ["http://{}"]

[[routes]]
path = "/hello_world"
scopes = ["read"]
upstream = "api"
"#,
            cheap_hash(SECRET),
            cheap_hash(SPECIAL_SECRET),
            cheap_hash(SPECIAL_ASCII_SECRET),
            jwk(&key),
            upstream.address(),
        );
        Self { gateway: Gateway::start_text(&config, &[]), upstream, files }
    }

    fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn issuer(&self) -> String {
        format!("https://localhost:{}", self.gateway.tls().port())
    }

    fn certificate(&self) -> PathBuf {
        self.gateway.dir().join("state/self-signed.pem")
    }

    /// Runs a client, which must succeed.
    #[track_caller]
    fn meets(&self, mut client: Command) {
        let issuer = self.issuer();
        client
            .env("API", format!("{issuer}/hello_world"))
            .env("ISSUER", issuer)
            .envs([("CLIENT_ID", ID), ("CLIENT_SECRET", SECRET)])
            .envs([("SPECIAL_ID", SPECIAL_ID), ("SPECIAL_SECRET", SPECIAL_SECRET)])
            .env("SPECIAL_ASCII_SECRET", SPECIAL_ASCII_SECRET)
            .env("SIGNER_KEY", self.files.path().join("signer.pem"))
            // Without the proxies and settings of the environment.
            .envs([("NO_PROXY", "*"), ("no_proxy", "*")])
            .env("HOME", self.files.path())
            .env("CURL_HOME", self.files.path());
        for name in ["CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
            client.env(name, self.certificate());
        }
        let output = finish(client, LIMIT);
        assert_eq!(output.code, Some(0), "{}\n{}", output.all(), self.gateway.written());
    }

    /// Asserts that these API calls arrived with the right client, and none with a revoked token.
    #[track_caller]
    fn came_through(&self, calls: &[(&str, &str)]) {
        for (by, client) in calls {
            let reached = self.upstream.only(&format!("?by={by} "));
            assert_eq!(reached.all("x-client-id"), [*client], "{}", reached.text());
            assert!(!self.upstream.saw(&format!("?by={by}-revoked")), "{by}: a revoked token came through");
        }
    }
}

/// RFC 7518 §6.2.1.
fn jwk(key: &KeyPair) -> String {
    let (x, y) = key.der_bytes()[1..].split_at(32);
    format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#, jose::encode(x), jose::encode(y))
}

/// Returns the path of a file in `tests/clients`.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// Returns the path of a file that `tests/clients/install` created.
#[track_caller]
fn installed(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let path = target.join("clients").join(name);
    assert!(path.exists(), "there is no {}: run tests/clients/install", path.display());
    path
}

fn python(script: &str) -> Command {
    let mut command = Command::new(installed("python/bin/python"));
    command.arg(file(script));
    command
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(installed("node").join(script));
    command
}

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn authlib() {
    let server = Server::shared();
    server.meets(python("authlib_client.py"));
    server.came_through(&[
        ("authlib-client_secret_basic", ID),
        ("authlib-client_secret_post", ID),
        ("authlib-special-basic", SPECIAL_ID),
        ("authlib-special-post", SPECIAL_ID),
        ("authlib-signed", SIGNER),
    ]);
}

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn requests_oauthlib() {
    let server = Server::shared();
    server.meets(python("requests_oauthlib_client.py"));
    server.came_through(&[
        ("requests-oauthlib-basic", ID),
        ("requests-oauthlib-post", ID),
        ("requests-oauthlib-special-basic", SPECIAL_ID),
        ("requests-oauthlib-special-post", SPECIAL_ID),
    ]);
}

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn openid_client() {
    let server = Server::shared();
    server.meets(node("openid_client.mjs"));
    server.came_through(&[
        ("openid-client-basic", ID),
        ("openid-client-post", ID),
        ("openid-client-special-basic", SPECIAL_ID),
        ("openid-client-special-post", SPECIAL_ID),
        ("openid-client-signed", SIGNER),
        ("openid-client-dpop", ID),
    ]);
}

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn simple_oauth2() {
    let server = Server::shared();
    server.meets(node("simple_oauth2.mjs"));
    server.came_through(&[
        ("simple-oauth2-header", ID),
        ("simple-oauth2-body", ID),
        ("simple-oauth2-special-header", SPECIAL_ID),
        ("simple-oauth2-special-body", SPECIAL_ID),
    ]);
}

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn oauth2_crate() {
    let server = Server::shared();
    server.meets(Command::new(installed("oauth2/debug/oauth2-client")));
    server.came_through(&[
        ("oauth2-basic", ID),
        ("oauth2-post", ID),
        ("oauth2-special-basic", SPECIAL_ID),
        ("oauth2-special-post", SPECIAL_ID),
    ]);
}

#[test]
fn curl() {
    let server = Server::shared();
    let mut sh = Command::new("sh");
    sh.arg(file("curl.sh"));
    server.meets(sh);
    server.came_through(&[
        ("curl-basic", ID),
        ("curl-post", ID),
        ("curl-special-basic", SPECIAL_ID),
        ("curl-special-post", SPECIAL_ID),
    ]);
}
