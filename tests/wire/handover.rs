//! Upgrades: a new process takes over from the running gateway, and clients notice nothing.

mod failed;

use crate::support::guard::Guard;
use crate::support::program::run_upgrade;
use crate::support::upstream::echo;
use crate::support::{
    Config, Conn, Fixture, Gateway, PATIENCE, REVOKE, TOKEN, TestResponse, credentials, get, post_form, raw,
};
use crate::support::{run, token_of};
pub(crate) use failed::Hanging;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How often the gateway is replaced. `TOLLGATE_UPGRADES=100` is for a run by hand.
fn upgrades() -> usize {
    std::env::var("TOLLGATE_UPGRADES").ok().and_then(|upgrades| upgrades.parse().ok()).unwrap_or(20)
}

fn start(config: impl FnOnce(Config) -> Config) -> Fixture {
    Fixture::start(|standard| config(standard).server("shutdown_grace = \"4s\"\nstate_dir = \"state\""))
}

/// Clients that send requests until they are stopped. Every response must have status 200.
struct Load {
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    clients: Vec<thread::JoinHandle<()>>,
}

impl Load {
    fn start() -> Self {
        Self { stop: Arc::default(), requests: Arc::default(), clients: Vec::new() }
    }

    /// Adds a client that repeats `request`.
    fn client(&mut self, mut request: impl FnMut(&dyn Fn(TestResponse) -> TestResponse) + Send + 'static) {
        let (stop, requests) = (Arc::clone(&self.stop), Arc::clone(&self.requests));
        self.clients.push(thread::spawn(move || {
            let good = |answer: TestResponse| {
                answer.status(200);
                requests.fetch_add(1, Ordering::Relaxed);
                answer
            };
            while !stop.load(Ordering::Relaxed) {
                request(&good);
            }
        }));
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("every request was answered with 200");
        }
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn is_last(answer: &TestResponse) -> bool {
    answer.all("connection").iter().any(|value| value.eq_ignore_ascii_case("close"))
}

#[test]
fn upgrades_under_load_lose_no_connection_no_token_and_no_revocation() {
    let echo = echo();
    let fixture = start(|config| {
        config.upstream("echo", echo).route("prefix = \"/ws\"\naccess = \"public\"\nupstream = \"echo\"")
    });
    let address = fixture.address();
    let first = bearer(&fixture.token("server", "read"));
    let mut tunnel = fixture.connect();
    tunnel.request(get("/ws", &["Connection: Upgrade", "Upgrade: websocket"])).status(101);

    let mut load = Load::start();
    let field = first.clone();
    load.client(move |good| {
        good(raw(address, get("/hello", &[&field])));
    });
    let field = first.clone();
    let mut kept = None;
    load.client(move |good| {
        let conn: &mut Conn = kept.get_or_insert_with(|| Conn::plain(address));
        let answer = good(conn.request(get("/hello", &[&field])));
        if is_last(&answer) {
            kept = None;
        }
    });
    // A token of one process is sent to the process that accepts the next connection.
    let (revoked, live) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<String>>>::default());
    let (to_revoke, to_keep) = (Arc::clone(&revoked), Arc::clone(&live));
    load.client(move |good| {
        let form = credentials("server") + "&grant_type=client_credentials&scope=read";
        let token = token_of(&good(raw(address, post_form(TOKEN, &[], form))));
        good(raw(address, get("/hello", &[&bearer(&token)])));
        if to_keep.lock().expect("tokens").len() <= to_revoke.lock().expect("tokens").len() {
            return to_keep.lock().expect("tokens").push(token);
        }
        let body = format!("{}&token={token}", credentials("server"));
        good(raw(address, post_form(REVOKE, &[], body)));
        to_revoke.lock().expect("tokens").push(token);
    });

    let dir = fixture.gateway.dir();
    let mut process = fixture.gateway.pid();
    let mut guards = Vec::new();
    for number in 0..upgrades() {
        // Another number of worker threads: sockets are left over, or one more is needed.
        let before = load.requests();
        fixture.gateway.rewrite(|text| {
            let from = if number % 2 == 0 { "threads = 1" } else { "threads = 3" };
            let to = if number % 2 == 0 { "threads = 3" } else { "threads = 1" };
            text.replace(from, to)
        });
        let (next, guard) = run_upgrade(dir);
        assert_ne!(next, process);
        process = next;
        guards.push(guard);
        if number == 0 {
            // The old process keeps it for as long as its grace time.
            tunnel.send("still there");
            tunnel.read_some("still there");
            drop(tunnel);
            tunnel = Conn::plain(address);
        }
        while load.requests() < before + 20 {
            assert!(load.clients.iter().all(|client| !client.is_finished()), "a client has failed");
            thread::sleep(Duration::from_millis(1));
        }
    }
    load.end();
    for token in live.lock().expect("tokens").iter() {
        raw(address, get("/hello", &[&bearer(token)])).status(200);
    }
    for token in revoked.lock().expect("tokens").iter() {
        raw(address, get("/hello", &[&bearer(token)])).status(401);
    }
    assert!(!revoked.lock().expect("tokens").is_empty());
    assert!(!fixture.gateway.written().contains("panicked"), "{}", fixture.gateway.written());
}

