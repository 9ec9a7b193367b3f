//! A TCP proxy between gateways and an engine that delays, holds and resets.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The delay of a piece that is lost and sent again, as by TCP.
const SENT_AGAIN: Duration = Duration::from_millis(200);

/// A proxy on a port of its own.
pub(super) struct Link {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How many of a hundred pieces are lost at first.
    loss: AtomicU32,
    /// Whether everything is held.
    cut: AtomicBool,
    /// Whether what goes to the engine on connections that read the log is held.
    log_cut: AtomicBool,
    /// Whether notifications of the engine are lost.
    no_notifications: AtomicBool,
    /// How many notifications were lost.
    lost: AtomicU32,
    /// Both ends of every connection.
    open: Mutex<Vec<(TcpStream, Arc<Kind>)>>,
}

/// Which connection it is.
#[derive(Default)]
struct Kind {
    /// Whether it asks for notifications. The connection that reads the log does.
    is_log: AtomicBool,
}

impl Link {
    pub(super) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let both = [&client, &server].map(|end| end.try_clone().expect("a duplicate"));
                let kind = Arc::<Kind>::default();
                let both = both.map(|end| (end, Arc::clone(&kind)));
                shared.open.lock().expect("the connections").extend(both);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) =
                        (from.try_clone().expect("a duplicate"), to.try_clone().expect("a duplicate"));
                    let (state, kind) = (Arc::clone(&shared), Arc::clone(&kind));
                    thread::spawn(move || pass(&state, &kind, from, to));
                }
            }
        });
        Self { address, state }
    }

    /// Returns the lines of `[store]` for a gateway that connects through this proxy.
    pub(super) fn store(&self) -> String {
        format!("url = \"redis://{}\"", self.address)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Sets how many of a hundred pieces are lost at first.
    pub(super) fn lose(&self, percent: u32) {
        self.state.loss.store(percent, Relaxed);
    }

    /// Holds everything, or lets it pass again.
    pub(super) fn cut(&self, cut: bool) {
        self.state.cut.store(cut, Relaxed);
    }

    /// Holds reads of the log, or lets them pass again.
    pub(super) fn cut_log(&self, cut: bool) {
        self.state.log_cut.store(cut, Relaxed);
    }

    /// Loses the notifications of the engine, and nothing else, or lets them pass again.
    pub(super) fn lose_notifications(&self, lose: bool) {
        self.state.no_notifications.store(lose, Relaxed);
    }

    /// Returns how many notifications were lost.
    pub(super) fn lost_notifications(&self) -> u32 {
        self.state.lost.load(Relaxed)
    }

    /// Resets all connections.
    pub(super) fn reset(&self) {
        for (end, _) in self.state.open.lock().expect("the connections").drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Resets the connections that get the notifications. Returns how many there were.
    pub(super) fn reset_log(&self) -> usize {
        let mut open = self.state.open.lock().expect("the connections");
        let log: Vec<_> = open.extract_if(.., |(_, kind)| kind.is_log.load(Relaxed)).collect();
        for (end, _) in &log {
            let _ = end.shutdown(Shutdown::Both);
        }
        log.len() / 2
    }
}

/// The beginning of a notification, in the third version of the protocol, up to the name of the key.
const NOTIFICATION: &[u8] = b">2\r\n$10\r\ninvalidate\r\n*1\r\n";

fn pass(state: &State, kind: &Kind, mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 16_384];
    let mut number = u32::from(from.local_addr()?.port());
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return to.shutdown(Shutdown::Write);
        }
        // The numbers are pseudo-random, and the same in every run.
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if (number >> 16) % 100 < state.loss.load(Relaxed) {
            thread::sleep(SENT_AGAIN);
        }
        // Only these connections ask for notifications.
        if buffer[..read].windows(8).any(|word| word == b"TRACKING") {
            kind.is_log.store(true, Relaxed);
        }
        while state.cut.load(Relaxed) || kind.is_log.load(Relaxed) && state.log_cut.load(Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        if state.no_notifications.load(Relaxed) {
            to.write_all(&without_notifications(state, &buffer[..read]))?;
        } else {
            to.write_all(&buffer[..read])?;
        }
    }
}

/// Removes the notifications from a piece. The engine writes each in one piece.
fn without_notifications(state: &State, piece: &[u8]) -> Vec<u8> {
    let (mut rest, mut kept) = (piece, Vec::with_capacity(piece.len()));
    while let Some(at) = rest.windows(NOTIFICATION.len()).position(|window| window == NOTIFICATION) {
        kept.extend_from_slice(&rest[..at]);
        state.lost.fetch_add(1, Relaxed);
        // The length of the key and the key follow, each with its end of line.
        let mut lines = rest[at + NOTIFICATION.len()..].splitn(3, |byte| *byte == b'\n');
        rest = lines.nth(2).unwrap_or_default();
    }
    kept.extend_from_slice(rest);
    kept
}
