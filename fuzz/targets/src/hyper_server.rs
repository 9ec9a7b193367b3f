//! hyper's HTTP/1.1 server over bytes in memory: what it reads from a connection.

use std::convert::Infallible;
use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;

/// A request that the server read to its end.
#[derive(Debug)]
pub struct Served {
    /// The method.
    pub method: String,
    /// The whole body.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: HeaderMap,
}

/// The requests that hyper reads from a connection that sends `wire` and then shuts down.
pub fn served(wire: &[u8]) -> Vec<Served> {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&requests);
    let service = service_fn(move |request: Request<Incoming>| {
        let kept = Arc::clone(&kept);
        async move {
            let (parts, mut body) = request.into_parts();
            let (mut data, mut trailers) = (Vec::new(), HeaderMap::new());
            while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                let frame = frame.map_err(io::Error::other)?;
                match frame.into_data() {
                    Ok(bytes) => data.extend_from_slice(&bytes),
                    Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
                }
            }
            let served = Served { method: parts.method.to_string(), body: data, trailers };
            kept.lock().expect("no panic").push(served);
            Ok::<_, io::Error>(Response::new(NoBody))
        }
    });
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).half_close(true);
    let mut connection = pin!(builder.serve_connection(Memory { left: wire.to_vec() }, service));
    let mut cx = Context::from_waker(Waker::noop());
    // Nothing ever waits for anything outside.
    for _ in 0..64 {
        if connection.as_mut().poll(&mut cx).is_ready() {
            break;
        }
    }
    std::mem::take(&mut *requests.lock().expect("no panic"))
}

struct NoBody;

impl http_body::Body for NoBody {
    type Data = &'static [u8];
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// Gives out what is left of the bytes, then says that there are no more. Takes whatever is written.
struct Memory {
    left: Vec<u8>,
}

impl Read for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let here = self.left.len().min(buffer.remaining());
        buffer.put_slice(&self.left[..here]);
        self.left.drain(..here);
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
