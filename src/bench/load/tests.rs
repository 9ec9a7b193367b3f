//! The load against servers that misbehave.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use http::Method;

use super::*;
use crate::bench::scenario::{Kind, Message};

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Starts a server that calls `serve` with each connection.
fn server(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads a request. Returns false at the end of the connection.
fn request(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return false;
        }
        head.extend(byte);
    }
    true
}

fn round(
    address: SocketAddr,
    connections: usize,
    duration: Duration,
    change: impl Fn(&mut Scenario),
) -> Round {
    let message = Message::new(&Method::GET, "http://here", "here", "/", &[], None).unwrap();
    let mut scenario =
        Scenario { kind: Kind::Public, messages: vec![message].into(), rate: None, most: None };
    change(&mut scenario);
    let load = Load {
        destination: Destination { address, tls: None, http2: false },
        threads: 2,
        connections,
        server: None,
        stop: Arc::new(AtomicBool::new(false)),
    };
    load.round(&scenario, duration, &mut |_| {}).unwrap()
}

/// Longer than any machine needs: these rounds end when all requests are sent.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn responses_are_counted_and_the_number_of_requests_is_limited() {
    let answered = Arc::new(AtomicU64::new(0));
    let counting = Arc::clone(&answered);
    let address = server(move |mut stream| {
        while request(&mut stream) {
            counting.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(GOOD);
        }
    });
    let round = round(address, 3, LONG, |scenario| scenario.most = Some(50));
    let tally = round.tally;
    assert_eq!(answered.load(Ordering::SeqCst), 50);
    assert_eq!((tally.good, tally.in_time, tally.latency.count()), (50, 50, 50), "{tally:?}");
    assert_eq!((tally.late, tally.faults(), tally.unexpected, tally.unsent), (0, 0, 0, 0));
    assert_eq!(tally.statuses.into_iter().collect::<Vec<_>>(), [(200, 50)]);
    assert!(
        round.seconds < LONG.as_secs_f64(),
        "the round ends when all requests are sent: {}",
        round.seconds
    );
}

#[test]
fn other_statuses_and_lost_connections_are_counted_as_errors() {
    let address = server(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n");
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi");
    });
    let tally = round(address, 1, LONG, |scenario| scenario.most = Some(6)).tally;
    assert_eq!((tally.good, tally.late, tally.unexpected), (0, 0, 3), "{tally:?}");
    assert_eq!(tally.faults.into_iter().collect::<Vec<_>>(), [(Fault::Closed, 3)]);
    assert_eq!(tally.latency.count(), 0, "the latency of refusals does not count");

    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tally = round(gone, 2, LONG, |scenario| scenario.most = Some(4)).tally;
    assert_eq!(tally.faults.into_iter().collect::<Vec<_>>(), [(Fault::Connect, 4)]);
}

/// If a server stalls for a while, all requests that were due in that time are slow, not only the one that
/// was sent (coordinated omission).
#[test]
fn a_stall_delays_all_requests_that_were_due() {
    const STALL: Duration = Duration::from_millis(400);
    let address = server(|mut stream| {
        let mut first = true;
        while request(&mut stream) {
            if std::mem::take(&mut first) {
                thread::sleep(STALL);
            }
            stream.write_all(GOOD).unwrap();
        }
    });
    let rate = |scenario: &mut Scenario| scenario.rate = Some(100.0);
    let tally = round(address, 1, Duration::from_millis(500), rate).tally;
    // Due at 0, 10, 20 … ms: those up to 200 ms cannot have been answered within 200 ms of that.
    assert!(tally.latency.count() >= 45, "all requests that were due are counted: {tally:?}");
    let share = 1.0 - 20.0 / tally.latency.count() as f64;
    assert!(tally.latency.quantile(share) >= STALL / 2, "{:?}", tally.latency.quantile(share));
    assert!(tally.latency.max() >= STALL);
}

#[test]
fn a_rate_above_the_server_s_capacity_is_slow_without_errors() {
    let address = server(|mut stream| {
        while request(&mut stream) {
            thread::sleep(Duration::from_millis(20));
            let _ = stream.write_all(GOOD);
        }
    });
    // 200 requests are due within 200 ms. About a hundred get a response before the end of the grace.
    let rate = |scenario: &mut Scenario| scenario.rate = Some(1000.0);
    let tally = round(address, 1, Duration::from_millis(200), rate).tally;
    assert_eq!(tally.faults(), 0, "{tally:?}");
    assert!(tally.good <= 10 && tally.unsent > 0, "{tally:?}");
    assert_eq!(tally.latency.count(), tally.good + tally.late + tally.unsent);
    assert_eq!(tally.in_time, tally.good);
    assert!(tally.latency.max() >= GRACE);
}

#[test]
fn a_server_that_never_responds_does_not_delay_the_end() {
    let address = server(|mut stream| while request(&mut stream) {});
    let rate = |scenario: &mut Scenario| scenario.rate = Some(50.0);
    let tally = round(address, 2, Duration::from_millis(100), rate).tally;
    assert_eq!(tally.faults.get(&Fault::Unanswered), Some(&2));
    assert!(tally.unsent > 0, "{tally:?}");
    assert_eq!(tally.latency.count(), tally.unsent);
    assert!(tally.latency.quantile(0.0) >= GRACE, "requests that were never sent waited all that time");
}
