//! Streams end with their token: downloads, uploads and tunnels, on HTTP/1.1 and HTTP/2. The client sees a
//! truncated stream, never a complete one, and the upstream connection is closed.

use crate::support::config::SECRET;
use crate::support::tls::H2;
use crate::support::upstream::contains;
use crate::support::{Conn, Fixture, Next, PATIENCE, REVOKE, credentials, get, post_form};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How a token ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Revoked by its client (RFC 7009).
    Revoked,
    /// Its lifetime ends.
    Expired,
    /// Its client is disabled in gateway.toml.
    Disabled,
}

/// A gateway in front of an upstream that begins responses and does not end them.
struct Streaming {
    fixture: Fixture,
    /// The upstream's side of each response.
    begun: Receiver<TcpStream>,
}

impl Streaming {
    fn start() -> Self {
        let fixture = Fixture::start(|config| {
            let short = "scopes = [\"read\"]\ntoken_lifetime = \"3s\"";
            config.listen("https://127.0.0.1:0").client("short", SECRET, short)
        });
        let (tell, begun) = channel();
        let tell = Arc::new(Mutex::new(tell));
        let begins = |path: &str, head: &'static str| {
            let tell = Arc::clone(&tell);
            fixture.upstream.on(path, move |_, out| begin(out, head, &tell));
        };
        begins(
            "/api/events",
            "200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\none\n\n\n\r\n",
        );
        begins("/api/file", "200 OK\r\nContent-Length: 1000\r\n\r\none");
        begins(
            "/api/socket",
            "101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\none",
        );
        Self { fixture, begun }
    }

    fn events(&self, bearer: &str, marker: &str) -> Conn {
        self.began(&format!("/api/events?m={marker}"), &[bearer], 200)
    }

    fn began(&self, target: &str, fields: &[&str], status: u16) -> Conn {
        let mut conn = self.fixture.connect();
        conn.send(get(target, fields));
        conn.read_only_head().status(status);
        conn.read_some("one");
        conn
    }
}

fn begin(out: &mut TcpStream, answer: &str, tell: &Mutex<Sender<TcpStream>>) -> io::Result<Next> {
    write!(out, "HTTP/1.1 {answer}")?;
    let _ = tell.lock().expect("the channel").send(out.try_clone()?);
    // Waits for a next request, which never comes, so that the end of the connection is seen.
    Ok(Next::KeepAlive)
}

