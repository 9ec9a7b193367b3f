//! Bodies in both directions, and interim responses.

use crate::support::upstream::ok;
use crate::support::{Next, get, shared};
use std::io::Write;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn five_mebibytes_are_forwarded_unchanged_in_both_directions() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    gateway.upstream.on("/api/echo", |request, out| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
        out.write_all(head.as_bytes())?;
        out.write_all(&request.body)?;
        Ok(Next::KeepAlive)
    });
    let body: Vec<u8> = (0..5_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let head = format!(
        "POST /api/echo?m=large HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = gateway.raw([head.as_bytes(), &body].concat());
    answer.status(200);
    // Not `assert_eq`, which would print ten megabytes.
    assert!(gateway.upstream.only("m=large").body == body, "the upstream got other bytes");
    assert!(answer.body() == body, "the client got other bytes");
}

#[test]
fn a_chunked_request_streams() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let mut conn = gateway.connect();
    conn.send(format!(
        "POST /api/upload?m=upload HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nTransfer-Encoding: chunked\r\n\r\n\
         b\r\nfirst-piece\r\n"
    ));
    // It arrives while the rest is still unsent.
    gateway.upstream.wait_for("first-piece");
    assert!(gateway.upstream.requests("m=upload").is_empty());
    conn.send_more("4;ext=1\r\nlast\r\n0\r\n\r\n");
    conn.read().status(200);
    let request = gateway.upstream.only("m=upload");
    assert_eq!(request.body, b"first-piecelast", "{}", request.text());
    assert_eq!(request.all("transfer-encoding"), ["chunked"], "{}", request.text());
    assert!(request.all("content-length").is_empty(), "{}", request.text());
    assert!(!gateway.upstream.saw("ext=1"), "a chunk extension went on");
}

#[test]
fn a_response_streams() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    gateway.upstream.on("/api/events", move |_, out| {
        out.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
              c\r\ndata: first\n\r\n",
        )?;
        let _ = released.lock().expect("the channel").recv_timeout(Duration::from_secs(10));
        out.write_all(b"b\r\ndata: last\n\r\n0\r\n\r\n")?;
        Ok(Next::KeepAlive)
    });
    let mut conn = gateway.connect();
    conn.send(get("/api/events", &[&bearer]));
    conn.read_only_head().status(200).has("content-type", "text/event-stream");
    conn.read_some("data: first");
    release.send(()).expect("the upstream waits");
    conn.read_some("data: last");
    conn.read_some("\r\n0\r\n\r\n");
}

#[test]
fn a_response_delimited_by_close_arrives_complete() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    gateway.upstream.on_bytes("/api/until-close", Next::Close, "HTTP/1.1 200 OK\r\n\r\nall of it");
    let mut conn = gateway.connect();
    let answer = conn.request(get("/api/until-close", &[&bearer]));
    assert_eq!(answer.status(200).body(), b"all of it", "{answer}");
}

#[test]
fn interim_responses_precede_the_final_response() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let early = [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_vec(), ok("{\"late\":1}")].concat();
    gateway.upstream.on_bytes("/api/early", Next::KeepAlive, early);
    let answer = gateway.raw(get("/api/early", &[&bearer]));
    assert_eq!(answer.status(200).body(), b"{\"late\":1}", "{answer}");
}

#[test]
fn expect_100_is_answered_and_the_body_arrives() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let mut conn = gateway.connect();
    conn.send(format!(
        "POST /api/expect?m=expect HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nExpect: 100-continue\r\n\
         Content-Length: 4\r\n\r\n"
    ));
    let interim = conn.read_only_head();
    interim.status(100);
    conn.send_more("body");
    conn.read().status(200);
    assert_eq!(gateway.upstream.only("m=expect").body, b"body");
    // A refusal before the body comes without a 100 response.
    let mut conn = gateway.connect();
    conn.send(
        "POST /api/expect HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
    );
    conn.read_only_head().status(401);
}
