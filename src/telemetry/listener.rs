//! The metrics endpoint: a small HTTP/1.1 server on its own thread, apart from the traffic.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use std::{io, thread};

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use super::exposition::Format;
use crate::response;

/// The maximum number of concurrent connections. Further ones wait in the accept queue.
const MAX_CONNECTIONS: usize = 16;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum age of a connection, so that an idle one does not occupy its slot forever.
const MAX_AGE: Duration = Duration::from_secs(120);
const PATH: &str = "/metrics";

/// A bound listener for metrics that does not serve yet.
#[derive(Debug)]
pub(crate) struct MetricsListener {
    socket: TcpListener,
    address: SocketAddr,
}

impl MetricsListener {
    /// Makes a listener for metrics of a listening socket.
    ///
    /// # Errors
    /// Fails if the options of the socket cannot be set.
    pub(crate) fn new(socket: TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Returns the URL of the page.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Returns the listening socket.
    pub(crate) fn socket(&self) -> &TcpListener {
        &self.socket
    }

    /// Serves the page until `stop` is notified: then another process accepts on the socket. Otherwise it serves the page
    /// until the process ends. `page` renders it for each request.
    ///
    /// # Errors
    /// Fails if the thread or its runtime cannot be created.
    pub(crate) fn spawn(
        self,
        stop: Arc<Notify>,
        page: impl Fn(Format) -> String + Send + Sync + 'static,
    ) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || {
            // Lower priority than the threads that serve traffic.
            let _ = rustix::process::nice(10);
            runtime.block_on(async {
                tokio::select! {
                    () = serve(self.socket, Arc::new(page)) => {}
                    // The connections that it has accepted are served for a while.
                    () = stop.notified() => tokio::time::sleep(HEADER_TIMEOUT).await,
                }
            });
        };
        thread::Builder::new().name("tollgate-metrics".into()).spawn(serve)?;
        super::TIMED.store(true, Relaxed);
        Ok(())
    }
}

async fn serve(socket: TcpListener, page: Arc<impl Fn(Format) -> String + Send + Sync + 'static>) {
    let listener = match tokio::net::TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!("metrics cannot be served: {error}");
            return;
        }
    };
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // The process is probably out of descriptors: wait until some are closed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let page = Arc::clone(&page);
        let service = service_fn(move |request| {
            let response = respond(&request, &*page);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            let _ = timeout(MAX_AGE, connection).await;
            drop(slot);
        });
    }
}

fn respond(request: &Request<Incoming>, page: &impl Fn(Format) -> String) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH {
        return response::problem(StatusCode::NOT_FOUND, "metrics are at /metrics");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = response::problem(StatusCode::METHOD_NOT_ALLOWED, "metrics are only read");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let format = Format::accepted(request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()));
    let mut response = Response::new(Full::new(Bytes::from(page(format))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
