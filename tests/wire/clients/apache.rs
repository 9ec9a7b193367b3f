//! Apache's mod_auth_openidc as a resource server, which introspects every token at the gateway (RFC 7662).

use super::{ID, SECRET, SPECIAL_ID, SPECIAL_SECRET, Server, file};
use crate::support::guard::guard;
use crate::support::{Conn, REVOKE, TOKEN, TestResponse, form, get, post_form, token_of};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Apache in the foreground as one process, stopped by its id.
struct Apache {
    address: SocketAddr,
    child: Child,
    guard: Child,
    dir: TempDir,
}

impl Apache {
    #[track_caller]
    fn start(server: &Server, way: &str, id: &str, secret: &str) -> Self {
        // Started as root, it drops its privileges and must still be able to read its files.
        let readable = std::fs::Permissions::from_mode(0o755);
        let dir = tempfile::Builder::new().permissions(readable).tempdir().expect("a folder");
        let ca = dir.path().join("gateway.pem");
        std::fs::copy(server.certificate(), &ca).expect("the gateway's certificate");
        let errors = std::fs::File::create(dir.path().join("stderr")).expect("stderr");
        // It cannot report a port that it picks itself.
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
        let child = Command::new("/usr/sbin/apache2")
            .arg("-X")
            .arg("-f")
            .arg(file("apache.conf"))
            .env("DIR", dir.path())
            .env("MODULES", "/usr/lib/apache2/modules")
            .env("PORT", free.port().to_string())
            .env("ISSUER", server.issuer())
            .env("UPSTREAM", format!("http://{}", server.upstream.address()))
            .envs([("WAY", way), ("CLIENT_ID", id), ("CLIENT_SECRET", secret)])
            .env("CA", &ca)
            .envs([("NO_PROXY", "*"), ("no_proxy", "*")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("/usr/sbin/apache2 starts");
        let guard = guard(child.id(), dir.path());
        let mut apache = Self { address: free, child, guard, dir };
        let started = Instant::now();
        while TcpStream::connect(free).is_err() {
            let ended = apache.child.try_wait().expect("its state").is_some();
            assert!(!ended && started.elapsed() < Duration::from_secs(20), "{}", apache.written());
            std::thread::sleep(Duration::from_millis(20));
        }
        apache
    }

    fn call(&self, target: &str, token: &str) -> TestResponse {
        Conn::plain(self.address).request(get(target, &[&format!("Authorization: Bearer {token}")]))
    }

    fn written(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr")).unwrap_or_default()
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        // The guard first: it must not signal a process id that was already reaped.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.written());
        }
    }
}

fn post(server: &Server, path: &str, rest: &str) -> TestResponse {
    let body = format!("client_id={}&client_secret={}&{rest}", form(ID), form(SECRET));
    Conn::tls(server.gateway.tls(), &["http/1.1"]).request(post_form(path, &[], body))
}

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn mod_auth_openidc() {
    let server = Server::shared();
    let token =
        |scope: &str| token_of(&post(server, TOKEN, &format!("grant_type=client_credentials{scope}")));
    let ways = [
        ("client_secret_basic", ID, SECRET),
        ("client_secret_post", ID, SECRET),
        ("client_secret_basic", SPECIAL_ID, SPECIAL_SECRET),
        ("client_secret_post", SPECIAL_ID, SPECIAL_SECRET),
    ];
    for (at, (way, id, secret)) in ways.into_iter().enumerate() {
        let apache = Apache::start(server, way, id, secret);
        let (good, unscoped) = (token("&scope=read"), token(""));
        for by in ["first", "again"] {
            apache.call(&format!("/api?by=apache-{at}-{by}"), &good).status(200);
            let reached = server.upstream.only(&format!("?by=apache-{at}-{by} "));
            assert_eq!(reached.all("oidc_claim_client_id"), [ID], "{}", reached.text());
        }
        let bad = format!("/api?by=apache-{at}-bad");
        // `Require claim` refuses an active token with another scope, without a challenge.
        apache.call(&bad, &unscoped).status(401).lacks("www-authenticate");
        post(server, REVOKE, &format!("token={good}")).status(200);
        for token in [&good, "garbage", &good[..40]] {
            let answer = apache.call(&bad, token);
            let challenge = answer.status(401).one("www-authenticate");
            assert!(
                challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""),
                "{answer}"
            );
        }
        assert!(!server.upstream.saw(&format!("?by=apache-{at}-bad")), "a bad token came through");
    }
}
