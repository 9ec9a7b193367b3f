//! The listener of metrics and of health: a small HTTP/1.1 server on its own thread, apart from the traffic.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

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
use crate::tasks::{block_on, runtime, spawn};
use crate::threads;

/// The maximum number of concurrent connections. Further ones wait in the accept queue.
const MAX_CONNECTIONS: usize = 16;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum age of a connection, so that an idle one does not occupy its slot forever.
const MAX_AGE: Duration = Duration::from_secs(120);
const PATH: &str = "/metrics";
/// Answers while the process lives.
const ALIVE: &str = "/healthz";
/// Answers 200 while requests are accepted.
const READY: &str = "/readyz";

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

    /// Serves the page until `stop` is notified: then another process accepts on the socket. Otherwise it
    /// serves the page until the process ends. `page` renders it for each request, and `ready` is whether
    /// requests are accepted.
    ///
    /// # Errors
    /// Fails if the thread or its runtime cannot be created.
    pub(crate) fn spawn(
        self,
        stop: Arc<Notify>,
        page: impl Fn(Format) -> String + Send + Sync + 'static,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> io::Result<()> {
        let runtime = runtime()?;
        let serve = move || {
            // Lower priority than the threads that serve traffic.
            let _ = rustix::process::nice(10);
            block_on(&runtime, async {
                tokio::select! {
                    () = serve(self.socket, Arc::new(Served { page, ready })) => {}
                    // The connections that it has accepted are served for a while.
                    () = stop.notified() => tokio::time::sleep(HEADER_TIMEOUT).await,
                }
            });
        };
        threads::spawn("tollgate-metrics", serve)?;
        super::TIMED.store(true, Relaxed);
        Ok(())
    }
}

/// What the listener serves.
struct Served<P, R> {
    page: P,
    ready: R,
}

async fn serve<P, R>(socket: TcpListener, served: Arc<Served<P, R>>)
where
    P: Fn(Format) -> String + Send + Sync + 'static,
    R: Fn() -> bool + Send + Sync + 'static,
{
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
        let served = Arc::clone(&served);
        let service = service_fn(move |request| {
            let response = respond(&request, &served);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        spawn(async move {
            let _ = timeout(MAX_AGE, connection).await;
            drop(slot);
        });
    }
}

fn respond<P, R>(request: &Request<Incoming>, served: &Served<P, R>) -> Response<Full<Bytes>>
where
    P: Fn(Format) -> String,
    R: Fn() -> bool,
{
    let path = request.uri().path();
    if !matches!(path, PATH | ALIVE | READY) {
        return response::problem(
            StatusCode::NOT_FOUND,
            "metrics are at /metrics, and health is at /healthz and /readyz",
        );
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = response::problem(StatusCode::METHOD_NOT_ALLOWED, "this is only read");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match path {
        ALIVE => return plain("ok\n", "text/plain"),
        READY if (served.ready)() => return plain("ready\n", "text/plain"),
        READY => return response::problem(StatusCode::SERVICE_UNAVAILABLE, "not ready"),
        _ => {}
    }
    let format = Format::accepted(request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()));
    plain((served.page)(format), format.media_type())
}

fn plain(text: impl Into<Bytes>, media_type: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
