//! Connections to servers, kept per thread: no lock, no other thread's cache lines.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::connection::Connection;
use crate::telemetry::{Event, GaugeGuard};
use crate::upstream::connect::dial;
use crate::upstream::local_fault::is_local_fault;
use crate::upstream::server::Server;

/// Idle connections kept for one server by one thread.
const MAX_IDLE: usize = 1024;
/// How often a thread looks for connections that nobody will use again: a reload may have left their server.
const TIDY_EVERY: Duration = Duration::from_secs(10);

thread_local! {
    static IDLE: RefCell<Idle> = RefCell::new(Idle { pools: Vec::new(), tidy_after: Instant::now() });
}

/// The idle connections of one thread.
struct Idle {
    /// By server. A handful of servers is found faster by looking at each than by hashing.
    #[expect(clippy::vec_box, reason = "a connection is large, and moves between here and the requests")]
    pools: Vec<(u64, Vec<Box<Connection>>)>,
    tidy_after: Instant,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// The server refuses, or its name is not known.
    Io(io::Error),
    /// It took longer than the connect timeout.
    TooSlow,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::TooSlow => f.write_str("no connection in time"),
        }
    }
}

impl ConnectError {
    /// Whether it says something of the server.
    pub(crate) fn is_the_server_s(&self) -> bool {
        !matches!(self, Self::Io(error) if is_local_fault(error))
    }
}

/// An idle connection to `server` that the server has not closed meanwhile: the one last used, so that the others may
/// grow old and close.
pub(crate) fn idle(server: &Server, now: Instant) -> Option<Box<Connection>> {
    IDLE.with_borrow_mut(|idle| {
        let pool = idle.of(server.key)?;
        while let Some(mut connection) = pool.pop() {
            // One of a long answer was last used long ago, and those below it may not have been.
            if now <= connection.used + connection.idle_timeout
                && connection.place.is_current(&server.resolver)
                && connection.is_quiet()
            {
                connection.used = now;
                connection.idle = None;
                return Some(connection);
            }
        }
        None
    })
}

/// A new connection.
pub(crate) async fn open(server: Arc<Server>, within: Duration) -> Result<Box<Connection>, ConnectError> {
    match timeout(within, dial(&server, within)).await {
        Ok(Ok((io, place))) => Ok(Box::new(Connection::new(io, &server, place, Instant::now()))),
        Ok(Err(error)) => Err(ConnectError::Io(error)),
        Err(_) => {
            server.resolver.refresh_soon();
            Err(ConnectError::TooSlow)
        }
    }
}

/// Keeps a connection for the next request of this thread, if it can have one. A connection that carries a client's
/// login is closed: [`Logins`](super::logins::Logins) keeps those.
pub(crate) fn give_back(mut connection: Box<Connection>) {
    if !connection.is_shareable() {
        return;
    }
    connection.rest();
    connection.idle = Some(GaugeGuard::new(Event::UpstreamParked, Event::UpstreamUnparked));
    IDLE.with_borrow_mut(|idle| {
        if connection.used > idle.tidy_after {
            idle.tidy(connection.used);
        }
        match idle.of(connection.server) {
            Some(pool) if pool.len() < MAX_IDLE => pool.push(connection),
            // There are enough.
            Some(_) => {}
            None => idle.pools.push((connection.server, vec![connection])),
        }
    });
}

impl Idle {
    #[expect(clippy::vec_box, reason = "a connection is large, and moves between here and the requests")]
    fn of(&mut self, server: u64) -> Option<&mut Vec<Box<Connection>>> {
        self.pools.iter_mut().find(|(key, _)| *key == server).map(|(_, pool)| pool)
    }

    fn tidy(&mut self, now: Instant) {
        self.tidy_after = now + TIDY_EVERY;
        self.pools.retain_mut(|(_, pool)| {
            pool.retain(|connection| {
                now.saturating_duration_since(connection.used) <= connection.idle_timeout
                    && connection.is_quiet()
            });
            !pool.is_empty()
        });
    }
}