fn streams_end_when_their_token_is(end: End) {
    let streaming = Streaming::start();
    let (fixture, upstream) = (&streaming.fixture, &streaming.fixture.upstream);
    let client = if matches!(end, End::Expired) { "short" } else { "other" };
    let token = fixture.token(client, "read");
    let bearer = format!("Authorization: Bearer {token}");

    // The other client's stream must survive. It starts first, so that its server side is known.
    let mut bystander = streaming.events(&fixture.bearer("server", "read"), "bystander");
    let mut its_server = streaming.begun.recv().expect("the bystander's stream");

    let mut down = vec![
        ("chunked", streaming.events(&bearer, "chunked")),
        ("length", streaming.began("/api/file?m=length", &[&bearer], 200)),
    ];
    let switch = ["Connection: Upgrade", "Upgrade: websocket", &bearer];
    let mut socket = streaming.began("/api/socket?m=socket", &switch, 101);
    socket.send("client to server");
    upstream.wait_for("client to server");
    let mut up = fixture.connect();
    up.send(format!(
        "POST /api/upload?m=upload HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\npart1\r\n"
    ));
    upstream.wait_for("part1");

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (mut h2_down, h2_up, more) = runtime.block_on(async {
        let mut connection = H2::connect(fixture.gateway.tls()).await;
        let request = |path: &str| {
            let uri = format!("https://localhost{path}");
            http::Request::post(uri).header("authorization", format!("Bearer {token}"))
        };
        let head = request("/api/events?m=h2-down").body(Full::<Bytes>::default()).expect("a request");
        let mut answer = connection.open(head).await;
        assert_eq!(answer.status(), 200);
        let first = answer.frame().await.expect("a frame").expect("no error");
        assert_eq!(first.data_ref().expect("data"), "one\n\n\n");
        let (more, body) = tokio::sync::mpsc::channel::<Bytes>(4);
        more.send(Bytes::from_static(b"part2")).await.expect("room");
        let upload = request("/api/upload?m=h2-up").body(Parts(body)).expect("a request");
        let mut sender = connection.clone();
        let h2_up = tokio::spawn(async move { sender.open(upload).await });
        (answer, h2_up, more)
    });
    upstream.wait_for("part2");

    match end {
        End::Expired => {}
        End::Revoked => {
            let body = format!("{}&token={token}", credentials(client));
            fixture.raw(post_form(REVOKE, &[], body)).status(200);
        }
        End::Disabled => fixture
            .gateway
            .rewrite(|text| text.replace("[clients.other]", "[clients.other]\nenabled = false")),
    }

    for (name, conn) in &mut down {
        let (rest, closed) = conn.read_rest();
        assert!(is_closed(&closed), "{end:?}: {name} is still open: {closed:?}");
        assert!(
            !contains(&rest, b"0\r\n\r\n") && rest.len() < 100,
            "{end:?}: {name} came to an end: {rest:?}"
        );
        upstream.wait_for_end(&format!("m={name}"));
    }
    let (_, closed) = socket.read_rest();
    assert!(is_closed(&closed), "{end:?}: the tunnel is still open: {closed:?}");
    upstream.wait_for_end("m=socket");
    // Half a request is answered, and nothing after it is read.
    up.read().bearer_error(401, Some("invalid_token"));
    up.send("5\r\nlater\r\n0\r\n\r\n");
    let (_, closed) = up.read_rest();
    assert!(is_closed(&closed), "{end:?}: the upload's connection is still open: {closed:?}");
    upstream.wait_for_end("m=upload");
    runtime.block_on(async {
        let broken = loop {
            match h2_down.frame().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(broken, "{end:?}: the HTTP/2 stream came to a good end");
        let answer = h2_up.await.expect("the upload's task");
        assert_eq!(answer.status(), 401, "{end:?}: {answer:?}");
        drop(more);
    });
    upstream.wait_for_end("m=h2-down");
    upstream.wait_for_end("m=h2-up");
    assert!(!upstream.saw("later"));
    assert!(upstream.requests("/api/upload").is_empty(), "half a request became a whole one");

    // The other client's stream continues and ends normally.
    its_server.write_all(b"5\r\nlast\n\r\n0\r\n\r\n").expect("the bystander's connection");
    bystander.read_some("last");
    bystander.read_some("0\r\n\r\n");
}

/// Returns whether a read ended because the other side closed, not because of a timeout.
fn is_closed(end: &io::Result<()>) -> bool {
    !matches!(end, Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
}

#[test]
fn a_revoked_token_ends_its_streams() {
    streams_end_when_their_token_is(End::Revoked);
}

#[test]
fn an_expired_token_ends_its_streams() {
    streams_end_when_their_token_is(End::Expired);
}

#[test]
fn a_client_disabled_by_a_reload_loses_its_streams() {
    streams_end_when_their_token_is(End::Disabled);
}

/// A body in parts.
struct Parts(tokio::sync::mpsc::Receiver<Bytes>);

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| Ok(hyper::body::Frame::data(part))))
    }
}

#[test]
fn a_busy_stream_ends_with_its_token_too() {
    let fixture = Fixture::start(|config| config);
    // The server writes as much as the sockets take, so there is always more for a slower client.
    fixture.upstream.on("/api/flood", |_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
        loop {
            out.write_all(&chunk)?;
        }
    });
    let token = fixture.token("other", "read");
    let mut client = TcpStream::connect(fixture.address()).expect("a connection");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client
        .write_all(&get("/api/flood?m=flood", &[&format!("Authorization: Bearer {token}")]))
        .expect("a request");
    let mut part = vec![0; 1 << 18];
    assert!(client.read(&mut part).expect("the answer's head") > 0);
    fixture.raw(post_form(REVOKE, &[], format!("{}&token={token}", credentials("other")))).status(200);
    let deadline = Instant::now() + PATIENCE;
    while client.read(&mut part).is_ok_and(|count| count > 0) {
        assert!(Instant::now() < deadline, "the stream does not end");
        thread::sleep(Duration::from_millis(2));
    }
}
