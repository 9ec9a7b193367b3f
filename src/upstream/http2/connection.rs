//! An HTTP/2 connection to a server: its handshake, and the task that drives it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::rustls::{AlertDescription, Error as TlsError};

use crate::upstream::connect::dial;
use crate::upstream::local_fault::is_local_fault;
use crate::upstream::resolve::ResolvedAddr;
use crate::upstream::server::Server;

/// The maximum number of concurrent requests per connection, even if the server allows more.
pub(crate) const MAX_STREAMS: usize = 100;
/// The bytes of one response that a server may send before the client has read any.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The window is large enough for all streams to be full at once. Otherwise a few clients that do not read
/// would block all others on the connection.
const CONNECTION_WINDOW: u32 = MAX_STREAMS as u32 * STREAM_WINDOW;
/// The bytes of one request body that may be buffered here.
const SEND_BUFFER: usize = 64 * 1024;
/// The largest response head accepted.
const MAX_HEAD: u32 = 64 * 1024;

/// The interval at which a connection is checked.
const TICK: Duration = Duration::from_secs(10);
/// A connection whose ping is not acknowledged after this many ticks is dead.
const PING_TICKS: u32 = 2;

/// The state of a connection, shared by its driver and its users.
#[derive(Debug)]
pub(crate) struct ConnectionStatus {
    /// The id. Ids ascend in the order of creation.
    pub(crate) id: u64,
    /// Requests in flight, including those that wait for the server to allow another stream.
    streams: AtomicUsize,
    begun: AtomicU64,
    written: AtomicU64,
    read: AtomicU64,
    closed: AtomicBool,
}

impl ConnectionStatus {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Relaxed),
            streams: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            written: AtomicU64::new(0),
            read: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Returns an id that is lower than that of every connection opened from now on.
    pub(crate) fn latest_id() -> u64 {
        Self::new().id
    }

    /// Returns the number of requests in flight.
    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Relaxed)
    }

    /// Returns the number of requests so far.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Returns the number of bytes written to the socket so far.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Marks the connection as closed to new requests.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Counts a request until the guard is dropped.
    pub(crate) fn begin_stream(self: &Arc<Self>) -> StreamGuard {
        self.streams.fetch_add(1, Relaxed);
        self.begun.fetch_add(1, Relaxed);
        StreamGuard(Arc::clone(self))
    }
}

/// A request in flight on a connection, counted until the guard is dropped.
#[derive(Debug)]
pub(crate) struct StreamGuard(Arc<ConnectionStatus>);

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Relaxed);
    }
}

/// A handle to a connection.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Bytes>,
    pub(crate) status: Arc<ConnectionStatus>,
    /// Whether the server is reached over TLS.
    pub(crate) tls: bool,
    /// The server's address, or `None` in tests.
    pub(crate) address: Option<ResolvedAddr>,
}

impl Connection {
    /// Returns the number of concurrent requests that the server allows, up to [`MAX_STREAMS`].
    pub(crate) fn max_streams(&self) -> usize {
        self.sender.current_max_send_streams().min(MAX_STREAMS)
    }
}

/// Why a connection could not be opened.
#[derive(Debug, Clone)]
pub(crate) enum OpenError {
    /// The server refused the connection, its name cannot be resolved, or it does not speak HTTP/2.
    Failed(Arc<str>),
    /// This machine lacks a resource, which says nothing about the server.
    Local(Arc<str>),
    /// The TLS handshake did not negotiate HTTP/2.
    NoHttp2,
    /// The connect timeout expired.
    TooSlow,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) | Self::Local(error) => f.write_str(error),
            Self::NoHttp2 => f.write_str("it does not accept HTTP/2 over TLS (ALPN)"),
            Self::TooSlow => f.write_str("the connect timeout expired"),
        }
    }
}

/// A callback for a connection that accepts no more requests.
pub(crate) type OnClose = fn(&Arc<ConnectionStatus>);

