//! Clients that open connections as fast as they can, on HTTP/1.1, HTTP/2 and WebSockets. Every reset, every
//! refused connection and every status other than the expected one is a fault.

use crate::support::{REVOKE, TOKEN, credentials, get, post_form, token_of};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the clients have seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) stop: AtomicBool,
    pub(super) connections: AtomicU64,
    pub(super) streams: AtomicU64,
    pub(super) messages: AtomicU64,
    pub(super) tunnels: AtomicU64,
    pub(super) tokens: AtomicU64,
    faults: Mutex<Vec<String>>,
    /// When each upgrade was complete.
    upgrades: Mutex<Vec<Instant>>,
}

impl Seen {
    fn go_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn fault(&self, text: String) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    pub(super) fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn upgraded(&self) {
        self.upgrades.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
    }

    /// Returns whether a process that was there at `then` may have ended because its grace time is over.
    fn may_have_ended(&self, then: Instant, grace: Duration) -> bool {
        let upgrades = self.upgrades.lock().unwrap_or_else(PoisonError::into_inner);
        // The upgrade is seen a moment after it happened.
        upgrades
            .iter()
            .any(|upgrade| *upgrade > then && upgrade.elapsed() + Duration::from_millis(200) >= grace)
    }
}

/// How many connections a thread has open at a time. The gateway works on all of them while the thread waits
/// for the first one, which takes fewer switches between processes than one connection after the other.
const AT_A_TIME: usize = 32;

/// A new connection for each request to this path, on HTTP/1.1.
pub(super) fn connections(seen: &Seen, address: SocketAddr, path: &str, token: &str) {
    let bearer = format!("Authorization: Bearer {token}");
    let request = get(path, &[&bearer, "Connection: close"]);
    let open = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(&request).map(|()| stream)
    };
    let mut buffer = [0; 2048];
    let mut exchange = |stream: io::Result<TcpStream>| -> io::Result<()> {
        let (mut stream, mut length) = (stream?, 0);
        loop {
            match stream.read(&mut buffer[length..])? {
                0 => break,
                read => length += read,
            }
        }
        let answer = &buffer[..length];
        if answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"\r\n\r\nok") {
            return Ok(());
        }
        Err(io::Error::other(String::from_utf8_lossy(answer).into_owned()))
    };
    while seen.go_on() {
        let opened: Vec<_> = (0..AT_A_TIME).map(|_| open()).collect();
        for stream in opened {
            match exchange(stream) {
                Ok(()) => drop(seen.connections.fetch_add(1, Ordering::Relaxed)),
                Err(error) => seen.fault(format!("HTTP/1.1: {error}")),
            }
        }
    }
}

/// Requests on HTTP/2 connections, each of which is used until the gateway says that it ends. They leave the
/// machine to the new connections.
pub(super) async fn streams(seen: &Seen, address: SocketAddr, path: &str, token: &str) {
    while seen.go_on() {
        let connected = async {
            let stream = tokio::net::TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            let shake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
            shake.await.map_err(|error| error.to_string())
        };
        let (mut sender, connection) = match connected.await {
            Ok(connected) => connected,
            Err(error) => {
                seen.fault(format!("HTTP/2: {error}"));
                continue;
            }
        };
        let connection = tokio::spawn(connection);
        while seen.go_on() && sender.ready().await.is_ok() {
            let request = http::Request::get(format!("http://{address}{path}"))
                .header("authorization", format!("Bearer {token}"))
                .body(Empty::<Bytes>::new())
                .expect("a request");
            match sender.try_send_request(request).await {
                Ok(response) if response.status() == 200 => match response.into_body().collect().await {
                    Ok(_) => drop(seen.streams.fetch_add(1, Ordering::Relaxed)),
                    Err(error) => seen.fault(format!("HTTP/2: a body ends with {error:?}")),
                },
                Ok(response) => seen.fault(format!("HTTP/2: {}", response.status())),
                // The connection has ended before the request was sent: it is sent on the next one.
                Err(error) if error.message().is_none() => {
                    seen.fault(format!("HTTP/2: {:?}", error.into_error()));
                }
                Err(_) => break,
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(sender);
        let _ = connection.await;
    }
}

/// A WebSocket that stays open, and on which a message goes to and fro. It ends when the process that serves
/// it ends, a grace time after it was replaced.
pub(super) fn tunnel(seen: &Seen, address: SocketAddr, grace: Duration) {
    while seen.go_on() {
        let opened = Instant::now();
        match use_tunnel(seen, address) {
            Ok(()) => {}
            Err(_) if seen.may_have_ended(opened, grace) => {}
            Err(error) => seen.fault(format!("WebSocket: {error} after {:?}", opened.elapsed())),
        }
    }
}

/// Sends messages over a WebSocket until the load stops.
fn use_tunnel(seen: &Seen, address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(&get("/ws", &["Connection: Upgrade", "Upgrade: websocket"]))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()));
    }
    seen.tunnels.fetch_add(1, Ordering::Relaxed);
    for number in 0_u64.. {
        if !seen.go_on() {
            break;
        }
        let message = number.to_be_bytes();
        stream.write_all(&message)?;
        let mut echo = [0; 8];
        stream.read_exact(&mut echo)?;
        if echo != message {
            return Err(io::Error::other("another message came back"));
        }
        seen.messages.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Starts an upstream that answers every request at once, and records nothing.
pub(super) fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    request.extend_from_slice(&buffer[..length]);
                    // One request at a time, without a body.
                    if request.ends_with(b"\r\n\r\n") {
                        request.clear();
                        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

/// Tokens that are issued, used and revoked, each on a new connection, so that different processes see them.
pub(super) fn tokens(seen: &Seen, address: SocketAddr) {
    let raw = crate::support::raw;
    while seen.go_on() {
        let ask = credentials("server") + "&grant_type=client_credentials&scope=read";
        let answer = raw(address, post_form(TOKEN, &[], ask));
        if answer.code() != 200 {
            seen.fault(format!("issue: {answer}"));
            continue;
        }
        let token = token_of(&answer);
        let bearer = format!("Authorization: Bearer {token}");
        let code = raw(address, get("/hello", &[&bearer])).code();
        if code != 200 {
            seen.fault(format!("a new token: {code}"));
        }
        let revoked =
            raw(address, post_form(REVOKE, &[], format!("{}&token={token}", credentials("server"))));
        if revoked.code() != 200 {
            seen.fault(format!("revoke: {revoked}"));
        }
        seen.tokens.fetch_add(1, Ordering::Relaxed);
    }
}
