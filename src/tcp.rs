//! A TCP socket of the runtime, read and written with few instructions.
//!
//! tokio's `poll_read` and `poll_write` first prepare for a socket that is not ready, but nearly every socket is
//! ready when it is read or written. They also call functions of the C library that are cancellation points of
//! threads, which costs two locked instructions each. Here, the system call is tried first, without the C library,
//! and tokio registers for a wakeup only if the socket was not ready.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop;

/// A connected TCP socket.
#[derive(Debug)]
pub(crate) struct Tcp(TcpStream);

impl Tcp {
    /// Wraps a socket of this runtime.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(stream)
    }

    /// Completes once a read may return data, an error or the end of the stream. Until then, the task is
    /// registered for a wakeup.
    #[inline]
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // A read reports the error.
        self.0.poll_read_ready(cx).map(|_| ())
    }

    /// Returns whether there is nothing to read, not even the end of the stream. It registers no waker, and
    /// makes no system call if the runtime has seen no event.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self.0.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Transfers up to `most` bytes with the system call `transfer`, if the socket is ready. Fails with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if it is not.
    ///
    /// A transfer of fewer bytes has drained or filled the buffer of the kernel. As in tokio, the socket then
    /// counts as not ready, so that the next attempt makes no system call before there is an event.
    #[inline]
    fn transfer(
        &self,
        interest: Interest,
        most: usize,
        transfer: impl FnOnce(&TcpStream) -> rustix::io::Result<usize>,
    ) -> io::Result<usize> {
        let mut transferred = 0;
        let tried = self.0.try_io(interest, || {
            transferred = transfer(&self.0)?;
            if (1..most).contains(&transferred) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match tried {
            Err(error) if transferred == 0 => Err(error),
            _ => Ok(transferred),
        }
    }
}

impl AsyncRead for Tcp {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Reading into memory that is not initialized would need `unsafe`. Only h2 passes such memory, so tokio
        // reads for it.
        if buf.initialized().len() == buf.capacity() {
            let budget = ready!(coop::poll_proceed(cx));
            let room = buf.initialize_unfilled();
            let read = this.transfer(Interest::READABLE, room.len(), |socket| {
                recv(socket, room, RecvFlags::empty()).map(|(read, _)| read)
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    budget.made_progress();
                    return Poll::Ready(read.map(|read| buf.advance(read)));
                }
            }
        }
        Pin::new(&mut this.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let budget = ready!(coop::poll_proceed(cx));
        // A socket that the peer has closed is an error, and not a signal.
        let written =
            this.transfer(Interest::WRITABLE, bytes.len(), |socket| send(socket, bytes, SendFlags::NOSIGNAL));
        match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => {
                budget.made_progress();
                return Poll::Ready(written);
            }
        }
        drop(budget);
        Pin::new(&mut this.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            // A request without a body and a TLS record are one slice.
            [only] => self.poll_write(cx, only),
            _ => Pin::new(&mut self.get_mut().0).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A TCP socket has no buffer of its own.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Tcp, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (ours, peer) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (Tcp::new(ours.unwrap()), peer.unwrap().0)
    }

    #[tokio::test]
    async fn a_read_waits_for_bytes_and_sees_the_end() {
        let (mut tcp, mut peer) = pair().await;
        assert!(tcp.is_quiet());
        for size in [3, 8, 20] {
            let mut room = [0; 8];
            let ready = poll_fn(|cx| Poll::Ready(tcp.poll_readable(cx).is_ready())).await;
            assert!(!ready, "the last read has drained the socket");
            let (sent, read) =
                tokio::join!(peer.write_all(&b"01234567890123456789"[..size]), tcp.read(&mut room));
            sent.unwrap();
            assert_eq!(room[..read.unwrap()], b"01234567"[..size.min(8)]);
            let mut rest = vec![0; size.saturating_sub(8)];
            tcp.read_exact(&mut rest).await.unwrap();
            // A read that filled its buffer says nothing about more bytes.
            if size >= 8 {
                let empty = poll_fn(|cx| {
                    let mut room = ReadBuf::new(&mut room);
                    Poll::Ready(Pin::new(&mut tcp).poll_read(cx, &mut room).is_pending())
                });
                assert!(empty.await);
            }
        }
        drop(peer);
        assert_eq!(tcp.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(!tcp.is_quiet());
        assert_eq!(tcp.read(&mut [0; 8]).await.unwrap(), 0, "the end stays");
    }

    #[tokio::test]
    async fn a_write_waits_for_a_peer_that_does_not_read() {
        let (mut tcp, mut peer) = pair().await;
        let piece = [b'x'; 64 * 1024];
        let mut sent = 0;
        loop {
            let written = poll_fn(|cx| Poll::Ready(Pin::new(&mut tcp).poll_write(cx, &piece))).await;
            match written {
                Poll::Ready(count) => sent += count.unwrap(),
                Poll::Pending => break,
            }
        }
        let more = async {
            tcp.write_all(b"end").await.unwrap();
            tcp.shutdown().await.unwrap();
        };
        let mut received = Vec::new();
        let ((), read) = tokio::join!(more, peer.read_to_end(&mut received));
        assert_eq!(read.unwrap(), sent + 3);
        assert!(received.ends_with(b"xend"));
    }

    #[tokio::test]
    async fn a_write_to_a_closed_socket_is_an_error() {
        let (mut tcp, peer) = pair().await;
        peer.set_zero_linger().unwrap();
        drop(peer);
        assert_eq!(tcp.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(tcp.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_socket_that_is_always_ready_yields_to_other_tasks() {
        let (mut tcp, mut peer) = pair().await;
        peer.write_all(&[b'x'; 1024]).await.unwrap();
        tcp.0.readable().await.unwrap();
        // A task of its own has a budget.
        let reader = tokio::spawn(async move {
            let mut reads = 0;
            poll_fn(|cx| {
                let mut byte = [0];
                while reads < 1024 {
                    if Pin::new(&mut tcp).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_pending() {
                        return Poll::Ready(reads);
                    }
                    reads += 1;
                }
                Poll::Ready(reads)
            })
            .await
        });
        assert!((1..1024).contains(&reader.await.unwrap()));
        drop(peer);
    }
}
