//! Connections to servers, shared by the requests of one thread.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::connection::{Connection, ConnectionStatus, OpenError, open};
use crate::upstream::server::Server;

/// Connections to one server from one thread. A server that takes few requests on each needs several.
const MAX_CONNECTIONS: usize = 64;
/// Requests that wait on a connection for the server to take more, once there are as many connections as may be.
const MAX_WAITING: usize = 100;

thread_local! {
    static POOLS: RefCell<Vec<Pool>> = const { RefCell::new(Vec::new()) };
}

/// What opening a connection came to; none while it is under way.
type Opening = watch::Receiver<Option<Result<Connection, OpenError>>>;

struct Pool {
    server: u64,
    connections: Vec<Connection>,
    /// One at a time: a burst of requests then shares what it opens.
    opening: Option<Opening>,
}

/// Why a request has no connection.
#[derive(Debug)]
pub(crate) enum AcquireError {
    /// Every connection has as many requests under way and waiting as it may.
    Full,
    /// A new one could not be opened.
    Open(OpenError),
}

enum Found {
    Connection(Connection),
    Opening(Opening),
    Full,
}

/// A connection to `server` with room for a request, of those with a number above `newer_than`.
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
            // Those who waited for it may have filled it.
            Some(Ok(connection)) if has_room(&connection) => return Ok(connection),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(AcquireError::Open(error)),
            None => {
                return Err(AcquireError::Open(OpenError::Failed("the connection was given up".into())));
            }
        }
    }
}

/// Lets go of a connection that takes no more requests.
pub(crate) fn forget(status: &Arc<ConnectionStatus>) {
    // The thread may be ending, and its pools with it.
    let _ = POOLS.try_with(|pools| {
        if let Ok(mut pools) = pools.try_borrow_mut() {
            for pool in &mut *pools {
                pool.connections.retain(|connection| !Arc::ptr_eq(&connection.status, status));
            }
            pools.retain(|pool| !pool.connections.is_empty() || pool.opening.is_some());
        }
    });
}

fn has_room(connection: &Connection) -> bool {
    !connection.status.is_closed() && connection.status.streams() < connection.most()
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
    // One to an address that left the name is used by the requests it has, and then closes.
    pool.connections.retain_mut(|Connection { status, address, .. }| {
        !status.is_closed() && address.as_mut().is_none_or(|address| address.is_current(&server.resolver))
    });
    let usable = || pool.connections.iter().filter(|connection| connection.status.number > newer_than);
    if let Some(connection) = usable().find(|connection| has_room(connection)) {
        return Found::Connection(connection.clone());
    }
    if pool.connections.len() >= MAX_CONNECTIONS {
        let least = usable().min_by_key(|connection| connection.status.streams());
        return match least {
            Some(least) if least.status.streams() < least.most() + MAX_WAITING => {
                Found::Connection(least.clone())
            }
            _ => Found::Full,
        };
    }
    match &pool.opening {
        // An error: whoever was opening it is gone without a word.
        Some(opening) if opening.has_changed().is_ok() => Found::Opening(opening.clone()),
        _ => {
            let opening = start(Arc::clone(server), within);
            pool.opening = Some(opening.clone());
            Found::Opening(opening)
        }
    }
}

/// Opens a connection in a task of its own: the request that asked first may go away, and others wait for it too.
fn start(server: Arc<Server>, within: Duration) -> Opening {
    let (tell, opening) = watch::channel(None);
    tokio::spawn(async move {
        let opened = timeout(within, open(&server, within, forget)).await.unwrap_or_else(|_| {
            server.resolver.refresh_soon();
            Err(OpenError::TooSlow)
        });
        POOLS.with_borrow_mut(|pools| {
            if let Some(pool) = pools.iter_mut().find(|pool| pool.server == server.key) {
                pool.opening = None;
                pool.connections.extend(opened.iter().cloned());
            }
        });
        let _ = tell.send(Some(opened));
    });
    opening
}
