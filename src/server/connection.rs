//! From an accepted socket to served HTTP: admission, PROXY header, TLS, the choice of protocol, and the close.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::server::TlsStream;

use super::activity::HEAD_STARTED;
use super::connection_info::{ClientCertificate, ConnInfo};
use super::connection_slots::Permit;
use super::drive::{End, HttpConnection, drive};
use super::handler::{Handler, Serve};
use super::io::Watched;
use super::listener::Listener;
use super::live_limits::{Conduct, LiveLimits};
use super::options::Limits;
use super::problem::Problem;
use super::proxy_protocol;
use super::shutdown::DrainSignal;
use super::streams::StreamExecutor;
use super::tls::TlsReloader;
use crate::telemetry::{Event, count};

/// How long a refused or closed client may still send before the socket is closed under it. Closing with unread bytes
/// resets the connection, and the client would lose the answer that explains it.
const LINGER: Duration = Duration::from_millis(500);
/// How much it may send in that time.
const LINGER_BYTES: usize = 256 * 1024;
/// How long an idle connection has to say goodbye (TLS close_notify, HTTP/2 GOAWAY).
const GOODBYE: Duration = Duration::from_secs(1);

/// What all threads share.
pub(super) struct Shared<H> {
    pub(super) handler: Arc<H>,
    pub(super) live: Arc<LiveLimits>,
    pub(super) tls: Option<Arc<TlsReloader>>,
    pub(super) drain: DrainSignal,
}

impl<H: Handler> Shared<H> {
    /// One connection from beginning to end. What is over before the first request is boxed, so that an idle connection
    /// does not pay for its size.
    pub(super) async fn serve(
        self: Arc<Self>,
        mut socket: TcpStream,
        mut peer: SocketAddr,
        listener: Arc<Listener>,
    ) {
        let conduct = self.live.conduct();
        let limits = &conduct.limits;
        let admitted = Box::pin(self.admit(&mut socket, &mut peer, &listener, limits)).await;
        let Some(permit) = admitted else { return };
        if !listener.spec.tls {
            let http2 = listener.spec.h2c;
            let info = ConnInfo::new(peer, listener, http2, None);
            let io = Watched::new(socket, Arc::clone(&info), permit);
            return if http2 {
                self.http2(io, info, conduct).await
            } else {
                self.http1(io, info, conduct).await
            };
        }
        let Some((session, certificate)) = Box::pin(self.handshake(socket, limits)).await else { return };
        let http2 = session.get_ref().1.alpn_protocol() == Some(b"h2");
        let info = ConnInfo::new(peer, listener, http2, certificate);
        let io = Watched::new(session, Arc::clone(&info), permit);
        if http2 { self.http2(io, info, conduct).await } else { self.http1(io, info, conduct).await }
    }

    /// Finds out whether there is room, and who is there behind a PROXY protocol header.
    async fn admit(
        &self,
        socket: &mut TcpStream,
        peer: &mut SocketAddr,
        listener: &Listener,
        limits: &Limits,
    ) -> Option<Permit> {
        let Some(mut permit) = self.live.caps().admit() else {
            self.refuse(socket, listener).await;
            return None;
        };
        if listener.spec.proxy_protocol {
            let header = timeout(limits.header_timeout, proxy_protocol::read(socket)).await;
            match header {
                Ok(Ok(Some(source))) => *peer = source,
                Ok(Ok(None)) => {}
                Ok(Err(_)) | Err(_) => return None,
            }
        }
        if !permit.claim(peer.ip()) {
            self.refuse(socket, listener).await;
            return None;
        }
        Some(permit)
    }

    /// Over the limit: a plain HTTP/1.1 client is told, a handshake would cost more than the refusal is worth. Nothing is
    /// waited for, since this connection is counted by no limit.
    async fn refuse(&self, socket: &mut TcpStream, listener: &Listener) {
        if !listener.spec.tls && !listener.spec.h2c {
            let _ = timeout(Duration::ZERO, socket.write_all(&Problem::TooManyConnections.to_wire())).await;
            let _ = timeout(Duration::ZERO, socket.shutdown()).await;
        }
    }

    async fn handshake(
        &self,
        socket: TcpStream,
        limits: &Limits,
    ) -> Option<(TlsStream<TcpStream>, Option<Box<ClientCertificate>>)> {
        let settings = self.tls.as_ref()?.settings();
        match timeout(limits.handshake_timeout, settings.acceptor().accept(socket)).await {
            Ok(Ok(session)) => {
                let chain = session.get_ref().1.peer_certificates().unwrap_or_default();
                let certificate = chain
                    .first()
                    .map(|der| Box::new(ClientCertificate::new(der, settings.vouches_for(chain))));
                Some((session, certificate))
            }
            // Scanners and clients that do not trust the certificate: as many lines as they like to make.
            Ok(Err(error)) => {
                count(Event::HandshakeFailed);
                log::debug!("TLS handshake failed: {error}");
                None
            }
            Err(_) => {
                count(Event::HandshakeFailed);
                None
            }
        }
    }

