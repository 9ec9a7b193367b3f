//! The entry point of the fuzz targets for client connections: returns the requests that would be forwarded.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;
use crate::gate::{Gate, GateSpec};
use crate::http1::HeadLimits;
use crate::oauth::decide::Lease;
use crate::proxy::body::request::BodyLimits;
use crate::upstream::downstream::Downstream as _;

const LIMITS: HeadLimits = HeadLimits { max_size: 16 * 1024, max_fields: 100 };
const TIMEOUTS: ClientTimeouts =
    ClientTimeouts { write: Duration::from_secs(30), half_closed: Duration::from_secs(3) };

/// A request that was received completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestOnConnection {
    /// The method.
    pub method: String,
    /// Whether the body is sent upstream chunked.
    pub chunked: bool,
    /// The body, in the framing in which it is sent upstream.
    pub body: Vec<u8>,
}

/// Reads a connection whose client sends these pieces and then closes its sending side. Returns the complete
/// requests in order, up to the first that is refused or closes the connection.
#[must_use]
pub fn connection<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<RequestOnConnection> {
    static GATE: OnceLock<Option<Gate>> = OnceLock::new();
    let gate = GATE.get_or_init(|| Gate::builder(GateSpec::default()).build().ok());
    let Some(gate) = gate else { return Vec::new() };
    let mut left: Vec<Vec<u8>> =
        pieces.into_iter().filter(|piece| !piece.is_empty()).map(<[u8]>::to_vec).collect();
    left.reverse();
    let mut client = Client::new(Memory { left }, TIMEOUTS, Arc::default());
    let mut requests = Vec::new();
    let reading = async {
        let lease = Lease::public();
        while poll_fn(|cx| client.poll_head(LIMITS, cx)).await.is_ok() {
            let Some(head) = client.head() else { return };
            let Ok(facts) = head.facts() else { return };
            let method = head.method().to_string();
            client.begin(Some(facts));
            let chunked = facts.framing == RequestFraming::Chunked;
            let limits = BodyLimits { max: None, timeout: Duration::from_secs(30) };
            let mut body = Vec::new();
            if client.has_body() {
                let mut upload = Upload::new(&mut client, gate, &lease, limits, chunked, None);
                loop {
                    match poll_fn(|cx| upload.poll_body(&mut body, cx)).await {
                        Ok(true) => break,
                        Ok(false) => {}
                        Err(_) => return,
                    }
                }
            }
            requests.push(RequestOnConnection { method, chunked, body });
            if !client.is_reusable() {
                return;
            }
        }
    };
    // No step waits for an external event, so one poll is enough.
    let _ = std::pin::pin!(reading).poll(&mut Context::from_waker(Waker::noop()));
    requests
}

/// A socket that returns one piece per read, then the end of the input. It accepts all writes.
struct Memory {
    /// The remaining pieces, in reverse order.
    left: Vec<Vec<u8>>,
}

impl Socket for Memory {
    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.left.pop() {
            let rest = piece.split_off(piece.len().min(room.remaining()));
            room.put_slice(&piece);
            if !rest.is_empty() {
                self.left.push(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
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
