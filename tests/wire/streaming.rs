//! Streaming bodies: forwarded immediately, piece by piece, of any length, with trailers, in constant memory.

use crate::support::tls::connect_h2;
use crate::support::upstream::ok;
use crate::support::{Conn, Fixture, Next, PATIENCE, REVOKE, credentials, get, post_form, shared};
use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

#[test]
fn server_sent_events_are_forwarded_immediately() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let (make, made) = mpsc::channel::<String>();
    let made = Mutex::new(made);
    gateway.upstream.on("/api/sse-lockstep", move |_, out| {
        out.write_all(HEAD)?;
        for event in made.lock().expect("the channel").iter() {
            out.write_all(&chunk(&format!("data: {event}\n\n")))?;
        }
        out.write_all(b"0\r\n\r\n")?;
        Ok(Next::KeepAlive)
    });
    let mut conn = gateway.connect();
    conn.send(get("/api/sse-lockstep", &[&bearer, "Accept: text/event-stream"]));
    for number in 0..50 {
        make.send(format!("event {number}.")).expect("the upstream waits");
        conn.read_some(&format!("data: event {number}.\n\n"));
    }
    drop(make);
    conn.read_some("\r\n0\r\n\r\n");
    conn.send(get("/hello", &[&bearer]));
    conn.read_some("\"hello\"");
}

#[test]
fn a_stream_of_events_ends_with_its_token() {
    let gateway = shared();
    let token = gateway.token("server", "read");
    let (gone, is_gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    gateway.upstream.on("/api/sse-revoked", move |_, out| {
        out.write_all(HEAD)?;
        out.write_all(&chunk("data: one\n\n"))?;
        // Nothing more is sent: only the gateway can end the stream.
        out.set_read_timeout(Some(Duration::from_secs(10)))?;
        let end = out.read(&mut [0; 1]);
        if matches!(end, Ok(0)) {
            let _ = gone.lock().expect("the channel").send(());
        }
        Ok(Next::Close)
    });
    let mut conn = gateway.connect();
    conn.send(get("/api/sse-revoked", &[&format!("Authorization: Bearer {token}")]));
    conn.read_some("data: one");
    gateway.raw(post_form(REVOKE, &[], format!("{}&token={token}", credentials("server")))).status(200);
    let (rest, _) = conn.read_rest();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "a stream that was cut ended well");
    is_gone.recv_timeout(PATIENCE).expect("the upstream notices");
}

#[test]
fn a_request_body_streams_byte_by_byte() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let mut conn = gateway.connect();
    conn.send(format!(
        "POST /api/drip?m=drip HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nContent-Length: 26\r\n\r\n"
    ));
    let mut sent = String::new();
    for letter in 'a'..='z' {
        conn.send_more([letter as u8]);
        sent.push(letter);
        // Each piece arrives before the next one is sent.
        gateway.upstream.wait_for(&format!("\r\n\r\n{sent}"));
    }
    conn.read().status(200);
    assert_eq!(gateway.upstream.only("m=drip").body, sent.as_bytes());
}

#[test]
fn trailers_are_forwarded_except_misleading_ones() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    gateway.upstream.on_bytes(
        "/api/trailers",
        Next::KeepAlive,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Set-Cookie\r\n\r\n2\r\nab\r\n0\r\n\
         X-Sum: 42\r\nSet-Cookie: late=1\r\nContent-Length: 7\r\nConnection: close\r\n\r\n",
    );
    let mut conn = gateway.connect();
    conn.send(format!(
        "POST /api/trailers?m=trailers HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nTE: trailers\r\n\
         Transfer-Encoding: chunked\r\nTrailer: X-Check, X-Client-Id, Authorization\r\n\r\n3\r\nabc\r\n0\r\n\
         X-Check: 7\r\nX-Client-Id: forged-trailer\r\nx_client_id: forged-trailer\r\nAuthorization: Bearer forged-trailer\r\n\
         Transfer-Encoding: forged-trailer\r\n\r\n"
    ));
    conn.read_only_head().status(200);
    conn.send(get("/hello", &[&bearer]));
    conn.read_some("\"hello\"");
    conn.finish();
    let (answered, _) = conn.read_rest();
    let answered = String::from_utf8_lossy(&answered).to_ascii_lowercase();
    let (trailers, _) = answered.split_once("\r\n\r\n").expect("the end of the trailers");
    assert!(trailers.starts_with("2\r\nab\r\n0"), "{answered}");
    assert!(trailers.contains("\r\nx-sum: 42"), "{answered}");
    for gone in ["set-cookie", "content-length", "connection"] {
        assert!(!trailers.contains(gone), "{gone}\n{answered}");
    }
    let request = gateway.upstream.only("m=trailers");
    assert_eq!(request.body, b"abc");
    assert!(
        gateway.upstream.saw("0\r\nx-check: 7\r\n\r\n") || gateway.upstream.saw("0\r\nX-Check: 7\r\n\r\n")
    );
    assert!(!gateway.upstream.saw("forged-trailer"), "{}", request.text());
}

