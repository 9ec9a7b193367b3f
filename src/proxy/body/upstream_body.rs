//! The body of an upstream response. It enforces the timeouts, and ends with its token.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::BoxError;
use super::lease::ResponseLease;
use super::source::Source;
use crate::limit::exchange::ExchangeLimits;
use crate::upstream::downstream::BodyFault;

/// The number of frames between two reads of the clock. It is small because a slow client takes long for
/// each.
const FRAMES_UNCHECKED: u32 = 8;

/// The body of an upstream response.
pub(crate) struct UpstreamBody<'a> {
    source: Source,
    read_timeout: Duration,
    /// When the wait for the next frame began.
    waiting_since: Option<Instant>,
    frames_unchecked: u32,
    next_check: Option<Instant>,
    lease: Option<ResponseLease<'a>>,
    limits: Option<Box<ExchangeLimits>>,
}

impl<'a> UpstreamBody<'a> {
    pub(crate) fn new(
        source: Source,
        read_timeout: Duration,
        lease: Option<ResponseLease<'a>>,
        limits: Option<Box<ExchangeLimits>>,
    ) -> Self {
        Self {
            source,
            read_timeout,
            waiting_since: None,
            frames_unchecked: 0,
            next_check: None,
            lease,
            limits,
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }

    /// Polls the next frame.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.source.poll_frame(cx) {
            Poll::Ready(Some(Ok(mut frame))) => {
                self.waiting_since = None;
                if let Some(deadline) = self.deadline()
                    && Instant::now() >= deadline
                {
                    return Poll::Ready(Some(Err(BodyFault::TooSlow.into())));
                }
                self.frames_unchecked += 1;
                if self.frames_unchecked >= FRAMES_UNCHECKED {
                    self.frames_unchecked = 0;
                    self.check_token(Instant::now())?;
                }
                if let Some(trailers) = frame.trailers_mut() {
                    crate::headers::filter_trailers(trailers, None);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.source.finish();
                self.limits = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.source.fail();
                Poll::Ready(Some(Err(error)))
            }
            Poll::Pending => self.poll_waiting(cx),
        }
    }

    /// Waits for the upstream until the read timeout, the total timeout or the end of the token.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            self.frames_unchecked = 0;
            self.check_token(now)?;
        }
        loop {
            let deadline = self.next_deadline();
            let now = ready!(self.source.poll_deadline(deadline, cx));
            self.check_token(now)?;
            let mut late = self.waiting_since.is_some_and(|since| now >= since + self.read_timeout);
            if late && self.source.request_goes_on() {
                self.waiting_since = Some(now);
                late = false;
            }
            if late || self.deadline().is_some_and(|deadline| now >= deadline) {
                return Poll::Ready(Some(Err(BodyFault::TooSlow.into())));
            }
        }
    }

    /// Returns the deadline for the whole response.
    fn deadline(&self) -> Option<Instant> {
        self.limits.as_ref()?.deadline
    }

    /// Returns the time of the next timeout or token check.
    fn next_deadline(&self) -> Instant {
        let silent = self.waiting_since.unwrap_or_else(Instant::now) + self.read_timeout;
        let next = self.next_check.map_or(silent, |check| check.min(silent));
        self.deadline().map_or(next, |deadline| deadline.min(next))
    }

    fn check_token(&mut self, now: Instant) -> Result<(), BodyFault> {
        let Some(lease) = &mut self.lease else { return Ok(()) };
        let next = match self.next_check {
            Some(check) if now < check => return Ok(()),
            Some(_) => lease.check().ok_or(BodyFault::TokenEnded)?,
            None => lease.check_in(),
        };
        self.next_check = Some(now + next);
        Ok(())
    }
}

impl Drop for UpstreamBody<'_> {
    fn drop(&mut self) {
        // The last frame of a body of known length is not followed by another poll.
        if self.source.is_end_stream() {
            self.source.finish();
        }
    }
}
