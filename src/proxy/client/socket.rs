//! The socket of a client.

use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A client's socket, or the TLS session on it.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {
    /// Completes once a read may return data. Until then, the task is registered for a wakeup.
    ///
    /// This is cheaper than a read that returns nothing, and needs no buffer.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

impl Socket for TcpStream {
    #[inline]
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A read reports the error.
        self.poll_read_ready(cx).map(|_| ())
    }
}

impl Socket for Box<TlsStream<TcpStream>> {
    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // The TLS session may hold decrypted data.
        Poll::Ready(())
    }
}
