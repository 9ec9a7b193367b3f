//! A wrapper around the socket of an HTTP/2 connection. It records progress for the timeouts.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::WRITE_BLOCKED;
use super::connection_info::ConnInfo;

/// The socket of an HTTP/2 connection, or the TLS session on it.
pub(super) struct Watched<S> {
    io: S,
    connection: Arc<ConnInfo>,
}

impl<S> Watched<S> {
    pub(super) fn new(io: S, connection: Arc<ConnInfo>) -> Self {
        Self { io, connection }
    }
}

fn note_write<T>(connection: &ConnInfo, result: &Poll<io::Result<T>>) {
    match result {
        Poll::Ready(_) => connection.activity.bytes_written(),
        Poll::Pending => connection.activity.set(WRITE_BLOCKED),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_write(cx, buf);
        note_write(&this.connection, &result);
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        note_write(&this.connection, &result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_flush(cx);
        // A TLS session detects in its flush that the client does not read. Most flushes have nothing to
        // write.
        match result {
            Poll::Pending => this.connection.activity.set(WRITE_BLOCKED),
            Poll::Ready(_) => this.connection.activity.clear(WRITE_BLOCKED),
        }
        result
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_shutdown(cx);
        if result.is_pending() {
            this.connection.activity.set(WRITE_BLOCKED);
        }
        result
    }
}
