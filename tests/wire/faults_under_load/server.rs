//! A server that fails on demand.

use crate::support::PATIENCE;
use crate::support::message::read_message;
use crate::support::upstream::ok;
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The behavior of the server.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
pub(super) enum Mode {
    /// Responds to each request with its own target.
    Well,
    /// Responds to two requests per connection and closes it silently, as after an idle timeout.
    ClosesIdle,
    /// In turn: success, garbage, a reset, a truncated body, silence, a reset in the middle of a body.
    Faulty,
}

/// A server that can be made to fail, stopped and restarted.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) state: Arc<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) mode: AtomicU8,
    pub(super) dead: AtomicBool,
    pub(super) turn: AtomicUsize,
    pub(super) open: Mutex<Vec<TcpStream>>,
    /// How often each target was requested.
    pub(super) seen: Mutex<HashMap<String, usize>>,
}

impl Server {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = Self { address: listener.local_addr().expect("its address"), state: Arc::default() };
        server.listen(listener);
        server
    }

    fn listen(&self, listener: TcpListener) {
        let server = self.clone();
        self.state.dead.store(false, Relaxed);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if server.state.dead.load(Relaxed) {
                    return;
                }
                let _ = stream.set_nodelay(true);
                server.state.open.lock().expect("connections").extend(stream.try_clone());
                let server = server.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
    }

    /// Stops and closes all connections.
    pub(super) fn kill(&self) {
        self.state.dead.store(true, Relaxed);
        let _ = TcpStream::connect(self.address);
        for stream in self.state.open.lock().expect("connections").drain(..) {
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn come_back(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => return self.listen(listener),
                Err(e) => assert!(Instant::now() < deadline, "the port is not free: {e}"),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(super) fn become_(&self, mode: Mode) {
        self.state.mode.store(mode as u8, Relaxed);
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        let Ok(mut reader) = stream.try_clone() else { return };
        for place in 0.. {
            let Ok(message) = read_message(&mut reader, &mut buffer, None) else { break };
            let target = message.line.split(' ').nth(1).unwrap_or("").to_owned();
            *self.state.seen.lock().expect("targets").entry(target.clone()).or_default() += 1;
            if !matches!(self.answer(&mut stream, &target, place), Ok(true)) {
                break;
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
        let peer = stream.peer_addr().ok();
        self.state.open.lock().expect("connections").retain(|open| open.peer_addr().ok() != peer);
    }

    /// Returns whether the connection persists.
    fn answer(&self, out: &mut TcpStream, target: &str, place: usize) -> io::Result<bool> {
        let mode = self.state.mode.load(Relaxed);
        if mode != Mode::Faulty as u8 {
            out.write_all(&ok(target))?;
            return Ok(mode == Mode::Well as u8 || place < 1);
        }
        let reset = |out: &TcpStream| socket2::SockRef::from(out).set_linger(Some(Duration::ZERO));
        match self.state.turn.fetch_add(1, Relaxed) % 8 {
            0 => out.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n")?,
            1 => reset(out)?,
            2 => out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ntoo little")?,
            3 => thread::sleep(Duration::from_millis(400)),
            4 => {
                out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")?;
                reset(out)?;
            }
            // More bytes than announced: the rest must not reach any client.
            5 => {
                out.write_all(&[ok(target), ok("nobody's")].concat())?;
                return Ok(true);
            }
            _ => {
                out.write_all(&ok(target))?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
