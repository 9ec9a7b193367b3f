//! Upstream faults while 32 connections are busy: every response is complete and belongs to its client, or
//! has an error. Nothing hangs, no unsafe request is sent twice, and the gateway recovers by itself.

mod server;

use crate::support::{Config, Conn, Gateway, PATIENCE, get};
use server::{Mode, Server};
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 32;

/// A gateway in front of `server`, with a short read timeout.
fn gateway(server: &Server) -> Gateway {
    Gateway::start(&config(server.address))
}

fn config(address: SocketAddr) -> Config {
    Config::bare()
        .client("busy", crate::support::config::SECRET, "scopes = [\"read\"]")
        .table(&format!("[upstreams.api]\nservers = [\"http://{address}\"]\nread_timeout = \"200ms\""))
        .route("prefix = \"/api\"\nscopes = [\"read\"]\nupstream = \"api\"")
}

fn bearer(gateway: &Gateway) -> String {
    let form = format!(
        "grant_type=client_credentials&client_id=busy&scope=read&client_secret={}",
        crate::support::config::SECRET
    );
    let answer =
        Conn::plain(gateway.plain()).request(crate::support::post_form(crate::support::TOKEN, &[], form));
    format!("Authorization: Bearer {}", crate::support::token_of(&answer))
}

/// The results of the requests: the count of each status, and of truncated responses.
#[derive(Default, Debug)]
struct Tally {
    statuses: HashMap<(bool, u16), usize>,
    cut: usize,
}

impl Tally {
    fn of(&self, wanted: impl Fn(bool, u16) -> bool) -> usize {
        self.statuses
            .iter()
            .filter(|((post, status), _)| wanted(*post, *status))
            .map(|(_, count)| count)
            .sum()
    }
}

/// Stops the load, also when an assertion fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

/// Keeps 32 connections busy during `work`; with `posts`, every other one sends POST. Fails if a response is
/// late, has an unexpected status, or belongs to another request.
fn under_load(gateway: &Gateway, bearer: &str, posts: bool, work: impl FnOnce()) -> Tally {
    let (tally, running) = (Mutex::new(Tally::default()), AtomicBool::new(true));
    let address = gateway.plain();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (tally, running) = (&tally, &running);
                scope.spawn(move || {
                    let post = posts && client % 2 == 1;
                    let mut conn = Conn::plain(address);
                    for number in 0.. {
                        if !running.load(Relaxed) {
                            return;
                        }
                        let target = format!("/api/{client}/{number}");
                        conn.send(if post {
                            crate::support::post_form(&target, &[bearer], "a=b")
                        } else {
                            get(&target, &[bearer])
                        });
                        match conn.try_read(false) {
                            Ok(answer) => {
                                answer.status_in(&[200, 502, 503, 504]);
                                if answer.code() == 200 {
                                    assert_eq!(
                                        answer.body(),
                                        target.as_bytes(),
                                        "another's answer: {answer}"
                                    );
                                }
                                let mut tally = tally.lock().expect("the tally");
                                *tally.statuses.entry((post, answer.code())).or_default() += 1;
                            }
                            Err(e) => {
                                let late =
                                    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                                assert!(!late, "{target}: no answer in time");
                                tally.lock().expect("the tally").cut += 1;
                                conn = Conn::plain(address);
                            }
                        }
                    }
                })
            })
            .collect();
        let stop = Stop(&running);
        work();
        drop(stop);
        for client in clients {
            client.join().expect("a client that is content");
        }
    });
    tally.into_inner().expect("the tally")
}

/// Waits for a 200, and accepts no other status afterwards.
#[track_caller]
fn recovers(gateway: &Gateway, bearer: &str) {
    let deadline = Instant::now() + PATIENCE;
    let mut conn = loop {
        // The gateway closes a connection at once while those of a flood still count.
        let mut conn = Conn::plain(gateway.plain());
        conn.send(get("/api/back", &[bearer]));
        if conn.try_read(false).is_ok_and(|response| response.code() == 200) {
            break conn;
        }
        assert!(Instant::now() < deadline, "no recovery within 5 s");
        thread::sleep(Duration::from_millis(10));
    };
    for _ in 0..50 {
        conn.request(get("/api/well", &[bearer])).status(200);
    }
    let written = gateway.written();
    assert!(!written.contains("panicked"), "{written}");
}

/// Statuses that POST requests must not get.
#[track_caller]
fn nothing_was_sent_twice(server: &Server) {
    let seen = server.state.seen.lock().expect("targets");
    let odd = |target: &str| {
        target.split('/').nth(2).and_then(|n| n.parse::<usize>().ok()).is_some_and(|n| n % 2 == 1)
    };
    let twice: Vec<_> = seen.iter().filter(|(target, count)| odd(target) && **count > 1).collect();
    assert!(twice.is_empty(), "posts that came twice: {twice:?}");
    assert!(seen.keys().any(|target| odd(target)), "no post came at all");
}

