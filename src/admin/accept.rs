//! Accepts connections and serves them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower_service::Service as _;

use super::peer::Peer;
use crate::server::TlsReloader;
use crate::tasks::spawn;

/// The maximum number of concurrent connections. Further connections wait in the accept queue.
const MAX_CONNECTIONS: usize = 32;
/// The timeout for the head of a request, and for an idle connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum age of a connection, so that a client that does not read cannot occupy a slot forever.
/// Browsers reconnect, even for a stream of events.
const MAX_AGE: Duration = Duration::from_secs(600);
/// The maximum size of a request head.
const MAX_HEAD: usize = 32 << 10;

/// Serves the connections of a listener.
pub(super) async fn accept(socket: std::net::TcpListener, tls: Option<Arc<TlsReloader>>, router: Router) {
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!("the console cannot be served: {error}");
            return;
        }
    };
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let Ok((stream, client)) = listener.accept().await else {
            // The process is probably out of file descriptors. It waits until some are closed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (tls, router) = (tls.clone(), router.clone());
        spawn(async move {
            let _ = timeout(MAX_AGE, connection(stream, client, tls, router, Arc::new(slot))).await;
        });
    }
}

async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    tls: Option<Arc<TlsReloader>>,
    router: Router,
    slot: Arc<OwnedSemaphorePermit>,
) {
    let Ok(local) = stream.local_addr() else { return };
    let peer = Peer { client, local };
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(stream, peer, router, slot).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, tls.http1_acceptor().accept(stream)).await {
                serve(stream, peer, router, slot).await;
            }
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    router: Router,
    slot: Arc<OwnedSemaphorePermit>,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let response = respond(router.clone(), request, Arc::clone(&slot));
        // A client that breaks off must not stop a change halfway, such as between a change and its audit
        // line. The slot of the connection stays taken until the handler has ended.
        let handled = tokio::spawn(response);
        async move { handled.await.inspect_err(|error| log::error!("a request to the console failed: {error}")) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEAD);
    // A client that closes its connection early is not logged.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

/// Responds to a request. It is apart from `serve`, which is compiled for every type of stream.
async fn respond(
    mut router: Router,
    request: Request<Incoming>,
    slot: Arc<OwnedSemaphorePermit>,
) -> axum::response::Response {
    let response = router.call(request).await.unwrap_or_else(|never| match never {});
    drop(slot);
    response
}
