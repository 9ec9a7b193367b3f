//! An upstream API on raw sockets. It records every byte, so that tests can assert what reached it and not
//! only what came back.

use super::message::{Message, read_message};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What happens to the connection after a response.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It serves another request.
    KeepAlive,
    /// It is closed.
    Close,
    /// It is reset.
    Reset,
}

/// A complete request.
#[derive(Clone)]
pub(crate) struct Recorded {
    /// The request line.
    pub(crate) line: String,
    /// The fields in order, with their names as sent.
    pub(crate) headers: Vec<(String, String)>,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
    /// The head as received, including the empty line.
    pub(crate) head: Vec<u8>,
    /// The position on its connection, from zero.
    pub(crate) place: usize,
}

impl Recorded {
    /// Returns the method.
    pub(crate) fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or("")
    }

    /// Returns the request target.
    pub(crate) fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or("")
    }

    /// Returns all values of a field. The name is case-insensitive.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// Returns the head, for assertion messages.
    pub(crate) fn text(&self) -> String {
        format!("--- reached the upstream\n{}", String::from_utf8_lossy(&self.head))
    }
}

type Handler = Arc<dyn Fn(&Recorded, &mut TcpStream) -> io::Result<Next> + Send + Sync>;

#[derive(Default)]
struct State {
    raw: Vec<Vec<u8>>,
    /// The connections that the other side closed.
    ended: Vec<bool>,
    requests: Vec<Recorded>,
    handlers: HashMap<String, Handler>,
    open: Vec<TcpStream>,
    stopped: bool,
}

