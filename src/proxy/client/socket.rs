//! The socket of a client.

use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

use crate::tcp::Tcp;

/// A client's socket, or the TLS session on it.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {
    /// Completes once a read may return data. Until then, the task is registered for a wakeup.
    ///
    /// This is cheaper than a read that returns nothing, and needs no buffer.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

impl Socket for Tcp {
    #[inline]
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Self::poll_readable(self, cx)
    }
}

impl Socket for Box<TlsStream<Tcp>> {
    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // The TLS session may hold decrypted data.
        Poll::Ready(())
    }
}
