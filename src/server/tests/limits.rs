//! Timeouts, sizes and numbers: what happens to clients that are slow, large or many.

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::config::{AddressRange, ConnectionsPerAddress};

#[test]
fn a_slow_head_is_answered_408_and_closed() {
    let limits = Limits { header_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Running::start(plain(limits));
    let mut client = server.connect();
    let start = Instant::now();
    client.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    let answer = read_to_end(&mut client);
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
    assert!((Duration::from_millis(150)..Duration::from_secs(5)).contains(&start.elapsed()));

    let mut silent = server.connect();
    assert_eq!(read_to_end(&mut silent), "", "who asks nothing is told nothing");
}

#[test]
fn an_idle_connection_outlives_the_header_timeout_but_not_the_idle_timeout() {
    let limits = Limits {
        header_timeout: Duration::from_millis(150),
        idle_timeout: Duration::from_secs(2),
        ..Limits::default()
    };
    let server = Running::start(plain(limits));
    let mut client = server.connect();
    let request = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    client.write_all(request).unwrap();
    read_answer(&mut client);
    thread::sleep(Duration::from_millis(400));
    client.write_all(request).unwrap();
    assert!(read_answer(&mut client).starts_with("HTTP/1.1 200"));
    let start = Instant::now();
    assert!(is_closed(&mut client));
    assert!((Duration::from_millis(1_950)..LONG).contains(&start.elapsed()));

    // The second head on a connection has its own time.
    let mut client = server.connect();
    client.write_all(request).unwrap();
    read_answer(&mut client);
    client.write_all(b"GET").unwrap();
    // The idle timeout would close it without a word.
    assert!(read_to_end(&mut client).starts_with("HTTP/1.1 408"));
}

#[test]
fn an_idle_connection_serves_again_times_out_and_is_drained() {
    let limits = Limits {
        header_timeout: Duration::from_millis(150),
        // A connection frees its state after at most half of this time.
        idle_timeout: Duration::from_secs(4),
        ..Limits::default()
    };
    let server = Running::start(plain(limits));
    let request = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    let mut clients = [(); 3].map(|()| server.connect());
    for client in &mut clients {
        client.write_all(request).unwrap();
        read_answer(client);
    }
    thread::sleep(Duration::from_millis(2_100));
    let [mut awake, mut slow, mut idle] = clients;
    for _ in 0..2 {
        awake.write_all(&request.repeat(2)).unwrap();
        assert!(read_answer(&mut awake).starts_with("HTTP/1.1 200"));
        assert!(read_answer(&mut awake).starts_with("HTTP/1.1 200"));
    }
    slow.write_all(b"G").unwrap();
    assert!(read_to_end(&mut slow).starts_with("HTTP/1.1 408"));
    server.shutdown.drain();
    assert_eq!(server.exit(), ExitReason::Drained);
    assert!(is_closed(&mut idle));
}

#[test]
fn a_connection_with_a_slow_handler_is_not_idle() {
    let limits = Limits {
        header_timeout: Duration::from_millis(50),
        idle_timeout: Duration::from_millis(60),
        ..Limits::default()
    };
    let server = Running::start(plain(limits));
    let mut client = server.connect();
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    assert!(read_answer(&mut client).ends_with("slow"));
}

#[test]
fn a_client_that_does_not_read_is_disconnected() {
    let limits = Limits { write_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Running::start(plain(limits));
    let mut client = server.connect();
    client.write_all(b"GET /big HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(900));
    let mut received = Vec::new();
    let _ = client.read_to_end(&mut received);
    assert!(received.starts_with(b"HTTP/1.1 200") && received.len() < 32 << 20, "{}", received.len());
}

#[test]
fn invalid_request_heads_are_refused() {
    let server = Running::start(plain(Limits { max_header_size: 16 * 1024, ..Limits::default() }));
    let long = format!("GET / HTTP/1.1\r\nHost: here\r\nX-Long: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\nHost: here\r\n{}\r\n", "X-Many: 1\r\n".repeat(101));
    let cases = [
        (long.as_str(), "431 Request Header Fields Too Large"),
        (many.as_str(), "431 Request Header Fields Too Large"),
        ("GET / HTTP/1.1\r\nBad Name: 1\r\n\r\n", "400 Bad Request"),
        ("\0\0\0\0\r\n\r\n", "400 Bad Request"),
    ];
    for (head, status) in cases {
        let mut client = server.connect();
        client.write_all(head.as_bytes()).unwrap();
        let answer = read_to_end(&mut client);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains("\r\ncache-control: no-store\r\n"), "{answer}");
        assert!(answer.contains("\r\nx-content-type-options: nosniff\r\n"), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    }
    // A valid request and an invalid one on the same connection: each gets its response.
    let mut client = server.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    assert!(read_answer(&mut client).starts_with("HTTP/1.1 200"));
    client.write_all(b"nonsense\r\n\r\n").unwrap();
    assert!(read_to_end(&mut client).contains("nosniff"));
}

#[test]
fn connections_above_the_limit_get_503_and_are_closed() {
    let server = Running::start(plain(Limits { max_connections: 1, ..Limits::default() }));
    let mut first = server.connect();
    first.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    read_answer(&mut first);
    let mut second = server.connect();
    let answer = read_to_end(&mut second);
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    drop(first);
    let start = Instant::now();
    loop {
        let mut third = server.connect();
        // The server may refuse before it reads, which resets the connection.
        let _ = third.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        let _ = third.read_to_end(&mut answer);
        if answer.starts_with(b"HTTP/1.1 200") {
            break;
        }
        assert!(start.elapsed() < LONG, "the slot was not released");
    }
}

#[test]
fn a_proxy_header_names_the_client() {
    let mut options = plain(Limits::default());
    options.listeners[0].proxy_protocol = Some([AddressRange::parse("127.0.0.0/8").unwrap()].into());
    let server = Running::start(options);
    let mut client = server.connect();
    client
        .write_all(b"PROXY TCP4 192.0.2.7 192.0.2.1 5632 443\r\nGET / HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    assert!(read_answer(&mut client).ends_with("peer=192.0.2.7:5632"));
    let mut without = server.connect();
    without.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    assert!(is_closed(&mut without));
}

#[test]
fn a_client_that_sends_no_handshake_is_disconnected() {
    let state = tempfile::tempdir().unwrap();
    let limits = Limits { handshake_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Running::start(ServerOptions { limits, ..tls(state.path()) });
    let mut silent = server.connect();
    let start = Instant::now();
    assert!(is_closed(&mut silent));
    assert!((Duration::from_millis(150)..Duration::from_secs(5)).contains(&start.elapsed()));
}

#[test]
fn one_address_cannot_use_every_connection() {
    let one = ConnectionsPerAddress::AtMost(NonZeroUsize::MIN);
    let limits = Limits { max_connections_per_address: one, ..Limits::default() };
    let server = Running::start(plain(limits));
    let mut first = server.connect();
    first.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    read_answer(&mut first);
    assert!(read_to_end(&mut server.connect()).starts_with("HTTP/1.1 503"));
}

#[test]
fn a_proxy_header_from_an_untrusted_address_is_not_read() {
    let mut options = plain(Limits::default());
    options.listeners[0].proxy_protocol = Some([AddressRange::parse("192.0.2.0/24").unwrap()].into());
    let server = Running::start(options);
    let mut client = server.connect();
    // The connection may be closed before this is sent.
    let _ =
        client.write_all(b"PROXY TCP4 192.0.2.7 192.0.2.1 5632 443\r\nGET / HTTP/1.1\r\nHost: here\r\n\r\n");
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{}", answer.escape_ascii());
}

/// The limit applies to clients. With the PROXY protocol each client has its own address, and a trusted proxy
/// represents many clients.
#[test]
fn the_limit_per_address_does_not_apply_to_proxies() {
    let one = ConnectionsPerAddress::AtMost(NonZeroUsize::MIN);
    let loopback = AddressRange::parse("127.0.0.0/8").unwrap();
    let limits = Limits { max_connections_per_address: one, ..Limits::default() };
    let answers = |server: &Running, rows: [(&str, &str); 3]| {
        let mut open = Vec::new();
        for (header, expected) in rows {
            let mut client = server.connect();
            client.write_all(header.as_bytes()).unwrap();
            if expected == "200" {
                client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
            }
            let answer = read_answer(&mut client);
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{header} {answer}");
            open.push(client);
        }
    };
    let mut options = plain(limits.clone());
    options.listeners[0].proxy_protocol = Some([loopback].into());
    let server = Running::start(options);
    let from = |last: u8| format!("PROXY TCP4 192.0.2.{last} 192.0.2.1 5632 443\r\n");
    answers(&server, [(&from(7), "200"), (&from(8), "200"), (&from(7), "503")]);
    let server = Running::start(ServerOptions { trusted_proxies: vec![loopback], ..plain(limits) });
    answers(&server, [("", "200"); 3]);
}
