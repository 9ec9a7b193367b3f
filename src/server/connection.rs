//! From an accepted socket to served HTTP: admission, PROXY header, TLS, the choice of protocol, and the close.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::connection_info::{ClientCertificate, ConnInfo};
use super::connection_slots::ConnectionSlot;
use super::drive::{End, HttpConnection, drive};
use super::handler::{Handler, Serve};
use super::http1;
use super::io::Watched;
use super::listener::Listener;
use super::live_limits::{ConnectionSettings, LiveLimits};
use super::problem::too_many_connections;
use super::proxy_protocol;
use super::shutdown::DrainSignal;
use super::streams::StreamExecutor;
use super::tls::TlsReloader;
use crate::clock::turn::Turns;
use crate::config::Limits;
use crate::proxy::client::Socket;
use crate::telemetry::{Event, count};

/// How long an idle connection has to say goodbye (HTTP/2 GOAWAY).
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
        let settings = self.live.connection_settings();
        let limits = &settings.limits;
        let admitted = Box::pin(self.admit(&mut socket, &mut peer, &listener, limits)).await;
        // The connection counts as open until it has ended.
        let Some(_slot) = admitted else { return };
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

    /// Finds out whether there is room, and who is there behind a PROXY protocol header.
    async fn admit(
        &self,
        socket: &mut TcpStream,
        peer: &mut SocketAddr,
        listener: &Listener,
        limits: &Limits,
    ) -> Option<ConnectionSlot> {
        let Some(mut slot) = self.live.connection_slots().take() else {
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
        if !slot.claim(peer.ip()) {
            self.refuse(socket, listener).await;
            return None;
        }
        Some(slot)
    }

    /// Over the limit: a plain HTTP/1.1 client is told, a handshake would cost more than the refusal is worth. Nothing is
    /// waited for, since this connection is counted by no limit.
    async fn refuse(&self, socket: &mut TcpStream, listener: &Listener) {
        if !listener.spec.tls && !listener.spec.h2c {
            let _ = timeout(Duration::ZERO, socket.write_all(&too_many_connections())).await;
            let _ = timeout(Duration::ZERO, socket.shutdown()).await;
        }
    }

    async fn handshake(
        &self,
        socket: TcpStream,
        limits: &Limits,
    ) -> Option<(TlsStream<TcpStream>, Option<Box<ClientCertificate>>)> {
        let tls = self.tls.as_ref()?.settings();
        match timeout(limits.handshake_timeout, tls.acceptor().accept(socket)).await {
            Ok(Ok(session)) => {
                let chain = session.get_ref().1.peer_certificates().unwrap_or_default();
                let certificate = chain
                    .first()
                    .map(|der| Box::new(ClientCertificate::new(der, tls.is_client_verified(chain))));
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

    /// An HTTP/1 connection.
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

    pub(super) fn http2<S>(
        self: Arc<Self>,
        io: S,
        info: Arc<ConnInfo>,
        settings: Arc<ConnectionSettings>,
    ) -> Pin<Box<impl Future<Output = ()> + Send>>
    where
        S: Socket + 'static,
    {
        Box::pin(async move {
            let service = Serve::new(Arc::clone(&self.handler), Arc::clone(&info));
            let io = Watched::new(io, Arc::clone(&info));
            let mut connection = settings.http2.serve_connection(TokioIo::new(io), service);
            let end = drive(Pin::new(&mut connection), &info, &settings.limits, &self.drain).await;
            if matches!(end, End::IdleTimeout) {
                Pin::new(&mut connection).finish();
                let _ = timeout(GOODBYE, &mut connection).await;
            }
        })
    }
}

impl<S, H> HttpConnection for http2::Connection<TokioIo<Watched<S>>, Serve<H>, StreamExecutor>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
