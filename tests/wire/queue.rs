//! Requests above `max_in_flight` that wait in the queue.

use crate::support::upstream::ok;
use crate::support::{Conn, Fixture, Next, Upstream, get};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A gateway in front of a server that takes one request at a time and holds `/q/long` until it is released.
fn one_at_a_time(lines: &str) -> (Fixture, Upstream, Sender<()>) {
    let api = Upstream::start();
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let released = Arc::new(Mutex::new(released));
    api.on("/q/long", move |_, out| {
        let _ = released.lock().expect("the channel").recv_timeout(Duration::from_secs(20));
        out.write_all(&ok("{}")).map(|()| Next::KeepAlive)
    });
    let gateway = Fixture::start(|config| {
        config
            .table(&format!(
                "[upstreams.narrow]\nservers = [\"http://{}\"]\nmax_in_flight = 1\n{lines}",
                api.address()
            ))
            .route("prefix = \"/q\"\naccess = \"public\"\nupstream = \"narrow\"")
    });
    (gateway, api, release)
}

/// Sends the request, and gives the gateway time to see it before the next one.
fn send(gateway: &Fixture, target: &str) -> Conn {
    let mut conn = gateway.connect();
    conn.send(get(target, &[]));
    for _ in 0..3 {
        gateway.raw(get("/nothing-here", &[])).status(404);
    }
    conn
}

#[test]
fn the_queue_is_first_in_first_out_and_bounded() {
    let (gateway, api, release) = one_at_a_time("max_queue = 2\nqueue_timeout = \"30s\"");
    let mut under_way = send(&gateway, "/q/long?m=first.");
    api.wait_for("m=first.");
    let mut waiting = [send(&gateway, "/q/long?m=second."), send(&gateway, "/q/long?m=third.")];
    gateway.raw(get("/q/long?m=too-many.", &[])).problem(503).has("retry-after", "1");
    assert!(!api.saw("m=second.") && !api.saw("m=third."), "they are to wait here, not there");
    for (conn, next) in [(&mut under_way, "m=second."), (&mut waiting[0], "m=third.")] {
        release.send(()).expect("a handler waits");
        conn.read().status(200);
        api.wait_for(next);
    }
    assert!(!api.saw("m=too-many."));
    release.send(()).expect("a handler waits");
    waiting[1].read().status(200);
    // Every permit is free again.
    gateway.raw(get("/q/short", &[])).status(200);
}

#[test]
fn queued_requests_time_out() {
    let (gateway, api, release) = one_at_a_time("max_queue = 1\nqueue_timeout = \"50ms\"");
    let mut under_way = send(&gateway, "/q/long?m=first.");
    api.wait_for("m=first.");
    for _ in 0..3 {
        gateway.raw(get("/q/long?m=late.", &[])).problem(503).has("retry-after", "1");
    }
    release.send(()).expect("a handler waits");
    under_way.read().status(200);
    gateway.raw(get("/q/short", &[])).status(200);
    assert!(!api.saw("m=late."));
}

#[test]
fn a_client_that_disconnects_frees_its_place_in_the_queue() {
    let (gateway, api, release) = one_at_a_time("max_queue = 1\nqueue_timeout = \"30s\"");
    let mut under_way = send(&gateway, "/q/long?m=first.");
    api.wait_for("m=first.");
    let gone = send(&gateway, "/q/long?m=gone.");
    gateway.raw(get("/q/short", &[])).problem(503);
    drop(gone);
    // Refused until the disconnect is noticed; then queued, and answered in its turn.
    let (address, refusals) = (gateway.address(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&refusals);
    let next = thread::spawn(move || {
        loop {
            let answer = crate::support::raw(address, get("/q/short?m=next.", &[]));
            if answer.code() != 503 || counted.fetch_add(1, Ordering::Relaxed) > 1_000 {
                return answer.code();
            }
        }
    });
    let mut before = usize::MAX;
    while before != refusals.load(Ordering::Relaxed) {
        before = refusals.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(300));
    }
    release.send(()).expect("a handler waits");
    under_way.read().status(200);
    assert_eq!(next.join().expect("it ends"), 200);
    assert!(!api.saw("m=gone."), "a request of a disconnected client went upstream");
}
