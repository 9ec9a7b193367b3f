//! Connections to servers, kept per thread: no lock, no other thread's cache lines.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout};
use tokio_rustls::TlsConnector;

use super::body::RequestBody;
use super::io::Io;
use super::upstream::Server;
use super::wake::InnerWaker;
use crate::telemetry::{Event, Standing};

/// Idle connections kept for one server by one thread.
const MAX_IDLE: usize = 256;
/// An idle connection older than this is closed rather than used: servers commonly close theirs at 60 to 75 s.
const MAX_IDLE_TIME: Duration = Duration::from_secs(50);
/// The largest response head taken from a server.
const MAX_HEAD: usize = 64 * 1024;

/// How often a thread looks for connections that nobody will use again: a reload may have left their server.
const TIDY_EVERY: Duration = Duration::from_secs(10);

thread_local! {
    static IDLE: RefCell<Idle> = RefCell::new(Idle { pools: Vec::new(), tidied: Instant::now() });
}

/// The idle connections of one thread.
struct Idle {
    /// By server. A handful of servers is found faster by looking at each than by hashing.
    pools: Vec<(u64, Vec<Connection>)>,
    tidied: Instant,
}

/// An answer, or why there is none, with the request if it was not sent.
pub(super) type Answer = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;
type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection to a server.
///
/// It is driven by whoever uses it, not by a task of its own: a request and its upstream connection wake one task
/// once, and nothing is handed between tasks. Boxed where it would be large to move, since it moves with every
/// request.
pub(super) struct Connection {
    sender: http1::SendRequest<RequestBody>,
    /// None once it came to its end.
    driver: Option<Driver>,
    /// The alarm that its exchanges use in turn: a timer that is only ever moved later costs next to nothing, one
    /// made for each request does not.
    pub(super) deadline: Pin<Box<Sleep>>,
    waker: InnerWaker,
    server: u64,
    /// Counts it as open, and while it is idle as that.
    _open: Standing,
    idle: Option<Standing>,
    /// When it was last used: the beginning of its last exchange, which spares a look at the clock at the end.
    used: Instant,
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
            let pool = idle.of(server.key)?;
            let mut connection = pool.pop()?;
            connection.idle = None;
            if now.saturating_duration_since(connection.used) > MAX_IDLE_TIME {
                // Those below it are older still.
                pool.clear();
                return None;
            }
            Some(connection)
        })
    }

    /// A new connection.
    pub(super) async fn open(server: Arc<Server>, within: Duration) -> Result<Self, ConnectError> {
        match timeout(within, connect(&server)).await {
            Ok(connected) => connected,
            Err(_) => Err(ConnectError::TooSlow),
        }
    }

    /// Whether the server would read a request now, once it has been asked what it said meanwhile.
    pub(super) fn poll_usable(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let Self { sender, driver, waker, .. } = self;
        waker.poll(cx, |cx| {
            if drive(driver, cx) {
                Poll::Ready(false)
            } else {
                sender.poll_ready(cx).map(|ready| ready.is_ok())
            }
        })
    }

    /// Moves bytes, and polls what waits for them, until neither has more to do. How a connection
    /// ends is told to what waits.
    pub(super) fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut waiting: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Self { driver, waker, .. } = self;
        waker.poll(cx, |cx| {
            drive(driver, cx);
            waiting(cx)
        })
    }

    /// Sends a request, if the server would read one now: the answer is to be polled by [`Connection::poll_with`],
    /// which also does the sending.
    #[expect(
        clippy::result_large_err,
        reason = "the request comes back whole; boxing it would cost every request"
    )]
    pub(super) fn try_send(
        &mut self,
        request: Request<RequestBody>,
        now: Instant,
    ) -> Result<impl Future<Output = Answer> + use<>, Request<RequestBody>> {
        let Self { sender, waker, used, .. } = self;
        if !sender.is_ready() {
            return Err(request);
        }
        *used = now;
        Ok(waker.quietly(|| sender.try_send_request(request)))
    }

    /// Drives the connection to its end, as an upgrade needs.
    pub(super) async fn finish(mut self) {
        if let Some(driver) = self.driver.take() {
            driver.await;
        }
    }

    /// Back to the pool of this thread, for the next request.
    ///
    /// One that the server is not done with, as when it answered before it had read the whole request, is closed.
    pub(super) fn give_back(mut self) {
        self.waker.release();
        if !self.sender.is_ready() {
            drive(&mut self.driver, &mut Context::from_waker(Waker::noop()));
            if !self.sender.is_ready() {
                return;
            }
        }
        self.idle = Some(Standing::new(Event::UpstreamParked, Event::UpstreamUnparked));
        IDLE.with_borrow_mut(|idle| {
            if self.used.saturating_duration_since(idle.tidied) > TIDY_EVERY {
                idle.tidy(self.used);
            }
            match idle.of(self.server) {
                Some(pool) => {
                    if pool.len() >= MAX_IDLE {
                        pool.remove(0);
                    }
                    pool.push(self);
                }
                None => idle.pools.push((self.server, vec![self])),
            }
        });
    }
}

impl Idle {
    fn of(&mut self, server: u64) -> Option<&mut Vec<Connection>> {
        self.pools.iter_mut().find(|(key, _)| *key == server).map(|(_, pool)| pool)
    }

    fn tidy(&mut self, now: Instant) {
        self.tidied = now;
        // Nobody is to be woken: this only looks.
        let mut cx = Context::from_waker(Waker::noop());
        self.pools.retain_mut(|(_, pool)| {
            pool.retain_mut(|connection| {
                now.saturating_duration_since(connection.used) <= MAX_IDLE_TIME
                    && !drive(&mut connection.driver, &mut cx)
            });
            !pool.is_empty()
        });
    }
}

/// Moves bytes; whether the connection is at its end.
fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) -> bool {
    if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
        *driver = None;
    }
    driver.is_none()
}

async fn connect(server: &Server) -> Result<Connection, ConnectError> {
    let stream = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(ConnectError::Io)?;
    stream.set_nodelay(true).map_err(ConnectError::Io)?;
    let io = match &server.tls {
        None => Io::Plain(stream),
        Some((config, name)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            Io::Tls(Box::new(connector.connect(name.clone(), stream).await.map_err(ConnectError::Io)?))
        }
    };
    let (sender, driver) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(io))
        .await
        .map_err(ConnectError::Http)?;
    let now = Instant::now();
    Ok(Connection {
        sender,
        driver: Some(Box::pin(async move {
            let _ = driver.with_upgrades().await;
        })),
        deadline: Box::pin(tokio::time::sleep_until(now)),
        waker: InnerWaker::new(),
        server: server.key,
        _open: Standing::new(Event::UpstreamOpened, Event::UpstreamClosed),
        idle: None,
        used: now,
    })
}
