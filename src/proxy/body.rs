//! Bodies on their way through. Nothing is buffered whole.

use std::error::Error;
use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::forward::BodyLimits;
use super::limits::Bounds;
use super::observe::Watch;
use super::source::Source;
use super::upstream::Upstream;
use crate::gate::Gate;
use crate::oauth::decide::Permit;

type BoxError = Box<dyn Error + Send + Sync>;

/// How often a stream asks whether its token still lives.
const TOKEN_CHECK: Duration = Duration::from_secs(1);
/// Frames that may pass without a look at the clock. Few: a client that reads slowly takes long over each.
const FRAMES_UNCHECKED: u32 = 8;

/// What broke a body off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyFault {
    /// A request's body is longer than the route allows.
    TooLarge,
    /// Nothing came for too long.
    TooSlow,
    /// The token that the stream runs on expired or was revoked.
    TokenEnded,
    /// The client did not send it to its end.
    BrokenOff,
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the body is longer than allowed",
            Self::TooSlow => "the body did not go on in time",
            Self::TokenEnded => "the access token of the stream ended",
            Self::BrokenOff => "the body broke off",
        })
    }
}

impl Error for BodyFault {}

/// The body of a request on its way upstream: counted, timed between two reads, and no longer than its token lives.
pub(super) struct RequestBody {
    /// None for a body known to be empty.
    incoming: Option<Incoming>,
    watch: Option<Box<RequestWatch>>,
}

struct RequestWatch {
    left: Option<u64>,
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
    waiting: bool,
    /// Until when the next frame is waited for.
    patience: Instant,
    lease: Option<TokenLease>,
    next_check: Instant,
    outcome: BodyOutcome,
    /// The header that the gateway authenticates itself to the server with: no trailer may pass for it.
    credential: Option<HeaderName>,
}

impl RequestWatch {
    /// Asks, if it is time to, whether the token still lives.
    fn token_ended(&mut self, now: Instant) -> bool {
        let Some(lease) = self.lease.as_ref().filter(|_| now >= self.next_check) else { return false };
        self.next_check = now + lease.check_in();
        !lease.holds()
    }

    /// Nothing from the client: waits no longer than it may take, and not past the token's end.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<BodyFault> {
        if !self.waiting {
            self.waiting = true;
            self.patience = Instant::now() + self.timeout;
            self.set_alarm();
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let now = Instant::now();
            if self.token_ended(now) {
                return Poll::Ready(BodyFault::TokenEnded);
            }
            if now >= self.patience {
                return Poll::Ready(BodyFault::TooSlow);
            }
            self.set_alarm();
        }
    }

    fn set_alarm(&mut self) {
        let check = self.lease.as_ref().map(|_| self.next_check);
        self.sleep.as_mut().reset(check.map_or(self.patience, |check| check.min(self.patience)));
    }

    fn fail(&self, fault: BodyFault) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.outcome.set(fault);
        Poll::Ready(Some(Err(fault.into())))
    }
}

/// What became of a request's body, for whoever answers the request.
#[derive(Clone, Default)]
pub(super) struct BodyOutcome(Arc<Progress>);

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

    pub(super) fn fault(&self) -> Option<BodyFault> {
        match self.0.fault.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(BodyFault::TooLarge),
            2 => Some(BodyFault::TooSlow),
            3 => Some(BodyFault::BrokenOff),
            _ => Some(BodyFault::TokenEnded),
        }
    }

    /// How much of it there was so far.
    pub(super) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// A number that changes while the body goes on.
    pub(super) fn frames(&self) -> u64 {
        self.0.frames.load(Ordering::Relaxed)
    }
}

impl RequestBody {
    /// A body within its limits, for this upstream. One that is empty from the start costs nothing to watch.
    pub(super) fn new(
        incoming: Incoming,
        limits: BodyLimits,
        upstream: &Upstream,
        lease: impl FnOnce() -> Option<TokenLease>,
    ) -> (Self, Option<BodyOutcome>) {
        if incoming.is_end_stream() {
            return (Self::empty(), None);
        }
        let BodyLimits { max, timeout } = limits;
        let outcome = BodyOutcome::default();
        let now = Instant::now();
        let patience = now + timeout;
        let watch = RequestWatch {
            left: max,
            timeout,
            sleep: Box::pin(sleep_until(patience)),
            waiting: false,
            patience,
            lease: lease(),
            next_check: now + TOKEN_CHECK,
            outcome: outcome.clone(),
            credential: upstream.credentials.as_ref().map(|(name, _)| name.clone()),
        };
        (Self { incoming: Some(incoming), watch: Some(Box::new(watch)) }, Some(outcome))
    }