/// Connects to a server and drives the connection in a task on this thread.
pub(crate) async fn open(
    server: &Server,
    within: Duration,
    on_close: OnClose,
) -> Result<Connection, OpenError> {
    let (io, address) = dial(server, within).await.map_err(|error| {
        let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        match refused {
            Some(TlsError::AlertReceived(AlertDescription::NoApplicationProtocol)) => OpenError::NoHttp2,
            _ if is_local_fault(&error) => OpenError::Local(error.to_string().into()),
            _ => OpenError::Failed(error.to_string().into()),
        }
    })?;
    if server.tls.is_some() && io.alpn() != Some(b"h2") {
        return Err(OpenError::NoHttp2);
    }
    match start(io, on_close, idle_ticks(server.idle_timeout)).await {
        Ok(connection) => Ok(Connection { address: Some(address), tls: server.tls.is_some(), ..connection }),
        Err(error) => Err(OpenError::Failed(error.to_string().into())),
    }
}

/// The whole ticks in an idle timeout, and at least one.
fn idle_ticks(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_secs() / TICK.as_secs()).unwrap_or(u32::MAX).max(1)
}

/// Performs the HTTP/2 handshake. It waits only for the socket to accept the preface, not for the server's
/// SETTINGS.
async fn start<T>(io: T, on_close: OnClose, max_idle_ticks: u32) -> Result<Connection, h2::Error>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let status = Arc::new(ConnectionStatus::new());
    let io = CountingIo { io, status: Arc::clone(&status) };
    let (sender, mut connection) = client::Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(MAX_STREAMS)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(MAX_HEAD)
        .handshake::<_, Bytes>(io)
        .await?;
    let watchdog = Watchdog {
        status: Arc::clone(&status),
        on_close,
        ping: connection.ping_pong(),
        ping_ticks: 0,
        idle_ticks: 0,
        max_idle_ticks,
        activity: (0, 0),
        timer: Box::pin(sleep_until(Instant::now() + TICK)),
    };
    tokio::spawn(drive(connection, watchdog));
    Ok(Connection { sender, status, tls: false, address: None })
}

async fn drive<T>(mut connection: client::Connection<CountingIo<T>, Bytes>, mut watchdog: Watchdog)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| {
        if Pin::new(&mut connection).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        watchdog.poll(cx)
    })
    .await;
    watchdog.status.close();
    (watchdog.on_close)(&watchdog.status);
}

/// Detects that a connection is idle or dead.
struct Watchdog {
    status: Arc<ConnectionStatus>,
    on_close: OnClose,
    ping: Option<PingPong>,
    /// Ticks since an unacknowledged ping was sent; 0 if there is none.
    ping_ticks: u32,
    idle_ticks: u32,
    /// The ticks without requests after which the connection is closed.
    max_idle_ticks: u32,
    /// The numbers of requests and of bytes read at the last tick.
    activity: (u64, u64),
    timer: Pin<Box<Sleep>>,
}

impl Watchdog {
    /// Completes when the connection is dead.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ping_ticks > 0
            && let Some(ping) = &mut self.ping
            && ping.poll_pong(cx).is_ready()
        {
            self.ping_ticks = 0;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            self.timer.as_mut().reset(Instant::now() + TICK);
            if self.tick() {
                return Poll::Ready(());
            }
            if self.ping_ticks > 0
                && let Some(ping) = &mut self.ping
            {
                // Registers this task for the acknowledgement.
                let _ = ping.poll_pong(cx);
            }
        }
        Poll::Pending
    }

    fn tick(&mut self) -> bool {
        if self.ping_ticks > 0 {
            self.ping_ticks += 1;
            return self.ping_ticks > PING_TICKS;
        }
        let now = (self.status.begun(), self.status.read.load(Relaxed));
        let silent = self.activity == now;
        self.activity = now;
        if self.status.streams() > 0 {
            self.idle_ticks = 0;
            if silent
                && let Some(ping) = &mut self.ping
                && ping.send_ping(Ping::opaque()).is_ok()
            {
                self.ping_ticks = 1;
            }
            return false;
        }
        self.idle_ticks = if silent { self.idle_ticks + 1 } else { 0 };
        if self.idle_ticks >= self.max_idle_ticks {
            // The pool drops its handle: without handles, h2 sends GOAWAY and closes the connection.
            self.status.close();
            (self.on_close)(&self.status);
        }
        false
    }
}

/// Counts the bytes read and written, to know whether a failed request was ever written.
struct CountingIo<T> {
    io: T,
    status: Arc<ConnectionStatus>,
}

impl<T> CountingIo<T> {
    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.status.written.fetch_add(*bytes as u64, Relaxed);
        }
        written
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for CountingIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        self.status.read.fetch_add((buf.filled().len() - before) as u64, Relaxed);
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for CountingIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
