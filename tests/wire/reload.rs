//! A running gateway applies changes of gateway.toml and of the files it names (certificates, keys, secrets)
//! without losing a request, a token or a connection. An invalid file changes nothing.

use crate::support::certificates::{Authority, pem, self_signed};
use crate::support::config::{SECRET, cheap_hash};
use crate::support::tls::{H2, Identity, shown};
use crate::support::{Config, Conn, Fixture, Gateway, PATIENCE, Upstream, get};
use bytes::Bytes;
use http_body_util::Full;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// HTTP/1.1 connections under load; one more uses HTTP/2.
const CONNECTIONS: usize = 6;
/// The minimum number of requests per connection between two changes.
const BETWEEN: usize = 20;

/// Waits until the gateway has done something.
#[track_caller]
fn eventually(gateway: &Gateway, what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "{what}: not within 10 s\n{}", gateway.written());
        thread::sleep(Duration::from_millis(10));
    }
}

/// The progress of each connection.
struct Load {
    sent: [AtomicUsize; CONNECTIONS + 1],
    done: AtomicBool,
}

impl Load {
    fn count(&self, connection: usize) -> bool {
        self.sent[connection].fetch_add(1, Ordering::Relaxed);
        !self.done.load(Ordering::Relaxed)
    }

    /// Waits until every connection has made progress.
    #[track_caller]
    fn goes_on(&self, gateway: &Gateway) {
        for sent in &self.sent {
            let wanted = sent.load(Ordering::Relaxed) + BETWEEN;
            eventually(gateway, "the load", || sent.load(Ordering::Relaxed) >= wanted);
        }
    }
}

/// Stops the load also if an assertion fails. Otherwise the threads would run forever.
struct Done<'a>(&'a Load);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_reload_under_load_fails_no_request() {
    let fixture = Fixture::start(|config| config.listen("https://127.0.0.1:0"));
    let gateway = &fixture.gateway;
    let bearer = fixture.bearer("server", "read");
    let load = Load { sent: Default::default(), done: AtomicBool::new(false) };
    thread::scope(|scope| {
        let done = Done(&load);
        for connection in 0..CONNECTIONS {
            let (load, bearer, mut conn) = (&load, &bearer, fixture.connect());
            scope.spawn(move || {
                loop {
                    let answer = conn.request(get("/hello", &[bearer]));
                    answer.status(200).lacks("connection");
                    if !load.count(connection) {
                        return;
                    }
                }
            });
        }
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut conn = H2::connect(gateway.tls()).await;
                loop {
                    let request = http::Request::get("https://localhost/hello");
                    let request =
                        request.header("authorization", bearer.trim_start_matches("Authorization: "));
                    let answer =
                        conn.request(request.body(Full::<Bytes>::default()).expect("a request")).await;
                    assert_eq!(answer.status(), 200, "{answer:?}");
                    if !load.count(CONNECTIONS) {
                        return;
                    }
                }
            });
        });
        change_everything(&fixture, &bearer, &load);
        drop(done);
    });
    // Every connection is still the same, and every request reached the upstream.
    let sent: usize = load.sent.iter().map(|sent| sent.load(Ordering::Relaxed)).sum();
    assert_eq!(fixture.upstream.requests("GET /hello ").len(), sent);
    assert!(!gateway.written().contains("only after a restart"), "{}", gateway.written());
}

fn change_everything(fixture: &Fixture, bearer: &str, load: &Load) {
    let gateway = &fixture.gateway;
    let good = |target: &str| fixture.raw(get(target, &[bearer])).code() == 200;
    load.goes_on(gateway);

    let route = "\n[[routes]]\npath = \"/added\"\nscopes = [\"read\"]\nupstream = \"api\"\n";
    gateway.rewrite(|text| format!("{text}{route}"));
    eventually(gateway, "the new route", || good("/added"));
    load.goes_on(gateway);

    let client = format!(
        "\n[clients.late]\nsecret = \"{}\"\ncapabilities = [\"client_credentials\"]\nscopes = [\"read\"]\n",
        cheap_hash(SECRET)
    );
    gateway.rewrite(|text| format!("{client}{text}"));
    eventually(gateway, "the new client", || fixture.ask_token("late", "&scope=read").code() == 200);
    let late = fixture.bearer("late", "read");
    load.goes_on(gateway);

    let others = fixture.bearer("other", "read");
    gateway.rewrite(|text| {
        let (before, behind) = text.split_once("[clients.other]").expect("the other client");
        let behind = behind.replacen("scopes = [\"read\"]", "scopes = [\"write\"]", 1);
        format!("{before}[clients.other]{behind}")
    });
    // One part of a reload is seen before another. All of it is in force once the log says so.
    gateway.wait_for("changed client \"other\"");
    fixture.ask_token("other", "&scope=read").status(400);
    fixture.ask_token("other", "&scope=write").status(200);
    // A token does not outlive a scope that it has.
    fixture.raw(get("/hello?m=lost", &[&others])).bearer_error(401, Some("invalid_token"));
    load.goes_on(gateway);

    let text = std::fs::read_to_string(gateway.dir().join("gateway.toml")).expect("gateway.toml");
    gateway
        .rewrite(|text| text.replace("path = \"/added\"", "path = \"/gone\"").replace("[scopes]", "[scope]"));
    gateway.wait_for("is not applied");
    gateway.wait_for("did you mean `scopes`?");
    assert!(good("/added") && !good("/gone"), "half of a bad file was applied");
    fixture.raw(get("/hello?m=kept", &[&late])).status(200);
    load.goes_on(gateway);

    // Written in one step, and the same file again.
    for _ in 0..3 {
        let before = gateway.times_written("reloaded: ");
        gateway.rewrite(|_| text.clone());
        gateway.signal("HUP");
        gateway.wait_until_written("reloaded: ", before);
    }
    assert!(good("/added"));
    load.goes_on(gateway);
}