    /// No body.
    pub(super) fn empty() -> Self {
        Self { incoming: None, watch: None }
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
        let polled = Pin::new(incoming).poll_frame(cx);
        let Some(watch) = &mut self.watch else { return polled.map_err(Into::into) };
        match polled {
            Poll::Ready(Some(Ok(mut frame))) => {
                watch.waiting = false;
                // The first frame came with the head, or nearly so.
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
                    super::headers::filter_trailers(trailers, watch.credential.as_ref());
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => {
                let fault = ready!(watch.poll_waiting(cx));
                watch.fail(fault)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// The body of an answer.
pub struct ResponseBody(Kind);

enum Kind {
    /// Whole: an answer of our own, or one from upstream that came in one piece.
    Whole(Full<Bytes>),
    /// Boxed: what is moved with every answer would be large otherwise.
    Upstream(Box<UpstreamBody>),
}

/// An answer as it comes from upstream.
pub(super) struct UpstreamBody {
    source: Source,
    read_timeout: Duration,
    /// When the wait for the next frame began.
    waiting_since: Option<Instant>,
    frames_unchecked: u32,
    next_check: Option<Instant>,
    lease: Option<TokenLease>,
    bounds: Option<Box<Bounds>>,
    /// Who follows the request to its end.
    watch: Option<Watch>,
}

/// What a stream runs on.
pub(super) struct TokenLease {
    gate: Gate,
    permit: Permit,
}

impl TokenLease {
    /// The lease of a permit; none where there is no token that could end.
    pub(super) fn new(gate: &Gate, permit: Permit) -> Option<Self> {
        permit.digest()?;
        Some(Self { gate: gate.clone(), permit })
    }

    /// Whose token it is.
    pub(super) fn client_id(&self) -> Option<&str> {
        self.permit.client_id()
    }

    /// Whether the token still lives.
    pub(super) fn holds(&self) -> bool {
        self.gate.still_permits(&self.permit)
    }

    /// When to ask next: at the token's end, or soon if that is far.
    pub(super) fn check_in(&self) -> Duration {
        let left = self.permit.time_left(self.gate.clock().now()).unwrap_or(TOKEN_CHECK);
        left.min(TOKEN_CHECK).max(Duration::from_millis(1))
    }
}

impl ResponseBody {
    /// Where to leave the watch of a request whose answer goes on; none where it is whole.
    pub(super) fn watch(&mut self) -> Option<&mut Option<Watch>> {
        match &mut self.0 {
            Kind::Whole(_) => None,
            Kind::Upstream(body) => Some(&mut body.watch),
        }
    }
}

impl From<UpstreamBody> for ResponseBody {
    fn from(body: UpstreamBody) -> Self {
        Self(Kind::Upstream(Box::new(body)))
    }
}

impl From<Full<Bytes>> for ResponseBody {
    fn from(body: Full<Bytes>) -> Self {
        Self(Kind::Whole(body))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Kind::Upstream(body) => {
                let polled = body.poll(cx);
                if let Some(watch) = &mut body.watch {
                    watch.sees(&polled);
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(body) => body.is_end_stream(),
            Kind::Upstream(body) => body.source.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(body) => body.size_hint(),
            Kind::Upstream(body) => body.source.size_hint(),
        }
    }
}

impl UpstreamBody {
    pub(super) fn new(
        source: Source,
        read_timeout: Duration,
        lease: Option<TokenLease>,
        bounds: Option<Box<Bounds>>,
    ) -> Self {
        Self {
            source,
            read_timeout,
            waiting_since: None,
            frames_unchecked: 0,
            next_check: None,
            lease,
            bounds,
            watch: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
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
                    super::headers::filter_trailers(trailers, None);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.source.finish();
                self.bounds = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.source.fail();
                Poll::Ready(Some(Err(error)))
            }
            Poll::Pending => self.poll_waiting(cx),
        }
    }

    /// Nothing from upstream: waits no longer than the read timeout, and not past the token's end.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            self.frames_unchecked = 0;
            self.check_token(now)?;
            self.set_alarm(now);
        }
        loop {
            let Some(alarm) = self.source.alarm() else { return Poll::Pending };
            ready!(alarm.poll(cx));
            let now = Instant::now();
            self.check_token(now)?;
            let mut late = self.waiting_since.is_some_and(|since| now >= since + self.read_timeout);
            if late && self.source.request_goes_on() {
                self.waiting_since = Some(now);
                late = false;
            }
            if late || self.deadline().is_some_and(|deadline| now >= deadline) {
                return Poll::Ready(Some(Err(BodyFault::TooSlow.into())));
            }
            self.set_alarm(now);
        }
    }

    /// When the whole answer must have come.
    fn deadline(&self) -> Option<Instant> {
        self.bounds.as_ref()?.deadline
    }

    fn set_alarm(&mut self, now: Instant) {
        let silent = self.waiting_since.unwrap_or(now) + self.read_timeout;
        let alarm = self.next_check.map_or(silent, |check| check.min(silent));
        let alarm = self.deadline().map_or(alarm, |deadline| deadline.min(alarm));
        if let Some(timer) = self.source.alarm() {
            timer.reset(alarm);
        }
    }

    fn check_token(&mut self, now: Instant) -> Result<(), BodyFault> {
        let Some(lease) = &self.lease else { return Ok(()) };
        if self.next_check.is_some_and(|check| now >= check) && !lease.holds() {
            return Err(BodyFault::TokenEnded);
        }
        if self.next_check.is_none_or(|check| now >= check) {
            self.next_check = Some(now + lease.check_in());
        }
        Ok(())
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        // hyper asks a body of known length for its last frame and drops it, without asking for the end.
        if self.source.is_end_stream() {
            if let Some(watch) = &mut self.watch {
                watch.ends();
            }
            self.source.finish();
        }
    }
}
