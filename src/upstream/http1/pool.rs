//! A connection pool per thread. It needs no lock, and does not access cache lines of other threads.

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

/// The maximum number of idle connections per server and thread.
const MAX_IDLE: usize = 1024;
/// The interval at which a thread closes connections that will not be used again, for example because a
/// reload removed their server.
const TIDY_EVERY: Duration = Duration::from_secs(10);

thread_local! {
    static IDLE: RefCell<Idle> = RefCell::new(Idle { pools: Vec::new(), tidy_after: Instant::now() });
}

/// The idle connections of one thread.
struct Idle {
    /// The connections by server. For a few servers a linear search is faster than hashing.
    #[expect(clippy::vec_box, reason = "a connection is large, and moves between here and the requests")]
    pools: Vec<(u64, Vec<Box<Connection>>)>,
    tidy_after: Instant,
}

/// The reason why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// The server refuses the connection, or its name cannot be resolved.
    Io(io::Error),
    /// The connect timeout expired.
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
    /// Returns whether the error indicates a problem of the server.
    pub(crate) fn is_the_server_s(&self) -> bool {
        !matches!(self, Self::Io(error) if is_local_fault(error))
    }
}

/// Returns an idle connection to `server` that the server has not closed. It returns the most recently used
/// one, so that the others can expire.
pub(crate) fn idle(server: &Server, now: Instant) -> Option<Box<Connection>> {
    IDLE.with_borrow_mut(|idle| {
        let pool = idle.of(server.key)?;
        while let Some(mut connection) = pool.pop() {
            // A connection with a long response was last used long ago, but the connections below it may be
            // more recent.
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

/// Opens a new connection.
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

/// Keeps a connection for the next request of this thread, if it can serve one. A connection that carries a
/// client's login is closed, because [`Logins`](super::logins::Logins) keeps those.
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
            // The pool already holds enough connections.
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