#[test]
fn requests_recover_after_an_upstream_is_killed_and_restarted() {
    let server = Server::start();
    let gateway = gateway(&server);
    let bearer = bearer(&gateway);
    let tally = under_load(&gateway, &bearer, true, || {
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(200));
            server.kill();
            thread::sleep(Duration::from_millis(200));
            server.come_back();
        }
        recovers(&gateway, &bearer);
    });
    assert_eq!(tally.cut, 0, "{tally:?}");
    for post in [true, false] {
        assert!(tally.of(|kind, status| kind == post && status == 200) > 0, "{tally:?}");
    }
    assert!(tally.of(|_, status| status != 200) > 0, "no request noticed the dead server: {tally:?}");
    nothing_was_sent_twice(&server);
    // One log line per interval for all of them.
    gateway.wait_for("upstream \"api\":");
    let lines = gateway.written().matches("upstream \"api\":").count();
    assert!((1..5).contains(&lines), "{}", gateway.written());
}

#[test]
fn closed_idle_connections_fail_no_request_that_can_be_retried() {
    let server = Server::start();
    server.become_(Mode::ClosesIdle);
    let gateway = gateway(&server);
    let bearer = bearer(&gateway);
    let tally = under_load(&gateway, &bearer, true, || thread::sleep(Duration::from_millis(800)));
    assert_eq!(tally.cut, 0, "{tally:?}");
    assert_eq!(tally.of(|post, status| !post && status != 200), 0, "{tally:?}");
    assert!(tally.of(|post, _| !post) > 2 * CLIENTS, "{tally:?}");
    nothing_was_sent_twice(&server);
}

#[test]
fn upstream_faults_affect_only_the_request_in_progress() {
    let server = Server::start();
    server.become_(Mode::Faulty);
    let gateway = gateway(&server);
    let bearer = bearer(&gateway);
    let tally = under_load(&gateway, &bearer, true, || {
        thread::sleep(Duration::from_millis(1200));
        server.become_(Mode::Well);
        thread::sleep(Duration::from_millis(100));
        recovers(&gateway, &bearer);
    });
    for status in [200, 502, 504] {
        assert!(tally.of(|_, seen| seen == status) > 0, "no {status}: {tally:?}");
    }
    assert!(tally.cut > 0, "{tally:?}");
    nothing_was_sent_twice(&server);
}

/// Returns the number of descriptors that a process has open.
fn descriptors(gateway: &Gateway) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).map_or(0, Iterator::count)
}

/// Waits until the process has at most this number open.
#[track_caller]
fn falls_to(gateway: &Gateway, most: usize) {
    let deadline = Instant::now() + PATIENCE;
    while descriptors(gateway) > most {
        assert!(Instant::now() < deadline, "{} descriptors, {most} were to be left", descriptors(gateway));
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_disconnected_client_frees_every_resource() {
    let server = Server::start();
    let gateway = gateway(&server);
    let bearer = bearer(&gateway);
    recovers(&gateway, &bearer);
    let before = descriptors(&gateway);
    let tally = under_load(&gateway, &bearer, false, || {
        let head = |framing: &str| {
            format!("POST /api/left/by HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n{framing}\r\n\r\n")
        };
        for number in 0..200 {
            let mut conn = Conn::plain(gateway.plain());
            match number % 4 {
                0 => conn.send(head("Content-Length: 100000") + "half"),
                1 => conn.send(head("Transfer-Encoding: chunked") + "5\r\nha"),
                2 => conn.send(head("Content-Length: 100000") + &"x".repeat(60_000)),
                _ => conn.send(get("/api/unread", &[&bearer])),
            }
            if number % 8 > 3 {
                conn.finish();
            }
        }
    });
    assert_eq!((tally.cut, tally.of(|_, status| status != 200)), (0, 0), "{tally:?}");
    assert!(!server.state.seen.lock().expect("targets").contains_key("/api/left/by"), "half became a whole");
    // Idle connections in the pool may stay: at most one per client, and one per complete request whose
    // client could still have read the response.
    falls_to(&gateway, before + CLIENTS + 200 / 4);
}

/// A flood of connections does not take the descriptors that the connections in use need to reach their
/// servers.
#[test]
fn a_flood_of_connections_leaves_descriptors_for_the_upstreams() {
    let server = Server::start();
    let mut gateway = Gateway::start_with_files(&config(server.address), 96);
    gateway.wait_for("connections are accepted instead of 20000");
    let bearer = bearer(&gateway);
    recovers(&gateway, &bearer);
    let mut first = Conn::plain(gateway.plain());
    first.request(get("/api/many", &[&bearer])).status(200);
    let mut many: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(gateway.plain()).expect("a place in the queue")).collect();
    for stream in &mut many {
        let _ = stream.write_all(&get("/api/many", &[&bearer]));
    }
    let deadline = Instant::now() + PATIENCE;
    while !gateway.written().contains("connections refused: max_connections is reached") {
        assert!(Instant::now() < deadline, "it has enough: {} descriptors", descriptors(&gateway));
        thread::sleep(Duration::from_millis(10));
    }
    first.request(get("/api/many", &[&bearer])).status(200);
    assert!(gateway.is_running());
    drop(many);
    recovers(&gateway, &bearer);
    assert!(!gateway.written().contains("cannot accept"), "{}", gateway.written());
    assert_eq!(gateway.written().matches("connections refused").count(), 1, "{}", gateway.written());
}
