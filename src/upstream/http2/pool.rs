//! The connection pool of a thread: connections are shared by its requests.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::connection::{Connection, ConnectionStatus, OpenError, open};
use crate::upstream::server::Server;

/// The maximum number of connections per server and thread. A server that allows few streams per connection
/// needs several.
const MAX_CONNECTIONS: usize = 64;
/// The maximum number of requests that wait for a stream on a connection, once [`MAX_CONNECTIONS`] is
/// reached.
const MAX_WAITING: usize = 100;

thread_local! {
    static POOLS: RefCell<Vec<Pool>> = const { RefCell::new(Vec::new()) };
}

/// The outcome of opening a connection; `None` until it is known.
type Opening = watch::Receiver<Option<Result<Connection, OpenError>>>;

struct Pool {
    server: u64,
    connections: Vec<Connection>,
    /// The connection being opened. Only one at a time, so that a burst of requests shares it.
    opening: Option<Opening>,
}

/// The reason why a request gets no connection.
#[derive(Debug)]
pub(crate) enum AcquireError {
    /// Every connection has its maximum of requests in flight and waiting.
    Full,
    /// A new connection could not be opened.
    Open(OpenError),
}

enum Found {
    Connection(Connection),
    Opening(Opening),
    Full,
}

/// Returns an open connection to `server` that has room for a request and an id above `newer_than`.
pub(crate) fn ready(server: &Server, newer_than: u64) -> Option<Connection> {
    POOLS.with_borrow_mut(|pools| {
        pools.iter_mut().find(|pool| pool.server == server.key)?.ready(server, newer_than)
    })
}

/// Returns a connection to `server` that has room for a request and an id above `newer_than`. Opens one if
/// there is none.
pub(crate) async fn acquire(
    server: &Arc<Server>,
    newer_than: u64,
    within: Duration,
) -> Result<Connection, AcquireError> {
    loop {
        let found = POOLS.with_borrow_mut(|pools| find(pools, server, newer_than, within));
        let mut opening = match found {
            Found::Connection(connection) => return Ok(connection),
            Found::Full => return Err(AcquireError::Full),
            Found::Opening(opening) => opening,
        };
        let opened = match opening.wait_for(Option::is_some).await {
            Ok(opened) => opened.clone(),
            Err(_) => None,
        };
        match opened {
            // Other requests that waited for it may have filled it.
            Some(Ok(connection)) if has_room(&connection) => return Ok(connection),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(AcquireError::Open(error)),
            None => {
                return Err(AcquireError::Open(OpenError::Failed(
                    "opening the connection was canceled".into(),
                )));
            }
        }
    }
}

/// Removes a connection that accepts no more requests.
pub(crate) fn remove(status: &Arc<ConnectionStatus>) {
    // The thread-local may already be destroyed if the thread is ending.
    let _ = POOLS.try_with(|pools| {
        if let Ok(mut pools) = pools.try_borrow_mut() {
            for pool in &mut *pools {
                pool.connections.retain(|connection| !Arc::ptr_eq(&connection.status, status));
            }
            pools.retain(|pool| !pool.connections.is_empty() || pool.opening.is_some());
        }
    });
}

impl Pool {
    fn ready(&mut self, server: &Server, newer_than: u64) -> Option<Connection> {
        // A connection to a removed address serves the requests it has, and then closes.
        self.connections.retain_mut(|Connection { status, address, .. }| {
            !status.is_closed() && address.as_mut().is_none_or(|address| address.is_current(&server.resolver))
        });
        self.newer_than(newer_than).find(|connection| has_room(connection)).cloned()
    }

    fn newer_than(&self, id: u64) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(move |connection| connection.status.id > id)
    }
}

fn has_room(connection: &Connection) -> bool {
    !connection.status.is_closed() && connection.status.streams() < connection.max_streams()
}

fn find(pools: &mut Vec<Pool>, server: &Arc<Server>, newer_than: u64, within: Duration) -> Found {
    let at = match pools.iter().position(|pool| pool.server == server.key) {
        Some(at) => at,
        None => {
            pools.push(Pool { server: server.key, connections: Vec::new(), opening: None });
            pools.len() - 1
        }
    };
    let Some(pool) = pools.get_mut(at) else { return Found::Full };
    if let Some(connection) = pool.ready(server, newer_than) {
        return Found::Connection(connection);
    }
    if pool.connections.len() >= MAX_CONNECTIONS {
        let least = pool.newer_than(newer_than).min_by_key(|connection| connection.status.streams());
        return match least {
            Some(least) if least.status.streams() < least.max_streams() + MAX_WAITING => {
                Found::Connection(least.clone())
            }
            _ => Found::Full,
        };
    }
    match &pool.opening {
        // An error means that the task that opened it ended without a result.
        Some(opening) if opening.has_changed().is_ok() => Found::Opening(opening.clone()),
        _ => {
            let opening = start(Arc::clone(server), within);
            pool.opening = Some(opening.clone());
            Found::Opening(opening)
        }
    }
}

/// Opens a connection in a separate task, because the request that started it may be canceled while others
/// wait for it.
fn start(server: Arc<Server>, within: Duration) -> Opening {
    let (sender, opening) = watch::channel(None);
    tokio::spawn(async move {
        let opened = timeout(within, open(&server, within, remove)).await.unwrap_or_else(|_| {
            server.resolver.refresh_soon();
            Err(OpenError::TooSlow)
        });
        POOLS.with_borrow_mut(|pools| {
            if let Some(pool) = pools.iter_mut().find(|pool| pool.server == server.key) {
                pool.opening = None;
                pool.connections.extend(opened.iter().cloned());
            }
        });
        let _ = sender.send(Some(opened));
    });
    opening
}