#[test]
fn a_slowly_written_file_is_read_once_it_is_complete() {
    let fixture = Fixture::start(|config| config);
    let path = fixture.gateway.dir().join("gateway.toml");
    let text = std::fs::read_to_string(&path).expect("gateway.toml");
    let (half, _) = text.split_once("[clients.server]").expect("the client");
    for _ in 0..10 {
        let bearer = fixture.bearer("server", "read");
        let reloads = fixture.gateway.times_written("reloaded: ");
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        let mut write = |text: &str| {
            std::fs::write(&path, text).expect("gateway.toml");
            longest = longest.max(last.elapsed());
            last = Instant::now();
            longest
        };
        // Each part is a valid file, without the client.
        for part in 0..16 {
            write(&format!("{half}# {part}\n"));
            thread::sleep(Duration::from_millis(60));
        }
        let longest = write(&format!("{text}\n"));
        eventually(&fixture.gateway, "the whole file", || fixture.ask_token("server", "").code() == 200);
        // On a busy machine the writer may pause so long that it seems to be done.
        if longest < Duration::from_millis(200) {
            fixture.gateway.wait_until_written("reloaded: ", reloads);
            fixture.raw(get("/hello", &[&bearer])).status(200);
            return;
        }
    }
}

fn put(dir: &Path, name: &str, identity: &Identity) {
    std::fs::write(dir.join(format!("{name}.pem")), pem("CERTIFICATE", &identity.certificate))
        .expect("a file");
    std::fs::write(dir.join(format!("{name}.key")), pem("PRIVATE KEY", &identity.key)).expect("a file");
}

#[test]
fn renewed_certificates_are_used_for_the_next_handshake() {
    let (elsewhere, upstream) = (tempfile::tempdir().expect("a folder"), Upstream::start());
    let dir = elsewhere.path();
    let [first, second, third] = ["localhost"; 3].map(self_signed);
    put(dir, "server", &first);
    let config = Config::standard(upstream.address()).listen("https://127.0.0.1:0");
    let tls =
        format!("[server.tls]\ncertificate = \"{0}/server.pem\"\nkey = \"{0}/server.key\"\n", dir.display());
    let gateway = Gateway::start(&config.table(&tls));
    let address = gateway.tls();
    assert_eq!(shown(address), first.certificate);
    let mut kept = Conn::tls(address, &["http/1.1"]);
    kept.request(get("/hello", &[])).status(401);

    // gateway.toml is unchanged.
    put(dir, "server", &second);
    eventually(&gateway, "the second certificate", || shown(address) == second.certificate);
    kept.request(get("/hello", &[])).status(401);

    // An incomplete renewal is refused, and applied once it is complete.
    std::fs::write(dir.join("server.pem"), pem("CERTIFICATE", &third.certificate)).expect("a file");
    gateway.wait_until_written("does not belong to the certificate", 0);
    assert_eq!(shown(address), second.certificate);
    put(dir, "server", &third);
    eventually(&gateway, "the third certificate", || shown(address) == third.certificate);

    // Other paths, and then the self-signed certificate.
    put(dir, "moved", &first);
    gateway.rewrite(|text| text.replace("/server.", "/moved."));
    eventually(&gateway, "the moved certificate", || shown(address) == first.certificate);
    gateway.rewrite(|text| text.replace(&tls.replace("/server.", "/moved."), ""));
    eventually(&gateway, "the self-signed certificate", || {
        ![&first, &second, &third].iter().any(|known| known.certificate == shown(address))
    });
    kept.request(get("/hello", &[])).status(401);
    assert!(!gateway.written().contains("only after a restart"), "{}", gateway.written());
}