#[test]
fn the_replaced_process_ends_with_success_and_an_idle_connection_may_still_send() {
    let mut fixture = start(|config| config);
    let field = fixture.bearer("server", "read");
    let mut idle = fixture.connect();
    assert!(!is_last(idle.request(get("/hello", &[&field])).status(200)));
    fixture.gateway.signal("USR2");
    fixture.gateway.wait_for(" has taken over");
    let _guard = Guard::of_successor(&fixture.gateway);
    // The old process says on this connection which response is its last, once it drains.
    let deadline = Instant::now() + PATIENCE;
    while !is_last(idle.request(get("/hello", &[&field])).status(200)) {
        assert!(Instant::now() < deadline, "no response is the last one");
    }
    idle.assert_closed("that was the last response");
    assert!(fixture.gateway.wait(PATIENCE).success());
    fixture.raw(get("/hello", &[&field])).status(200);
}

#[test]
fn a_reload_of_the_new_process_reaches_tokens_that_the_old_one_has_issued_since() {
    let fixture = start(|config| config);
    let gateway = &fixture.gateway;
    let connect = |_| {
        let mut idle = fixture.connect();
        idle.request(get("/public/here", &[])).status(200);
        idle
    };
    let idle: Vec<Conn> = (0..3).map(connect).collect();
    gateway.signal("USR2");
    gateway.wait_for(" has taken over");
    let _guard = Guard::of_successor(gateway);
    // The old process answers on these connections. The new one has seen no token of these clients.
    let asks = [("other", "read"), ("administrator", "write"), ("administrator", "read")];
    let tokens: Vec<String> = idle
        .into_iter()
        .zip(asks)
        .map(|(mut idle, (client, scope))| {
            let ask = credentials(client) + "&grant_type=client_credentials&scope=" + scope;
            bearer(&token_of(&idle.request(post_form(TOKEN, &[], ask))))
        })
        .collect();
    let open = || -> Vec<u16> {
        let paths = ["/hello", "/write", "/hello"];
        let open = |(path, token): (&str, &String)| fixture.raw(get(path, &[token])).code();
        paths.into_iter().zip(&tokens).map(open).collect()
    };
    assert_eq!(open(), [200, 200, 200]);
    let before = gateway.times_written(" reloaded: ");
    assert_eq!(run(gateway.dir(), &["client", "disable", "other"]).code, Some(0));
    let scopes = "scopes = [\"admin\", \"read\", \"write\"]";
    gateway.rewrite(|text| text.replace(scopes, "scopes = [\"read\"]"));
    gateway.wait_until_written(" reloaded: ", before);
    let deadline = Instant::now() + Duration::from_secs(10);
    // The new process may have applied the two changes one after the other.
    while open() != [401, 401, 200] {
        assert!(Instant::now() < deadline, "{:?}\n{}", open(), gateway.written());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn metrics_and_a_service_manager_follow_the_new_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = std::os::unix::net::UnixDatagram::bind(dir.path().join("notify")).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let notified = || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).expect("a notification");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let config = Config::bare()
        .server("shutdown_grace = \"1s\"\nstate_dir = \"state\"")
        .table("[metrics]\nlisten = \"http://127.0.0.1:0\"");
    let path = dir.path().join("notify").display().to_string();
    let mut gateway = Gateway::start_text(&config.text(), &[("NOTIFY_SOCKET", &path)]);
    assert!(notified().starts_with("READY=1"));
    let text = gateway.written();
    let metrics = text.split("metrics on http://").nth(1).and_then(|text| text.split('/').next());
    let metrics: SocketAddr = metrics.and_then(|address| address.parse().ok()).expect("an address");
    let (process, _guard) = run_upgrade(gateway.dir());
    assert_eq!(notified().trim(), format!("MAINPID={process}"));
    assert!(notified().starts_with("READY=1"), "from the new process");
    assert!(gateway.wait(Duration::from_secs(10)).success());
    raw(metrics, get("/metrics", &[])).status(200);
    raw(gateway.plain(), get("/", &[])).status(404);
}

#[test]
fn what_the_replaced_process_learns_in_shadow_mode_is_added() {
    let mut fixture = start(|config| {
        config.route("prefix = \"/legacy\"\nscopes = [\"read\"]\nupstream = \"api\"\nmode = \"shadow\"")
    });
    let mut idle = fixture.connect();
    idle.request(get("/legacy/before", &[])).status(200);
    fixture.gateway.signal("USR2");
    fixture.gateway.wait_for(" has taken over");
    let _guard = Guard::of_successor(&fixture.gateway);
    // The old process answers on its open connection, and the new one on others.
    idle.request(get("/legacy/old", &[])).status(200);
    fixture.raw(get("/legacy/new", &[])).status(200);
    drop(idle);
    assert!(fixture.gateway.wait(Duration::from_secs(10)).success());
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let output = run(fixture.gateway.dir(), &["shadow", "--json"]);
        let learned: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
        if learned["routes"][0]["refused"] == 3 {
            return;
        }
        assert!(Instant::now() < deadline, "{learned:#}\n{}", fixture.gateway.written());
        thread::sleep(Duration::from_millis(50));
    }
}
