//! The server as its clients see it, over loopback, in one process.

#![allow(clippy::disallowed_methods, reason = "sockets and timeouts are tested in real time")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, Version};
use http_body_util::Full;
use tokio::sync::Notify;

use super::*;
use crate::config::Limits;
use crate::proxy::client::{Client, Socket};
use crate::proxy::stream::Stream;

mod limits;
mod sni;
mod timeouts;
mod tls;
mod trust;

const ANY: &str = "127.0.0.1:0";
/// The limit of every wait. Only a failing test waits that long.
const LONG: Duration = Duration::from_secs(20);

struct Running {
    listeners: Vec<Listener>,
    shutdown: ShutdownHandle,
    thread: Option<JoinHandle<ExitReason>>,
}

impl Running {
    fn start(options: ServerOptions) -> Self {
        Self::start_with(options, answering())
    }

    fn start_with<H: Handler>(options: ServerOptions, handler: H) -> Self {
        Self::of(Bound::bind(options).unwrap(), handler)
    }

    fn of<H: Handler>(bound: Bound, handler: H) -> Self {
        let (listeners, shutdown) = (bound.listeners().to_vec(), bound.shutdown_handle());
        let thread = Some(thread::spawn(move || bound.run(handler, || ())));
        Self { listeners, shutdown, thread }
    }

    fn addr(&self) -> SocketAddr {
        self.listeners[0].addr()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    fn exit(mut self) -> ExitReason {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

type Answer = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

/// Answers requests of either version with the same function of the version, the path and the connection.
struct Answers<F>(F);

impl<F: Fn(Version, &str, &ConnInfo) -> Answer + Send + Sync + 'static> Handler for Answers<F> {
    type Session = ();

    async fn serve<I: Socket>(&self, client: &mut Client<I>, connection: &ConnInfo, (): &mut ()) {
        let Some(head) = client.head() else { return client.close() };
        let (facts, answer) = (head.facts().ok(), (self.0)(head.version(), head.path(), connection));
        client.begin(facts);
        client.respond(answer.await, None, false);
        if client.flush().await.is_err() {
            client.close();
        }
    }

    async fn serve_stream(&self, stream: &mut Stream, connection: &ConnInfo, (): &mut ()) {
        let Stream { parts, reply, .. } = stream;
        let answer = pin!((self.0)(parts.version, parts.uri.path(), connection));
        if let Some(response) = reply.unless_reset(answer).await {
            reply.send(response, |_| ()).await;
        }
    }
}

fn answering() -> Answers<impl Fn(Version, &str, &ConnInfo) -> Answer + Send + Sync + 'static> {
    Answers(|version: Version, path: &str, connection: &ConnInfo| answer(version, path, connection))
}

/// `/slow` takes 800 ms, `/big` returns 32 MiB, and every other path describes the request.
fn answer(version: Version, path: &str, connection: &ConnInfo) -> Answer {
    let slow = path == "/slow";
    let body = match path {
        "/slow" => Bytes::from_static(b"slow"),
        "/big" => Bytes::from(vec![b'x'; 32 << 20]),
        _ => Bytes::from(format!(
            "{version:?} tls={} certificate={} verified={} peer={}",
            connection.listener().spec.tls,
            connection.client_certificate().is_some(),
            connection.client_certificate().is_some_and(|certificate| certificate.trust() == Trust::Verified),
            connection.peer(),
        )),
    };
    Box::pin(async move {
        if slow {
            tokio::time::sleep(Duration::from_millis(800)).await;
        }
        Response::new(Full::new(body))
    })
}

fn plain(limits: Limits) -> ServerOptions {
    let listeners = vec![ListenerSpec::plain(ANY.parse().unwrap())];
    ServerOptions { threads: 1, limits, ..ServerOptions::new(listeners) }
}

/// Returns the self-signed certificate in a folder.
fn own_tls(state: &Path) -> TlsPaths {
    TlsPaths::new(vec![self_signed(state).unwrap()])
}

fn tls(state: &Path) -> ServerOptions {
    let listeners = vec![ListenerSpec::tls(ANY.parse().unwrap())];
    ServerOptions { threads: 1, tls: Some(own_tls(state)), ..ServerOptions::new(listeners) }
}

fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// Reads one response with a `Content-Length`, and leaves the connection open.
fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            return text.into_owned();
        }
    }
}

fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(read) => read == 0,
        // It is still open after `LONG`.
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn http1_on_a_plain_listener_is_kept_alive() {
    let server = Running::start(plain(Limits::default()));
    let mut client = server.connect();
    for _ in 0..2 {
        client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        let answer = read_answer(&mut client);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("HTTP/1.1 tls=false"), "{answer}");
    }
}

#[test]
fn several_threads_and_listeners_answer() {
    let mut options = plain(Limits::default());
    options.threads = 2;
    options.listeners.push(options.listeners[0].clone());
    let place = |_: Version, _: &str, connection: &ConnInfo| -> Answer {
        let body = format!("<{}>", connection.listener().index);
        Box::pin(async move { Response::new(Full::new(Bytes::from(body))) })
    };
    let server = Running::start_with(options, Answers(place));
    for (listener, expected) in server.listeners.iter().zip(["<0>", "<1>"]) {
        for _ in 0..8 {
            let mut client = TcpStream::connect(listener.addr()).unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
            assert!(read_to_end(&mut client).ends_with(expected));
        }
    }
}

#[test]
fn a_port_in_use_is_reported_in_one_line() {
    for threads in [1, 2] {
        let first = Bound::bind(ServerOptions { threads, ..plain(Limits::default()) }).unwrap();
        let addr = first.listeners()[0].addr();
        let listeners = vec![ListenerSpec::plain(addr)];
        let error = Bound::bind(ServerOptions { threads, ..ServerOptions::new(listeners) }).err().unwrap();
        let line = error.to_string();
        assert!(
            line.starts_with(&format!("cannot listen on http://{addr}: address already in use")),
            "{line}"
        );
    }
}

#[test]
fn a_drain_completes_requests_in_flight_and_closes_idle_connections() {
    let (begins, began) = channel();
    let release = Arc::new(Notify::new());
    let released = Arc::clone(&release);
    let holding = Answers(move |version: Version, path: &str, connection: &ConnInfo| -> Answer {
        if path != "/held" {
            return answer(version, path, connection);
        }
        begins.send(()).unwrap();
        let released = Arc::clone(&released);
        Box::pin(async move {
            released.notified().await;
            Response::new(Full::new(Bytes::from_static(b"held")))
        })
    });
    let server = Running::start_with(plain(Limits::default()), holding);
    let mut idle = server.connect();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    read_answer(&mut idle);
    let mut fresh = server.connect();
    let mut busy = server.connect();
    busy.write_all(b"GET /held HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    began.recv_timeout(LONG).unwrap();
    server.shutdown.drain();
    assert!(is_closed(&mut idle) && is_closed(&mut fresh), "while another request is in flight");
    release.notify_one();
    let answer = read_to_end(&mut busy);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("held"), "{answer}");
    assert!(TcpStream::connect(server.addr()).is_err(), "no connection is accepted");
    assert_eq!(server.exit(), ExitReason::Drained);
}

#[test]
fn a_drain_ends_with_its_grace_time_and_a_stop_ends_it_at_once() {
    let forever =
        || Answers(|_: Version, _: &str, _: &ConnInfo| -> Answer { Box::pin(std::future::pending()) });
    for stop in [false, true] {
        let grace = if stop { LONG } else { Duration::from_millis(100) };
        let server = Running::start_with(ServerOptions { grace, ..plain(Limits::default()) }, forever());
        let mut client = server.connect();
        client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        thread::sleep(Duration::from_millis(100));
        server.shutdown.drain();
        if stop {
            server.shutdown.stop();
        }
        let expected = if stop { ExitReason::Stopped } else { ExitReason::GraceExpired { connections: 1 } };
        assert_eq!(server.exit(), expected);
    }
}

impl ServerOptions {
    pub(super) fn new(listeners: Vec<ListenerSpec>) -> Self {
        Self {
            listeners,
            tls: None,
            threads: 0,
            grace: Duration::from_secs(30),
            limits: Limits::default(),
            trusted_proxies: Vec::new(),
        }
    }
}
