//! The body of a forwarded request. It enforces the size limit and the read timeout, and ends with its token.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};

use super::BoxError;
use super::lease::{TOKEN_CHECK, TokenLease};
use crate::headers::RequestRules;
use crate::upstream::downstream::BodyFault;
use crate::upstream::http2::received::ReceivedBody;

/// The limits of a route for request bodies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    pub(crate) max: Option<u64>,
    pub(crate) timeout: Duration,
}

/// The body of a forwarded request. It enforces the size limit and the read timeout, and ends with its token.
pub(crate) struct RequestBody {
    /// `None` for a body that is known to be empty.
    incoming: Option<Origin>,
    watch: Option<Box<RequestWatch>>,
}

/// The source of a request body.
pub(crate) enum Origin {
    /// An HTTP/2 request.
    Http2(ReceivedBody),
    /// An HTTP/1 request to an HTTP/2 upstream. The task that reads the client's socket sends the frames.
    Http1 {
        /// The frames of the body.
        pieces: mpsc::Receiver<Result<Frame<Bytes>, BodyFault>>,
        /// The length of the body, if the head declares it.
        size: SizeHint,
        /// Whether the body is complete or was aborted.
        ended: bool,
    },
}

impl Origin {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Http2(received) => received.poll_frame(cx).map_err(Into::into),
            Self::Http1 { pieces, ended, .. } => {
                let piece = ready!(pieces.poll_recv(cx));
                *ended |= piece.is_none();
                Poll::Ready(piece.map(|piece| piece.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http2(received) => received.is_end_stream(),
            Self::Http1 { ended, .. } => *ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http2(received) => received.size_hint(),
            Self::Http1 { size, .. } => *size,
        }
    }
}

struct RequestWatch {
    left: Option<u64>,
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
    waiting: bool,
    /// When the wait for the next frame times out.
    timeouts: Instant,
    lease: Option<TokenLease>,
    next_check: Instant,
    outcome: BodyOutcome,
    /// The header rules of the route. Trailers that look like one of these headers are removed.
    rules: Option<Arc<RequestRules>>,
}

impl RequestWatch {
    /// Returns whether the token has ended. It is checked only when a check is due.
    fn token_ended(&mut self, now: Instant) -> bool {
        let Some(lease) = self.lease.as_mut().filter(|_| now >= self.next_check) else { return false };
        let next = lease.check();
        self.next_check = now + next.unwrap_or(TOKEN_CHECK);
        next.is_none()
    }

    /// Waits for the client until the read timeout or the end of the token.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<BodyFault> {
        if !self.waiting {
            self.waiting = true;
            self.timeouts = Instant::now() + self.timeout;
            self.set_alarm();
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let now = Instant::now();
            if self.token_ended(now) {
                return Poll::Ready(BodyFault::TokenEnded);
            }
            if now >= self.timeouts {
                return Poll::Ready(BodyFault::TooSlow);
            }
            self.set_alarm();
        }
    }

    fn set_alarm(&mut self) {
        let check = self.lease.as_ref().map(|_| self.next_check);
        self.sleep.as_mut().reset(check.map_or(self.timeouts, |check| check.min(self.timeouts)));
    }

    fn fail(&self, fault: BodyFault) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.outcome.set(fault);
        Poll::Ready(Some(Err(fault.into())))
    }
}

/// The progress and the outcome of a request body, shared with the code that answers the request.
#[derive(Clone, Default)]
pub(crate) struct BodyOutcome(Arc<Progress>);

#[derive(Default)]
struct Progress {
    fault: AtomicU8,
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl BodyOutcome {
    fn set(&self, fault: BodyFault) {
        let fault = match fault {
            BodyFault::TooLarge => 1,
            BodyFault::TooSlow => 2,
            BodyFault::BrokenOff => 3,
            BodyFault::TokenEnded => 4,
        };
        self.0.fault.store(fault, Ordering::Relaxed);
    }

    pub(crate) fn fault(&self) -> Option<BodyFault> {
        match self.0.fault.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(BodyFault::TooLarge),
            2 => Some(BodyFault::TooSlow),
            3 => Some(BodyFault::BrokenOff),
            _ => Some(BodyFault::TokenEnded),
        }
    }

    /// Returns the number of bytes received so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Returns the number of frames received so far. It changes while the body makes progress.
    pub(crate) fn frames(&self) -> u64 {
        self.0.frames.load(Ordering::Relaxed)
    }
}

impl RequestBody {
    /// Creates a body with limits. A body that is empty from the start has no outcome and allocates nothing.
    pub(crate) fn new(
        incoming: Option<Origin>,
        limits: BodyLimits,
        rules: Option<&Arc<RequestRules>>,
        lease: impl FnOnce() -> Option<TokenLease>,
    ) -> (Self, Option<BodyOutcome>) {
        let Some(incoming) = incoming.filter(|incoming| !incoming.is_end_stream()) else {
            return (Self { incoming: None, watch: None }, None);
        };
        let BodyLimits { max, timeout } = limits;
        let outcome = BodyOutcome::default();
        let now = Instant::now();
        let timeouts = now + timeout;
        let watch = RequestWatch {
            left: max,
            timeout,
            sleep: Box::pin(sleep_until(timeouts)),
            waiting: false,
            timeouts,
            lease: lease(),
            next_check: now + TOKEN_CHECK,
            outcome: outcome.clone(),
            rules: rules.cloned(),
        };
        (Self { incoming: Some(incoming), watch: Some(Box::new(watch)) }, Some(outcome))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let polled = incoming.poll_frame(cx);
        let Some(watch) = &mut self.watch else { return polled };
        match polled {
            Poll::Ready(Some(Ok(mut frame))) => {
                watch.waiting = false;
                // The token was checked with the head, shortly before the first frame.
                let first = watch.outcome.0.frames.fetch_add(1, Ordering::Relaxed) == 0;
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                watch.outcome.0.bytes.fetch_add(length, Ordering::Relaxed);
                if !first && watch.token_ended(Instant::now()) {
                    return watch.fail(BodyFault::TokenEnded);
                }
                if let (Some(data), Some(left)) = (frame.data_ref(), &mut watch.left) {
                    match left.checked_sub(data.len() as u64) {
                        Some(rest) => *left = rest,
                        None => {
                            return watch.fail(BodyFault::TooLarge);
                        }
                    }
                }
                if let Some(trailers) = frame.trailers_mut() {
                    crate::headers::filter_trailers(trailers, watch.rules.as_deref());
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let fault = error.downcast_ref().copied().unwrap_or(BodyFault::BrokenOff);
                watch.fail(fault)
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let fault = ready!(watch.poll_waiting(cx));
                watch.fail(fault)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Origin::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Origin::size_hint)
    }
}
