//! New keys: under load, by command, over an upgrade.

use super::routes;
use crate::support::jwks;
use crate::support::program::run_upgrade;
use crate::support::upstream::ok;
use crate::support::{Config, Conn, Fixture, Gateway, Next, Upstream, get, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// An upstream that verifies, as a resource server does: it keeps the key set, and fetches it again only if a
/// JWT names a key that it does not know.
#[derive(Default)]
struct Verifier {
    gateway: Mutex<Option<SocketAddr>>,
    keys: Mutex<Value>,
    kids: Mutex<BTreeSet<String>>,
}

impl Verifier {
    fn at(upstream: &Upstream) -> Arc<Self> {
        let verifier = Arc::new(Self::default());
        verifier.keys.lock().expect("keys")["keys"] = Value::Array(Vec::new());
        let serving = Arc::clone(&verifier);
        upstream.on("/jwt", move |request, out| {
            let status = match request.all("authorization")[..] {
                [value] => serving.status(value.strip_prefix("Bearer ").expect("a bearer")),
                _ => 400,
            };
            match status {
                200 => out.write_all(&ok("{}"))?,
                other => write!(out, "HTTP/1.1 {other} No\r\nContent-Length: 0\r\n\r\n")?,
            }
            Ok(Next::KeepAlive)
        });
        verifier
    }

    fn status(&self, jwt: &str) -> u16 {
        let gateway = self.gateway.lock().expect("an address").expect("a gateway");
        let mut keys = self.keys.lock().expect("keys");
        let found = jwks::verify(jwt, &keys).or_else(|| {
            *keys = jwks::fetch(gateway);
            jwks::verify(jwt, &keys)
        });
        match found {
            Some(jwt) => {
                self.kids.lock().expect("kids").insert(jwt.header["kid"].as_str().expect("kid").to_owned());
                200
            }
            None => 401,
        }
    }

    fn kids(&self) -> usize {
        self.kids.lock().expect("kids").len()
    }
}

fn config(upstream: &Upstream, state: &Path, jwt: &str) -> Config {
    routes(Config::standard(upstream.address()).server(&format!("state_dir = {state:?}")))
        .table(&format!("[token_service.jwt]\n{jwt}"))
}

/// Keeps clients busy on keep-alive connections, each with new tokens, until `done`. Returns the number of
/// requests, all of which were answered with 200.
fn load(fixture: &Fixture, done: impl FnOnce()) -> usize {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut requests, mut conn) = (0, Conn::plain(fixture.address()));
                    while !stop.load(Ordering::SeqCst) {
                        let bearer = fixture.bearer("server", "read");
                        for _ in 0..10 {
                            conn.send(get("/jwt", &[&bearer]));
                            conn.read().status(200);
                            requests += 1;
                        }
                    }
                    requests
                })
            })
            .collect();
        done();
        stop.store(true, Ordering::SeqCst);
        workers.into_iter().map(|worker| worker.join().expect("no refused request")).sum()
    })
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn states(fixture: &Fixture) -> Vec<String> {
    let output = run(fixture.gateway.dir(), &["keys", "list", "--json"]);
    let keys: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.all()));
    let keys = keys["keys"].as_array().expect("keys").iter();
    keys.map(|key| key["state"].as_str().expect("a state").to_owned()).collect()
}

#[test]
fn keys_are_replaced_under_load_and_no_request_is_refused() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let verifier = Verifier::at(&upstream);
    // A token that lives longer than a JWT keeps its JWT for a part of that time, so that the new key is used
    // soon.
    let gateway =
        Gateway::start(&config(&upstream, state.path(), "lifetime = \"10s\"\npublish_before = \"1s\""));
    *verifier.gateway.lock().expect("an address") = Some(gateway.plain());
    let fixture = Fixture { gateway, upstream };
    let dir = fixture.gateway.dir();
    let requests = load(&fixture, || {
        wait_until("the first key signs", || verifier.kids() == 1);
        // The new key is published before it signs.
        let output = run(dir, &["keys", "rotate"]);
        assert!(output.code == Some(0), "{}", output.all());
        wait_until("the second key signs", || verifier.kids() == 2);
        // This key signs at once.
        let output = run(dir, &["keys", "rotate", "--now"]);
        assert!(output.code == Some(0), "{}", output.all());
        wait_until("the third key signs", || verifier.kids() == 3);
    });
    // An upstream may still get JWTs of the keys that are removed now, so there is no load any more.
    let output = run(dir, &["keys", "rotate", "--now", "--discard-old"]);
    assert!(output.code == Some(0), "{}", output.all());
    let published = || jwks::fetch(fixture.address())["keys"].as_array().map(Vec::len);
    wait_until("one key is published", || published() == Some(1));
    fixture.raw(get("/jwt", &[&fixture.bearer("server", "read")])).status(200);
    assert_eq!(verifier.kids(), 4);
    assert!(requests > 0);
    assert_eq!(states(&fixture), ["signing"]);
}

#[test]
fn a_waiting_key_is_published_and_a_second_one_is_refused() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, state.path(), "publish_before = \"1h\""));
    let fixture = Fixture { gateway, upstream };
    let dir = fixture.gateway.dir();
    assert_eq!(states(&fixture), ["signing"]);
    assert!(run(dir, &["keys", "rotate"]).code == Some(0));
    assert_eq!(states(&fixture), ["signing", "next"]);
    let published = || jwks::fetch(fixture.address())["keys"].as_array().map(Vec::len);
    wait_until("the new key is published", || published() == Some(2));
    let again = run(dir, &["keys", "rotate"]);
    assert!(again.code != Some(0) && again.all().contains("--now"), "{}", again.all());
    assert!(run(dir, &["keys", "rotate", "--now"]).code == Some(0));
    assert_eq!(states(&fixture), ["retired", "signing"]);
    let text = run(dir, &["keys", "list"]).all();
    assert!(
        text.contains("ES256  retired, published until") && text.contains("ES256  signs since"),
        "{text}"
    );
    let files = run(dir, &["keys", "rotate", "--discard-old"]);
    assert_eq!(files.code, Some(2), "{}", files.all());
}

#[test]
fn the_keys_pass_to_the_process_of_an_upgrade() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let verifier = Verifier::at(&upstream);
    let gateway = Gateway::start(&config(&upstream, state.path(), "publish_before = \"1s\""));
    *verifier.gateway.lock().expect("an address") = Some(gateway.plain());
    let fixture = Fixture { gateway, upstream };
    let bearer = fixture.bearer("server", "read");
    fixture.raw(get("/jwt", &[&bearer])).status(200);
    let before = jwks::fetch(fixture.address());
    let (_, _guard) = run_upgrade(fixture.gateway.dir());
    assert_eq!(jwks::fetch(fixture.address()), before);
    fixture.raw(get("/jwt", &[&bearer])).status(200);
    assert_eq!(verifier.kids(), 1);
    // The new process rotates the keys.
    assert!(run(fixture.gateway.dir(), &["keys", "rotate", "--now"]).code == Some(0));
    wait_until("the new key is published", || jwks::fetch(fixture.address()) != before);
    fixture.raw(get("/jwt", &[&fixture.bearer("server", "read")])).status(200);
}