#[test]
fn http_1_0_responses_are_understood() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let rows: &[(&str, Next, &str, &str)] = &[
        ("/api/one-zero-a", Next::Close, "HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"),
        ("/api/one-zero-b", Next::Close, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc"),
        (
            "/api/one-zero-c",
            Next::KeepAlive,
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
            "abc",
        ),
        (
            "/api/one-one-close",
            Next::Close,
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end",
            "to the end",
        ),
    ];
    let mut conn = gateway.connect();
    for (path, next, bytes, body) in rows {
        gateway.upstream.on_bytes(path, *next, *bytes);
        let answer = conn.request(get(path, &[&bearer]));
        assert_eq!(answer.status(200).body(), body.as_bytes(), "{path}\n{answer}");
        assert!(answer.head().starts_with("HTTP/1.1 200"), "{answer}");
        // The client's connection does not depend on the upstream's.
        conn.request(get("/hello", &[&bearer])).status(200);
    }
}

#[test]
fn an_http_1_0_client_gets_no_chunks() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    gateway.upstream.on_bytes(
        "/api/chunks-for-1-0",
        Next::KeepAlive,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
    );
    let mut conn = gateway.connect();
    conn.send(format!("GET /api/chunks-for-1-0 HTTP/1.0\r\nHost: localhost\r\n{bearer}\r\n\r\n"));
    conn.read_only_head().status(200).lacks("transfer-encoding");
    let (body, end) = conn.read_rest();
    end.expect("a clean end");
    assert_eq!(body, b"abcdefg");
}

/// Returns the peak memory of a process in KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("its peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

const LARGE: usize = 64 << 20;
/// The memory allowed for streaming 64 MiB: buffers, not bodies.
const FLAT: u64 = 12 << 10;

#[test]
fn sixty_four_mebibytes_stream_with_constant_memory() {
    let fixture = Fixture::start(|config| {
        config
            .route("path = \"/large/up\"\nscopes = [\"read\"]\nupstream = \"api\"\nmax_body_size = \"0\"")
            .route("path = \"/large/down\"\nscopes = [\"read\"]\nupstream = \"api\"")
    });
    let bearer = fixture.bearer("server", "read");
    let (sender, arrived) = mpsc::channel::<()>();
    let sender = Mutex::new(sender);
    fixture.upstream.on("/large/down", move |request, out| {
        assert_eq!(request.all("range"), ["bytes=100-"]);
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 100-{}/{}\r\nContent-Length: {LARGE}\r\n\r\n",
            LARGE + 99,
            LARGE + 100
        );
        out.write_all(head.as_bytes())?;
        let _ = sender.lock().expect("the channel").send(());
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..LARGE >> 20 {
            out.write_all(&piece)?;
        }
        Ok(Next::KeepAlive)
    });
    let pid = fixture.gateway.pid();
    let mut conn = fixture.connect();
    conn.request(get("/hello", &[&bearer])).status(200);
    let before = peak(pid);

    // A client that does not read while the upstream writes: the gateway must not read ahead for it.
    let mut lazy = fixture.connect();
    lazy.send(get("/large/down?m=lazy", &[&bearer, "Range: bytes=100-"]));
    arrived.recv_timeout(PATIENCE).expect("it arrives");
    // A client that reads as fast as it can.
    let mut tcp = TcpStream::connect(fixture.address()).expect("a connection");
    tcp.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    tcp.write_all(&get("/large/down?m=eager", &[&bearer, "Range: bytes=100-", "Connection: close"]))
        .expect("sent");
    let (mut total, mut start, mut part) = (0, Vec::new(), vec![0; 256 * 1024]);
    loop {
        let count = tcp.read(&mut part).expect("more of the body");
        if count == 0 {
            break;
        }
        if start.len() < 1024 {
            start.extend_from_slice(&part[..count.min(1024)]);
        }
        total += count;
    }
    let head_length = start.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&start[..head_length]).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 206 ") && head.contains("content-range: bytes 100-"), "{head}");
    assert_eq!(total - head_length, LARGE);
    lazy.read_only_head().status(206);
    drop(lazy);

    let (mut up, mut sending) =
        (Conn::plain(fixture.address()), TcpStream::connect(fixture.address()).expect("one"));
    up.request(get("/hello", &[&bearer])).status(200);
    let head =
        format!("POST /large/up HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nContent-Length: {LARGE}\r\n\r\n");
    sending.write_all(head.as_bytes()).expect("a head");
    let piece = vec![b'u'; 1 << 20];
    for _ in 0..LARGE >> 20 {
        sending.write_all(&piece).expect("a piece");
    }
    sending.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let count = sending.read(&mut part).expect("an answer");
    assert!(part[..count].starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&part[..count]));
    assert_eq!(fixture.upstream.only("POST /large/up").body.len(), LARGE);

    let grown = peak(pid).saturating_sub(before);
    assert!(grown < FLAT, "{grown} KiB more for bodies on their way");
}

