//! One HTTP/2 connection to a server: its handshake, and the task that moves its bytes.

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

/// Requests on one connection at once, whatever more the server would take.
pub(crate) const MAX_STREAMS: usize = 100;
/// What a server may send of one answer before the client has read any.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Room for every stream to be full: or a few clients that do not read would hold up all others of the connection.
const CONNECTION_WINDOW: u32 = MAX_STREAMS as u32 * STREAM_WINDOW;
/// What one request's body may wait with here.
const SEND_BUFFER: usize = 64 * 1024;
/// The largest response head taken from a server.
const MAX_HEAD: u32 = 64 * 1024;

/// How often a connection is looked at.
const TICK: Duration = Duration::from_secs(10);
/// A connection without requests for so many ticks is closed: servers commonly close theirs at 60 to 75 s.
const IDLE_TICKS: u32 = 5;
/// A ping without an answer for so many ticks: nobody is there.
const PING_TICKS: u32 = 2;

/// What is known about a connection, to its driver and to those who use it.
#[derive(Debug)]
pub(crate) struct ConnectionStatus {
    /// Later ones have higher numbers.
    pub(crate) number: u64,
    /// Requests under way, with those that wait for the server to take more.
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
            number: NEXT.fetch_add(1, Relaxed),
            streams: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            written: AtomicU64::new(0),
            read: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// What a connection opened from now on has a higher number than.
    pub(crate) fn latest_id() -> u64 {
        Self::new().number
    }

    /// Requests under way.
    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Relaxed)
    }

    /// Requests so far.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Bytes that the socket took so far.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Takes no more requests.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// A request's place among those under way.
    pub(crate) fn enter(self: &Arc<Self>) -> StreamGuard {
        self.streams.fetch_add(1, Relaxed);
        self.begun.fetch_add(1, Relaxed);
        StreamGuard(Arc::clone(self))
    }
}

/// A request under way on a connection, until dropped.
#[derive(Debug)]
pub(crate) struct StreamGuard(Arc<ConnectionStatus>);

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Relaxed);
    }
}

/// A connection, for those who use it.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Bytes>,
    pub(crate) status: Arc<ConnectionStatus>,
    /// Which of the server's addresses it goes to.
    pub(crate) address: Option<ResolvedAddr>,
}

impl Connection {
    /// How many requests the server takes on it at once.
    pub(crate) fn most(&self) -> usize {
        self.sender.current_max_send_streams().min(MAX_STREAMS)
    }
}

/// Why there is no connection.
#[derive(Debug, Clone)]
pub(crate) enum OpenError {
    /// The server refuses, or its name is not known, or it is no HTTP/2 server.
    Failed(Arc<str>),
    /// Something is wanting here: that says nothing of the server.
    Local(Arc<str>),
    /// TLS did not agree on HTTP/2.
    NoHttp2,
    /// It took longer than the connect timeout.
    TooSlow,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) | Self::Local(error) => f.write_str(error),
            Self::NoHttp2 => f.write_str("it does not agree to HTTP/2 over TLS"),
            Self::TooSlow => f.write_str("no connection in time"),
        }
    }
}

/// Called when a connection takes no more requests.
pub(crate) type OnClose = fn(&Arc<ConnectionStatus>);

/// Connects to a server and drives the connection in a task of this thread.
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
    match start(io, on_close).await {
        Ok(connection) => Ok(Connection { address: Some(address), ..connection }),
        Err(error) => Err(OpenError::Failed(error.to_string().into())),
    }
}

/// The handshake of HTTP/2 itself: nothing is waited for but that the socket takes it.
async fn start<T>(io: T, on_close: OnClose) -> Result<Connection, h2::Error>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let status = Arc::new(ConnectionStatus::new());
    let io = Counted { io, status: Arc::clone(&status) };
    let (sender, mut connection) = client::Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(MAX_STREAMS)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(MAX_HEAD)
        .handshake::<_, Bytes>(io)
        .await?;
    let watch = Watchdog {
        status: Arc::clone(&status),
        on_close,
        ping: connection.ping_pong(),
        waiting: 0,
        idle: 0,
        seen: (0, 0),
        alarm: Box::pin(sleep_until(Instant::now() + TICK)),
    };
    tokio::spawn(drive(connection, watch));
    Ok(Connection { sender, status, address: None })
}

async fn drive<T>(mut connection: client::Connection<Counted<T>, Bytes>, mut watch: Watchdog)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| {
        if Pin::new(&mut connection).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        watch.poll(cx)
    })
    .await;
    watch.status.close();
    (watch.on_close)(&watch.status);
}

/// Notices that a connection is used by nobody, or that nobody answers on it.
struct Watchdog {
    status: Arc<ConnectionStatus>,
    on_close: OnClose,
    ping: Option<PingPong>,
    /// Ticks since a ping that has no answer; none waits at zero.
    waiting: u32,
    idle: u32,
    /// Requests begun and bytes read by the last tick.
    seen: (u64, u64),
    alarm: Pin<Box<Sleep>>,
}

impl Watchdog {
    /// Ready when the connection is to be given up.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting > 0
            && let Some(ping) = &mut self.ping
            && ping.poll_pong(cx).is_ready()
        {
            self.waiting = 0;
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            self.alarm.as_mut().reset(Instant::now() + TICK);
            if self.tick() {
                return Poll::Ready(());
            }
            if self.waiting > 0
                && let Some(ping) = &mut self.ping
            {
                // Registers this task for the answer.
                let _ = ping.poll_pong(cx);
            }
        }
        Poll::Pending
    }

    fn tick(&mut self) -> bool {
        if self.waiting > 0 {
            self.waiting += 1;
            return self.waiting > PING_TICKS;
        }
        let now = (self.status.begun(), self.status.read.load(Relaxed));
        let silent = self.seen == now;
        self.seen = now;
        if self.status.streams() > 0 {
            self.idle = 0;
            if silent
                && let Some(ping) = &mut self.ping
                && ping.send_ping(Ping::opaque()).is_ok()
            {
                self.waiting = 1;
            }
            return false;
        }
        self.idle = if silent { self.idle + 1 } else { 0 };
        if self.idle >= IDLE_TICKS {
            // Nobody holds it then: it says goodbye and ends.
            self.status.close();
            (self.on_close)(&self.status);
        }
        false
    }
}

/// Counts the bytes that pass, so that what was never written is known.
struct Counted<T> {
    io: T,
    status: Arc<ConnectionStatus>,
}

impl<T> Counted<T> {
    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.status.written.fetch_add(*bytes as u64, Relaxed);
        }
        written
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
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

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
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
