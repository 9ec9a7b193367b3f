//! Serves an accepted socket: connection limits, PROXY protocol header, TLS, protocol selection, and close.

use std::io::Write as _;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::connection_info::ConnInfo;
use super::connection_slots::ConnectionSlot;
use super::handler::Handler;
use super::handshake;
use super::listener::Listener;
use super::live_limits::{ConnectionSettings, LiveLimits};
use super::peer_certificate::ClientCertificate;
use super::problem::too_many_connections;
use super::proxy_protocol;
use super::shutdown::DrainSignal;
use super::tls::TlsReloader;
use super::{http1, http2};
use crate::clock::turn::Turns;
use crate::config::Limits;
use crate::proxy::client::Socket;
use crate::tcp::Tcp;
use crate::telemetry::{Event, count};

/// The state that all worker threads share.
pub(super) struct Shared<H> {
    pub(super) handler: Arc<H>,
    pub(super) live: Arc<LiveLimits>,
    pub(super) tls: Option<Arc<TlsReloader>>,
    pub(super) drain: DrainSignal,
}

impl<H: Handler> Shared<H> {
    /// Serves one connection from beginning to end. The futures that complete before the first request are
    /// boxed, so that an idle connection does not reserve memory for them.
    pub(super) async fn serve(
        self: Arc<Self>,
        mut socket: TcpStream,
        mut peer: SocketAddr,
        listener: Arc<Listener>,
        mut slot: ConnectionSlot,
    ) {
        let settings = self.live.connection_settings();
        let limits = &settings.limits;
        // The connection counts as open until `slot` is dropped at its end.
        if !Box::pin(admit(&mut slot, &mut socket, &mut peer, &listener, &settings)).await {
            return;
        }
        let socket = Tcp::new(socket);
        if !listener.spec.tls {
            let http2 = listener.spec.h2c;
            let info = ConnInfo::new(peer, listener, None);
            return if http2 {
                self.http2(socket, info, settings).await
            } else {
                self.http1(socket, info, settings).await
            };
        }
        let Some((session, certificate)) = Box::pin(self.handshake(socket, limits)).await else { return };
        let http2 = session.get_ref().1.alpn_protocol() == Some(b"h2");
        let info = ConnInfo::new(peer, listener, certificate);
        if http2 {
            self.http2(session, info, settings).await
        } else {
            self.http1(session, info, settings).await
        }
    }

    async fn handshake(
        &self,
        socket: Tcp,
        limits: &Limits,
    ) -> Option<(Box<TlsStream<Tcp>>, Option<Box<ClientCertificate>>)> {
        let tls = self.tls.as_ref()?;
        match timeout(limits.handshake_timeout, handshake::accept(tls, tls.settings(), socket)).await {
            Ok(Ok(None)) => None,
            Ok(Ok(Some(session))) => {
                let chain = session.get_ref().1.peer_certificates().unwrap_or_default();
                let certificate = ClientCertificate::new(chain, Arc::clone(tls)).map(Box::new);
                // The session is boxed: it is large, and every future that holds it would reserve space for
                // it.
                Some((Box::new(session), certificate))
            }
            // Scanners and clients that do not trust the certificate cause this error, and can cause any
            // number of log lines.
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

    /// Serves an HTTP/1 connection.
    pub(super) fn http1<S: Socket + 'static>(
        self: Arc<Self>,
        io: S,
        info: Arc<ConnInfo>,
        settings: Arc<ConnectionSettings>,
    ) -> Pin<Box<impl Future<Output = ()> + Send>> {
        Box::pin(Turns::of(async move {
            http1::serve(&*self.handler, io, &info, &settings.limits, &self.drain).await;
        }))
    }

    /// Serves an HTTP/2 connection.
    pub(super) fn http2<S: Socket + 'static>(
        self: Arc<Self>,
        io: S,
        info: Arc<ConnInfo>,
        settings: Arc<ConnectionSettings>,
    ) -> Pin<Box<impl Future<Output = ()> + Send>> {
        Box::pin(Turns::of(async move {
            http2::serve(&self.handler, io, info, &settings, &self.drain).await;
        }))
    }
}

/// Checks whether the client's address may open one more connection. Reads the PROXY protocol header first,
/// if the listener expects one.
async fn admit(
    slot: &mut ConnectionSlot,
    socket: &mut TcpStream,
    peer: &mut SocketAddr,
    listener: &Listener,
    settings: &ConnectionSettings,
) -> bool {
    if let Some(from) = &listener.spec.proxy_protocol {
        if !from.iter().any(|range| range.contains(peer.ip())) {
            slot.record_refusal(&format_args!("{} is not in proxy_protocol.from of {listener}", peer.ip()));
            return false;
        }
        match timeout(settings.limits.header_timeout, proxy_protocol::read(socket)).await {
            Ok(Ok(Some(source))) => *peer = source,
            // The load balancer connects on its own behalf or does not know the client: there is no address
            // to count.
            Ok(Ok(None)) => return true,
            Ok(Err(_)) | Err(_) => return false,
        }
    }
    let stands_for_many = settings.trusted_proxies.iter().any(|range| range.contains(peer.ip()));
    if !stands_for_many && !slot.claim(peer.ip()) {
        if is_told(listener) {
            // The write is not awaited: a client that does not read must not hold the connection.
            let _ = timeout(Duration::ZERO, socket.write_all(&too_many_connections())).await;
            let _ = timeout(Duration::ZERO, socket.shutdown()).await;
        }
        return false;
    }
    true
}

/// Closes a connection immediately, because no slot is free for it.
pub(super) fn refuse(socket: TcpStream, listener: &Listener) {
    // The underlying socket is non-blocking, and can be written to without a readiness event of the runtime.
    if is_told(listener)
        && let Ok(mut socket) = socket.into_std()
    {
        let _ = socket.write(&too_many_connections());
        let _ = socket.shutdown(Shutdown::Write);
    }
}

/// Returns whether a refused client receives a response. With TLS, a handshake would cost more than the
/// response is worth.
fn is_told(listener: &Listener) -> bool {
    !listener.spec.tls && !listener.spec.h2c
}

/// Returns the memory in bytes that an idle connection uses: its task, and the HTTP/1 state on a plain socket
/// and on a TLS session.
#[cfg(test)]
pub(crate) fn sizes_when_idle<H: Handler>() -> [usize; 3] {
    fn of_task<F, A, B, C, D, E>(_: impl FnOnce(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }
    fn of_boxed<F, A, B, C, D>(_: impl FnOnce(A, B, C, D) -> Pin<Box<F>>) -> usize {
        size_of::<F>()
    }
    let plain = of_boxed(Shared::<H>::http1::<Tcp>);
    let tls = of_boxed(Shared::<H>::http1::<Box<TlsStream<Tcp>>>);
    [of_task(Shared::<H>::serve), plain, tls]
}
