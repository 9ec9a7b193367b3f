//! The socket as hyper sees it: the same bytes, with a note of what happened for the timeouts.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::activity::{HEAD_STARTED, WRITE_BLOCKED};
use super::connection_info::ConnInfo;
use super::connection_slots::Permit;
use super::head_scan::HeadScan;
use super::problem::Problem;
use crate::telemetry::{Event, count};

/// A connection's socket, or the TLS session on it.
///
/// It holds the connection's place among all connections, so that an upgraded connection keeps it.
pub(super) struct Watched<S> {
    io: S,
    connection: Arc<ConnInfo>,
    /// An answer of ours that goes out in place of hyper's; boxed because almost no connection has one.
    substitute: Option<Box<Outgoing>>,
    end_of_input: bool,
    /// What was read and noted, and is to be read once more: a request's beginning that hyper never saw or gave back.
    unread: Bytes,
    /// None for HTTP/2, which has no such ambiguities.
    scan: Option<HeadScan>,
    _permit: Permit,
}

struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl<S> Watched<S> {
    pub(super) fn new(io: S, connection: Arc<ConnInfo>, permit: Permit) -> Self {
        let scan = (!connection.is_http2()).then(HeadScan::default);
        Self {
            io,
            connection,
            substitute: None,
            end_of_input: false,
            unread: Bytes::new(),
            scan,
            _permit: permit,
        }
    }

    /// Whether the client closed its side.
    pub(super) fn end_of_input(&self) -> bool {
        self.end_of_input
    }

    /// Waits until the client says something; false if what it says is goodbye.
    pub(super) async fn wait(&mut self) -> bool
    where
        S: AsyncRead + Unpin,
    {
        let mut first = [0];
        if !matches!(self.io.read(&mut first).await, Ok(1)) {
            self.end_of_input = true;
            return false;
        }
        self.note_read(&first);
        self.unread = Bytes::copy_from_slice(&first);
        true
    }

    /// Takes back what hyper read and did not use, if anything: the beginning of a head, as far as it came.
    pub(super) fn take_back(&mut self, unread: Bytes) -> bool {
        if unread.is_empty() {
            return false;
        }
        // A pipelining client sent it while the request before was answered, when nobody timed it.
        self.connection.activity.set(HEAD_STARTED);
        self.unread = unread;
        true
    }

    fn note_read(&mut self, bytes: &[u8]) {
        let activity = &self.connection.activity;
        activity.bytes_read();
        if let Some(scan) = &mut self.scan {
            if scan.is_lost() && activity.in_flight() == 0 && activity.heads_are_in_step() {
                scan.resume();
            }
            scan.see(bytes, |ambiguous| activity.head_ends(ambiguous));
        }
    }

    /// Whether a write needs a closer look: a head is half read and yet something is written, so it is either the tail
    /// of the answer before (the client pipelines) or hyper's own refusal of that head.
    fn is_unusual(&self) -> bool {
        self.substitute.is_some()
            || (self.connection.activity.flags() & HEAD_STARTED != 0 && !self.connection.is_http2())
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    /// Swaps hyper's empty refusal for ours; `None` when `buf` is anything else and is to be written as it is.
    fn poll_unusual(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Option<io::Result<usize>>> {
        if let Err(error) = ready!(self.poll_substitute(cx)) {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(problem) = Problem::from_hyper(buf) else { return Poll::Ready(None) };
        count(Event::HeadRefused);
        self.substitute = Some(Box::new(Outgoing { bytes: problem.to_wire(), sent: 0 }));
        // Taken; it leaves with the flush or the shutdown hyper ends every connection with.
        Poll::Ready(Some(Ok(buf.len())))
    }

    fn poll_substitute(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(outgoing) = &mut self.substitute {
            let rest = outgoing.bytes.get(outgoing.sent..).unwrap_or_default();
            if rest.is_empty() {
                self.substitute = None;
                break;
            }
            let written = Pin::new(&mut self.io).poll_write(cx, rest);
            note_write(&self.connection, &written);
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => outgoing.sent += n,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A head and a body up to this size are copied together: one `send` of them costs the system less than `writev`.
const GATHERED: usize = 1024;

fn gather<'a>(bufs: &[IoSlice<'_>], into: &'a mut [u8; GATHERED]) -> Option<&'a [u8]> {
    let mut length = 0;
    for buf in bufs {
        let end = length + buf.len();
        into.get_mut(length..end)?.copy_from_slice(buf);
        length = end;
    }
    into.get(..length)
}

fn note_write<T>(connection: &ConnInfo, result: &Poll<io::Result<T>>) {
    match result {
        Poll::Ready(_) => connection.activity.bytes_written(),
        Poll::Pending => connection.activity.set(WRITE_BLOCKED),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.unread.is_empty() {
            buf.put_slice(&this.unread.split_to(this.unread.len().min(buf.remaining())));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        let bytes = buf.filled().get(before..).unwrap_or_default();
        if !bytes.is_empty() {
            this.note_read(bytes);
        } else if buf.remaining() > 0 {
            this.end_of_input = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_unusual()
            && let Some(result) = ready!(this.poll_unusual(cx, buf))
        {
            return Poll::Ready(result);
        }
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
        if this.is_unusual() {
            let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
            if let Some(result) = ready!(this.poll_unusual(cx, first)) {
                return Poll::Ready(result);
            }
        }
        let mut gathered = [0; GATHERED];
        let result = match gather(bufs, &mut gathered) {
            Some(bytes) => Pin::new(&mut this.io).poll_write(cx, bytes),
            None => Pin::new(&mut this.io).poll_write_vectored(cx, bufs),
        };
        note_write(&this.connection, &result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.substitute.is_some() {
            ready!(this.poll_substitute(cx))?;
        }
        let result = Pin::new(&mut this.io).poll_flush(cx);
        // Flushing is where a TLS session notices that the client does not read. Most flushes have nothing to do.
        match result {
            Poll::Pending => this.connection.activity.set(WRITE_BLOCKED),
            Poll::Ready(_) => this.connection.activity.clear(WRITE_BLOCKED),
        }
        result
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.substitute.is_some() {
            ready!(this.poll_substitute(cx))?;
        }
        let result = Pin::new(&mut this.io).poll_shutdown(cx);
        if result.is_pending() {
            this.connection.activity.set(WRITE_BLOCKED);
        }
        result
    }
}
