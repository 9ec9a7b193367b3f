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
    /// Both ends of every connection.
    open: Mutex<Vec<TcpStream>>,
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
                shared.open.lock().expect("the connections").extend(both);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) =
                        (from.try_clone().expect("a duplicate"), to.try_clone().expect("a duplicate"));
                    let state = Arc::clone(&shared);
                    thread::spawn(move || pass(&state, from, to));
                }
            }
        });
        Self { address, state }
    }

    /// Returns the lines of `[store]` for a gateway that connects through this proxy.
    pub(super) fn store(&self) -> String {
        format!("url = \"redis://{}\"", self.address)
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

    /// Resets all connections.
    pub(super) fn reset(&self) {
        for end in self.state.open.lock().expect("the connections").drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn pass(state: &State, mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 16_384];
    let mut number = u32::from(from.local_addr()?.port());
    let mut is_log = false;
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
        is_log |= buffer[..read].windows(8).any(|word| word == b"TRACKING");
        while state.cut.load(Relaxed) || is_log && state.log_cut.load(Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        to.write_all(&buffer[..read])?;
    }
}