/// The upstream; its threads end with the process.
#[derive(Clone)]
pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Upstream {
    /// Listens on a port chosen by the system, and answers every request with a small JSON document.
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"))
    }

    /// Listens on the address of an earlier upstream.
    #[track_caller]
    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let upstream = Self {
            address: listener.local_addr().expect("its address"),
            shared: Arc::new((Mutex::new(State::default()), Condvar::new())),
        };
        let accepting = upstream.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.state(|state| state.stopped) {
                    break;
                }
                let upstream = accepting.clone();
                thread::spawn(move || upstream.serve(stream));
            }
        });
        upstream
    }

    /// Returns the address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets a handler for `path` (without the query).
    pub(crate) fn on(
        &self,
        path: &str,
        handler: impl Fn(&Recorded, &mut TcpStream) -> io::Result<Next> + Send + Sync + 'static,
    ) {
        self.state(|state| state.handlers.insert(path.to_owned(), Arc::new(handler)));
    }

    /// Sets a fixed response for `path`.
    pub(crate) fn on_bytes(&self, path: &str, next: Next, answer: impl Into<Vec<u8>>) {
        let answer = answer.into();
        self.on(path, move |_, out| out.write_all(&answer).map(|()| next));
    }

    /// Returns the complete requests whose raw head contains `marker`.
    pub(crate) fn requests(&self, marker: &str) -> Vec<Recorded> {
        self.state(|state| {
            state.requests.iter().filter(|r| contains(&r.head, marker.as_bytes())).cloned().collect()
        })
    }

    /// Returns the only request with `marker`.
    #[track_caller]
    pub(crate) fn only(&self, marker: &str) -> Recorded {
        let mut found = self.requests(marker);
        assert_eq!(found.len(), 1, "requests at the upstream with {marker:?}");
        found.remove(0)
    }

    /// Returns the number of bytes received.
    pub(crate) fn bytes(&self) -> usize {
        self.state(|state| state.raw.iter().map(Vec::len).sum())
    }

    /// Returns whether the bytes received, even of incomplete requests, contain `marker`.
    pub(crate) fn saw(&self, marker: &str) -> bool {
        self.state(|state| state.raw.iter().any(|raw| contains(raw, marker.as_bytes())))
    }

    /// Waits until it [saw](Self::saw) `marker`.
    #[track_caller]
    pub(crate) fn wait_for(&self, marker: &str) {
        let deadline = Instant::now() + Duration::from_secs(5);
        let (state, grown) = &*self.shared;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.raw.iter().any(|raw| contains(raw, marker.as_bytes())) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{marker:?} did not reach the upstream within 5 s");
            state = grown.wait_timeout(state, left).expect("the upstream's state").0;
        }
    }

    /// Stops like a killed server: new connections are refused, open ones are closed.
    pub(crate) fn stop(&self) {
        self.state(|state| state.stopped = true);
        // The accepting thread owns the listener.
        let _ = TcpStream::connect(self.address);
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(self.address).is_ok() {
            assert!(Instant::now() < deadline, "{} still takes connections", self.address);
            thread::sleep(Duration::from_millis(1));
        }
        self.close_all();
    }

    /// Waits until the other side has closed the connection on which `marker` arrived.
    #[track_caller]
    pub(crate) fn wait_for_end(&self, marker: &str) {
        let deadline = Instant::now() + Duration::from_secs(5);
        let (state, grown) = &*self.shared;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = |state: &State| {
            let of = state.raw.iter().position(|raw| contains(raw, marker.as_bytes()));
            of.is_some_and(|connection| state.ended[connection])
        };
        while !ended(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the connection of {marker:?} is still open at the upstream after 5 s");
            state = grown.wait_timeout(state, left).expect("the upstream's state").0;
        }
    }

    /// Closes every connection, like a server whose idle timeout has expired.
    pub(crate) fn close_all(&self) {
        self.state(|state| {
            for stream in state.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }

    fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.shared.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn serve(&self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let connection = self.state(|state| {
            state.raw.push(Vec::new());
            state.ended.push(false);
            state.open.extend(stream.try_clone());
            state.raw.len() - 1
        });
        let mut tap =
            Tap { upstream: self, stream: stream.try_clone().expect("a second handle"), connection };
        let mut buffer = Vec::new();
        for place in 0.. {
            let Ok(message) = read_message(&mut tap, &mut buffer, None) else { break };
            let Message { line, headers, body, head, .. } = message;
            let request = Recorded { line, headers, body, head, place };
            let handler = self.state(|state| {
                state.requests.push(request.clone());
                let path = request.target().split('?').next().unwrap_or("");
                state.handlers.get(path).cloned()
            });
            let next = match handler {
                Some(handler) => handler(&request, &mut stream),
                None => default_answer(&request, &mut stream),
            };
            match next {
                Ok(Next::KeepAlive) => {}
                Ok(Next::Reset) => {
                    // A linger of zero turns the close into a reset.
                    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                    self.forget(&stream);
                    return;
                }
                Ok(Next::Close) | Err(_) => break,
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
        self.forget(&stream);
    }

    /// Drops the handle that `close_all` uses, so that the socket is really closed.
    fn forget(&self, stream: &TcpStream) {
        let peer = stream.peer_addr().ok();
        self.state(|state| state.open.retain(|open| open.peer_addr().ok() != peer));
    }
}

/// Returns a 200 response with this body.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The body of the response if there is no handler.
pub(crate) const OK_BODY: &str = "{\"hello\":\"world\"}";

fn default_answer(request: &Recorded, out: &mut TcpStream) -> io::Result<Next> {
    let mut answer = ok(OK_BODY);
    if request.method() == "HEAD" {
        answer.truncate(answer.len() - OK_BODY.len());
    }
    out.write_all(&answer)?;
    Ok(Next::KeepAlive)
}

/// A reader that records the bytes for the parser.
struct Tap<'a> {
    upstream: &'a Upstream,
    stream: TcpStream,
    connection: usize,
}

impl Read for Tap<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer);
        self.upstream.state(|state| match read {
            Ok(count @ 1..) => state.raw[self.connection].extend_from_slice(&buffer[..count]),
            Ok(0) | Err(_) => state.ended[self.connection] = true,
        });
        self.upstream.shared.1.notify_all();
        read
    }
}

/// Starts a server that upgrades every connection and returns what it receives.
pub(crate) fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer);
                let _ = stream.write_all(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                );
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    let _ = stream.write_all(&buffer[..length]);
                }
            });
        }
    });
    address
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn it_records_bytes_requests_and_bodies() {
    let upstream = Upstream::start();
    upstream.on_bytes("/gone", Next::Close, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    let mut conn = super::Conn::plain(upstream.address());
    conn.send(b"POST /a?m=one HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
    conn.read().status(200);
    conn.send(b"HEAD /a?m=two HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = conn.read_head_only();
    answer.status(200);
    conn.send(b"GET /gone?m=three HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\n\r\n");
    conn.read().status(410);
    conn.assert_closed("after 410");
    let one = upstream.only("m=one");
    assert_eq!((one.method(), one.body.as_slice(), one.place), ("POST", &b"abcde"[..], 0));
    let three = upstream.only("m=three");
    assert_eq!((three.all("X-A"), three.place), (vec!["1", "2"], 2));
    assert!(upstream.saw("2;x=y") && !upstream.saw("m=four"));
    assert!(upstream.requests("m=four").is_empty());
}

#[test]
fn it_resets_when_told() {
    let upstream = Upstream::start();
    upstream.on_bytes("/reset", Next::Reset, "");
    let mut conn = super::Conn::plain(upstream.address());
    conn.send(b"GET /reset HTTP/1.1\r\nHost: x\r\n\r\n");
    let error = conn.try_read(false).err().expect("no answer");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
}