    /// An HTTP/1 connection: busy and at rest in turn. What serves it is boxed and goes while it rests.
    fn http1<S>(
        self: Arc<Self>,
        io: Watched<S>,
        info: Arc<ConnInfo>,
        conduct: Arc<Conduct>,
    ) -> Pin<Box<impl Future<Output = ()> + Send>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Box::pin(async move {
            let mut io = io;
            while let Some((resting, unread, since)) = Box::pin(self.busy(io, &info, &conduct)).await {
                io = resting;
                let until = since + conduct.limits.idle_timeout;
                if !io.take_back(unread) && !rest(&mut io, until, &self.drain).await {
                    return;
                }
            }
        })
    }

    /// Serves requests until none comes for a while: the socket then, what was read of it and not used, and since when.
    async fn busy<S>(
        &self,
        io: Watched<S>,
        info: &Arc<ConnInfo>,
        conduct: &Conduct,
    ) -> Option<(Watched<S>, Bytes, Instant)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = Serve::new(Arc::clone(&self.handler), Arc::clone(info));
        let mut connection = conduct.http1.serve_connection(TokioIo::new(io), service).with_upgrades();
        let end = drive(Pin::new(&mut connection), info, &conduct.limits, &self.drain).await;
        match end {
            // Already broken, or nobody reads.
            End::WriteTimeout => return None,
            End::IdleTimeout => {
                Pin::new(&mut connection).finish();
                let _ = timeout(GOODBYE, &mut connection).await;
                return None;
            }
            End::Finished if self.drain.is_draining() => return None,
            End::Finished | End::HeaderTimeout | End::Resting { .. } => {}
        }
        // `None` is an upgraded connection: its socket is the handler's now.
        let parts = connection.into_parts()?;
        let io = parts.io.into_inner();
        match end {
            End::Resting { since } => return Some((io, parts.read_buf, since)),
            End::HeaderTimeout => Box::pin(close(io, true, info)).await,
            _ if io.end_of_input() => {}
            _ => Box::pin(close(io, false, info)).await,
        }
        None
    }

    fn http2<S>(
        self: Arc<Self>,
        io: Watched<S>,
        info: Arc<ConnInfo>,
        conduct: Arc<Conduct>,
    ) -> Pin<Box<impl Future<Output = ()> + Send>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Box::pin(async move {
            let service = Serve::new(Arc::clone(&self.handler), Arc::clone(&info));
            let mut connection = conduct.http2.serve_connection(TokioIo::new(io), service);
            let end = drive(Pin::new(&mut connection), &info, &conduct.limits, &self.drain).await;
            if matches!(end, End::IdleTimeout) {
                Pin::new(&mut connection).finish();
                let _ = timeout(GOODBYE, &mut connection).await;
            }
        })
    }
}

/// Waits for the next request on little memory; false once there will be none.
async fn rest<S: AsyncRead + AsyncWrite + Unpin>(
    io: &mut Watched<S>,
    until: Instant,
    drain: &DrainSignal,
) -> bool {
    let spoke = tokio::select! {
        spoke = io.wait() => spoke,
        () = drain.draining() => false,
        () = sleep_until(until) => false,
    };
    if !spoke && !io.end_of_input() {
        // TLS says goodbye.
        let _ = timeout(GOODBYE, io.shutdown()).await;
    }
    spoke
}

/// Answers a head that came too slowly, and lets the client read what was answered last.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut io: Watched<S>, head_timeout: bool, info: &ConnInfo) {
    let _ = timeout(LINGER, async {
        if head_timeout {
            // A connection that never sent a byte asked for nothing and gets nothing.
            if info.activity.flags() & HEAD_STARTED == 0 {
                return;
            }
            info.activity.clear(HEAD_STARTED);
            count(Event::HeadRefused);
            if io.write_all(&Problem::HeaderTimeout.to_wire()).await.is_err() {
                return;
            }
        }
        // hyper has done so already, unless it gave up.
        let _ = io.shutdown().await;
        let mut left = LINGER_BYTES;
        let mut sink = [0; 2048];
        while !io.end_of_input() {
            match io.read(&mut sink).await {
                Ok(n) if n > 0 && n <= left => left -= n,
                _ => return,
            }
        }
    })
    .await;
}

impl<S, H> HttpConnection for http1::UpgradeableConnection<TokioIo<Watched<S>>, Serve<H>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    const RESTS: bool = true;

    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S, H> HttpConnection for http2::Connection<TokioIo<Watched<S>>, Serve<H>, StreamExecutor>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    const RESTS: bool = false;

    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