#[tokio::test]
async fn http_2_clients_stream_bodies_and_receive_trailers() {
    let gateway = shared();
    let token = gateway.token("server", "read");
    let upstream = gateway.upstream.clone();
    upstream.on_bytes(
        "/api/h2-stream",
        Next::KeepAlive,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 42\r\nSet-Cookie: late=1\r\n\r\n",
    );
    let stream = connect_h2(gateway.gateway.tls()).await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    let (pieces, body) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
    let body = StreamBody::new(tonic::codegen::tokio_stream::wrappers::ReceiverStream::new(body));
    let request = http::Request::post("https://localhost/api/h2-stream?m=h2-stream")
        .header("authorization", format!("Bearer {token}"))
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("te", "trailers")
        .body(body)
        .expect("a request");
    let answer = tokio::spawn(sender.send_request(request));
    for piece in ["first-of-h2,", "second-of-h2,"] {
        pieces
            .send(Ok(Frame::data(Bytes::from_static(piece.as_bytes()))))
            .await
            .expect("the piece is accepted");
        let upstream = upstream.clone();
        // It arrives while the rest is still unsent.
        tokio::task::spawn_blocking(move || upstream.wait_for(piece)).await.expect("it arrives");
    }
    drop(pieces);
    let answer =
        answer.await.expect("no panic").expect("an answer").into_body().collect().await.expect("a body");
    let trailers = answer.trailers().expect("trailers").clone();
    assert_eq!((trailers.len(), trailers["x-sum"].to_str().expect("text")), (1, "42"));
    assert_eq!(answer.to_bytes(), "ab");
    let request = upstream.only("m=h2-stream");
    assert_eq!(request.body, b"first-of-h2,second-of-h2,");
    assert_eq!(request.all("transfer-encoding"), ["chunked"], "{}", request.text());
    // RFC 9113 §8.2.3: cookies that are split in HTTP/2 become one field in HTTP/1.1.
    assert_eq!(request.all("cookie"), ["a=1; b=2"], "{}", request.text());
    assert!(request.all("te").is_empty(), "{}", request.text());
}

#[test]
fn an_early_response_ends_the_upload() {
    // This upstream responds after the head.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let heads = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&heads);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut part) {
                if part[..count].windows(4).any(|end| end == b"\r\n\r\n") {
                    *counter.lock().expect("the count") += 1;
                    let _ = stream.write_all(&ok("{\"early\":1}"));
                }
            }
        }
    });
    let early = Fixture::start(|config| {
        config
            .upstream("early", address)
            .route("path = \"/early\"\naccess = \"public\"\nupstream = \"early\"")
    });
    let mut conn = early.connect();
    conn.send("POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nthe beginning");
    let answer = conn.read();
    assert_eq!(answer.status(200).body(), b"{\"early\":1}", "{answer}");
    // The upstream connection has half a request on it, so the next request uses another one.
    let mut next = early.connect();
    next.request("POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").status(200);
    assert_eq!(*heads.lock().expect("the count"), 2);
}
