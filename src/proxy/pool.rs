//! Connections to servers, kept per thread: no lock, no other thread's cache lines.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout};
use tokio_rustls::TlsConnector;

use super::body::RequestBody;
use super::upstream::Server;

/// Idle connections kept for one server by one thread.
const MAX_IDLE: usize = 256;
/// An idle connection older than this is closed rather than used: servers commonly close theirs at 60 to 75 s.
const MAX_IDLE_TIME: Duration = Duration::from_secs(50);
/// The largest response head taken from a server.
const MAX_HEAD: usize = 64 * 1024;

/// How often a thread looks for connections that nobody will use again: a reload may have left their server.
const TIDY_EVERY: Duration = Duration::from_secs(10);

thread_local! {
    static IDLE: RefCell<Idle> = RefCell::new(Idle { pools: HashMap::new(), tidied: Instant::now() });
}

/// The idle connections of one thread.
struct Idle {
    pools: HashMap<u64, Vec<Connection>>,
    tidied: Instant,
}

/// A connection to a server, with the alarm that its exchanges use in turn: a timer that is only ever moved
/// later costs next to nothing, one made for each request does not.
pub(super) struct Connection {
    pub(super) sender: http1::SendRequest<RequestBody>,
    pub(super) deadline: Pin<Box<Sleep>>,
    server: u64,
    idle_since: Instant,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// The server refuses, or its name is not known.
    Io(io::Error),
    /// It took longer than the connect timeout.
    TooSlow,
    /// Connected, but no HTTP.
    Http(hyper::Error),
}

impl Connection {
    /// An idle connection to `server`, the one last used: the others may then grow old and close.
    pub(super) fn idle(server: &Server, now: Instant) -> Option<Self> {
        IDLE.with_borrow_mut(|idle| {
            let pool = idle.pools.get_mut(&server.key)?;
            while let Some(connection) = pool.pop() {
                if now.duration_since(connection.idle_since) > MAX_IDLE_TIME {
                    // Those below it are older still.
                    pool.clear();
                    return None;
                }
                if !connection.sender.is_closed() {
                    return Some(connection);
                }
            }
            None
        })
    }

    /// A new connection.
    pub(super) async fn open(server: &Arc<Server>, within: Duration) -> Result<Self, ConnectError> {
        match timeout(within, connect(server)).await {
            Ok(connected) => connected,
            Err(_) => Err(ConnectError::TooSlow),
        }
    }

    /// Back to the pool of this thread, for the next request.
    pub(super) fn give_back(mut self) {
        if self.sender.is_closed() {
            return;
        }
        let now = Instant::now();
        self.idle_since = now;
        IDLE.with_borrow_mut(|idle| {
            if now.duration_since(idle.tidied) > TIDY_EVERY {
                idle.tidy(now);
            }
            let pool = idle.pools.entry(self.server).or_default();
            if pool.len() >= MAX_IDLE {
                pool.remove(0);
            }
            pool.push(self);
        });
    }
}

impl Idle {
    fn tidy(&mut self, now: Instant) {
        self.tidied = now;
        self.pools.retain(|_, pool| {
            pool.retain(|connection| {
                !connection.sender.is_closed() && now.duration_since(connection.idle_since) <= MAX_IDLE_TIME
            });
            !pool.is_empty()
        });
    }
}

async fn connect(server: &Arc<Server>) -> Result<Connection, ConnectError> {
    let stream = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(ConnectError::Io)?;
    stream.set_nodelay(true).map_err(ConnectError::Io)?;
    match &server.tls {
        None => handshake(server, stream).await,
        Some((config, name)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            let stream = connector.connect(name.clone(), stream).await.map_err(ConnectError::Io)?;
            handshake(server, stream).await
        }
    }
}

async fn handshake<S>(server: &Server, stream: S) -> Result<Connection, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(ConnectError::Http)?;
    tokio::spawn(async move {
        // How a connection ends is told to whoever waits for an answer on it.
        let _ = connection.with_upgrades().await;
    });
    let now = Instant::now();
    let deadline = Box::pin(tokio::time::sleep_until(now));
    Ok(Connection { sender, deadline, server: server.key, idle_since: now })
}