#[test]
fn a_new_client_ca_applies_from_the_next_handshake() {
    let (elsewhere, upstream) = (tempfile::tempdir().expect("a folder"), Upstream::start());
    let ca = elsewhere.path().join("ca.pem");
    let [one, other] = [Authority::new(), Authority::new()];
    let [ones, others] = [one.sign("client.example.test"), other.sign("client.example.test")];
    let gateway = Gateway::start(&Config::standard(upstream.address()).listen("https://127.0.0.1:0"));
    let taken = |identity: &Identity| {
        let mut conn = Conn::tls_as(gateway.tls(), Some(identity));
        conn.send(get("/hello", &[]));
        conn.try_read(false).is_ok_and(|answer| answer.code() == 401)
    };
    assert!(taken(&ones) && taken(&others), "no client must show a certificate");
    std::fs::write(&ca, &one.pem).expect("a file");
    gateway.rewrite(|text| format!("{text}\n[server.tls]\nclient_ca = \"{}\"\n", ca.display()));
    eventually(&gateway, "the first authority", || !taken(&others));
    assert!(taken(&ones));
    std::fs::write(&ca, &other.pem).expect("a file");
    eventually(&gateway, "the other authority", || !taken(&ones));
    assert!(taken(&others));
    assert!(!gateway.written().contains("only after a restart"), "{}", gateway.written());
}

#[test]
fn limits_proxies_and_secrets_are_reloaded_and_other_changes_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "one").expect("a file");
    let upstream = Upstream::start();
    let lines = format!("credentials = {{ header = \"X-Api-Key\", value = \"file:{}\" }}", secret.display());
    let config = Config::bare()
        .upstream("api", upstream.address())
        .table(&lines)
        .route("path = \"/open\"\naccess = \"public\"\nupstream = \"api\"");
    let gateway = Gateway::start(&config);
    let address = gateway.plain();
    let mut kept = Conn::plain(address);
    let mut forwarded = |marker: &str| {
        let request = get(&format!("/open?m={marker}"), &["X-Forwarded-For: 192.0.2.7"]);
        kept.request(request).status(200);
        let seen = upstream.only(&format!("m={marker} "));
        (seen.all("x-forwarded-for").join(", "), seen.all("x-api-key").join(", "))
    };
    assert_eq!(forwarded("before"), ("127.0.0.1".to_owned(), "one".to_owned()));

    let mut turn = 0;
    gateway.rewrite(|text| text.replace("threads = 1", "threads = 1\ntrusted_proxies = [\"127.0.0.0/8\"]"));
    eventually(&gateway, "the trusted proxy", || {
        turn += 1;
        forwarded(&format!("proxy-{turn}")).0 == "192.0.2.7, 127.0.0.1"
    });
    std::fs::write(&secret, "two").expect("a file");
    eventually(&gateway, "the other secret", || {
        turn += 1;
        forwarded(&format!("secret-{turn}")).1 == "two"
    });

    // New connections have the new limits, existing ones keep theirs.
    let long = get("/open?m=long", &[&format!("X-Long: {}", "x".repeat(9000))]);
    let mut before = Conn::plain(address);
    before.request(&long).status(200);
    let limits =
        "[server.limits]\nmax_header_size = \"8KiB\"\nmax_body_size = \"10B\"\nbody_timeout = \"1s\"\n";
    gateway.rewrite(|text| format!("{text}\n{limits}"));
    // New connections have the limit before the routes have theirs. All is in force once the log says so.
    gateway.wait_for("changed route any /open");
    Conn::plain(address).request(&long).status(431);
    before.request(&long).status(200);
    let post =
        |length| format!("POST /open?m=post HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    before.request(post(11)).status(413);
    let mut slow = Conn::plain(address);
    slow.request(post(10)).status(408);
    assert!(!gateway.written().contains("only after a restart"), "{}", gateway.written());

    gateway.rewrite(|text| {
        text.replace("http://127.0.0.1:0\"]", "http://127.0.0.1:0\", \"http://127.0.0.1:0\"]")
            .replace("[server]", "[server]\nstate_dir = \"elsewhere\"")
            .replace("threads = 1", "threads = 2")
    });
    for key in ["server.listen", "server.threads", "server.state_dir"] {
        gateway.wait_until_written(&format!("a change of {key} takes effect only after a restart"), 0);
    }
    assert_eq!(gateway.times_written("only after a restart"), 3, "{}", gateway.written());
}
