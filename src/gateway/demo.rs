//! The demo API of `[demo]`: a plain HTTP/1.1 server that knows nothing about tokens, in place of a legacy
//! API.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::tasks::{block_on, runtime, spawn};
use crate::threads;

/// The maximum number of concurrent connections. Further connections wait in the accept queue.
const MAX_CONNECTIONS: usize = 256;
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// A demo API whose socket is bound. It does not serve yet.
#[derive(Debug)]
pub(crate) struct Demo {
    socket: TcpListener,
    addr: SocketAddr,
}

impl Demo {
    /// Makes a demo API from a listening socket.
    ///
    /// # Errors
    /// Fails if the options of the socket cannot be set.
    pub(crate) fn new(socket: TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let addr = socket.local_addr()?;
        Ok(Self { socket, addr })
    }

    /// Returns the listening socket.
    pub(crate) fn socket(&self) -> &TcpListener {
        &self.socket
    }

    /// Returns the address that it listens on.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Starts a thread that serves until the process ends.
    ///
    /// # Errors
    /// Fails if the thread or its runtime cannot be created.
    pub(crate) fn spawn(self) -> io::Result<()> {
        let runtime = runtime()?;
        threads::spawn("demo", move || block_on(&runtime, serve(self.socket)))?;
        Ok(())
    }
}

async fn serve(socket: TcpListener) {
    let listener = match tokio::net::TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!("the demo API cannot be served: {error}");
            return;
        }
    };
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // The process is probably out of file descriptors. Other connections will be closed soon.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let connection = http.serve_connection(TokioIo::new(stream), service_fn(answer));
        spawn(async move {
            let _ = connection.await;
            drop(slot);
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, body) = match request.uri().path() {
        "/hello_world" | "/health" if !readable => {
            (StatusCode::METHOD_NOT_ALLOWED, json!({ "error": "method not allowed" }))
        }
        "/hello_world" => (StatusCode::OK, hello(request.headers())),
        "/health" => (StatusCode::OK, json!({ "status": "ok" })),
        _ => (StatusCode::NOT_FOUND, json!({ "error": "not found" })),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    Ok(response)
}

/// Returns the client id and scopes that the gateway sent, to show what a legacy API receives.
fn hello(headers: &HeaderMap) -> serde_json::Value {
    let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    json!({
        "message": "Hello, world!",
        "client_id": field("x-client-id"),
        "scope": field("x-client-scope"),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn the_demo_api_echoes_the_client() {
        let demo = Demo::new(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        let addr = demo.addr();
        demo.spawn().unwrap();
        let ask = |head: &str| {
            let mut client = TcpStream::connect(addr).unwrap();
            write!(client, "{head}\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
            let mut response = String::new();
            client.read_to_string(&mut response).unwrap();
            response
        };
        let answer = ask("GET /hello_world HTTP/1.1\r\nX-Client-Id: server");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("Hello, world!"), "{answer}");
        assert!(answer.contains(r#""client_id":"server""#), "{answer}");
        assert!(ask("GET /health HTTP/1.1").starts_with("HTTP/1.1 200"));
        assert!(ask("GET /nothing HTTP/1.1").starts_with("HTTP/1.1 404"));
        assert!(ask("POST /hello_world HTTP/1.1").starts_with("HTTP/1.1 405"));
    }
}
