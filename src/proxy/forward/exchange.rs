//! The retry loop for both protocols: sends a request until a server responds, as often as is safe and
//! allowed.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::error::ForwardError;
use super::retry::{Failure, Retries};
use crate::clock::turn;
use crate::limit::exchange::ExchangeLimits;
use crate::proxy::observe::trace::UpstreamTrace;
use crate::upstream::group::Upstream;
use crate::upstream::pick::PickContext;
use crate::upstream::server::Server;

/// Sends a request over one protocol. The implementation classifies its failures, and [`Exchange::run`]
/// decides whether to try again.
pub(crate) trait Protocol {
    /// An open connection to a server.
    type Connection;
    /// What a successful attempt returns besides its connection.
    type Response;

    /// Takes an idle connection to the server.
    fn take_idle(&mut self, server: &Arc<Server>, now: Instant) -> Option<Self::Connection>;

    /// Opens a connection, until `deadline` or the connect timeout.
    fn open(
        &mut self,
        server: &Arc<Server>,
        now: Instant,
        deadline: Option<Instant>,
    ) -> impl Future<Output = Result<Self::Connection, Failure>> + Send;

    /// Sends the request and waits for the head of its response. `reused` says that the connection was open
    /// before the attempt.
    fn send(
        &mut self,
        connection: &mut Self::Connection,
        reused: bool,
        deadline: Option<Instant>,
    ) -> impl Future<Output = Result<Self::Response, Failure>> + Send;

    /// Returns the status of the response.
    fn status(connection: &Self::Connection, answer: &Self::Response) -> Option<StatusCode>;
}

/// The parts of a request that are the same for all of its attempts.
pub(crate) struct Exchange<'a> {
    pub(crate) upstream: &'a Upstream,
    /// Whether the request may be sent again although a server may have acted on it (RFC 9110 §9.2.2). Never
    /// true with a body, which is gone once it is sent.
    pub(crate) replayable: bool,
    /// The client that sent the request.
    pub(crate) client: Option<&'a str>,
    /// The key of the server on which the client is logged in.
    pub(crate) pinned: Option<u64>,
}

impl Exchange<'_> {
    /// Runs attempts until one succeeds or the request must fail.
    pub(crate) async fn run<P: Protocol>(
        &self,
        protocol: &mut P,
        limits: &mut Option<Box<ExchangeLimits>>,
        trace: &mut UpstreamTrace,
    ) -> Result<(P::Connection, P::Response), ForwardError> {
        let upstream = self.upstream;
        let mut context = PickContext { pinned: self.pinned, ..PickContext::new(self.client) };
        if let Some(total) = upstream.total_timeout {
            ExchangeLimits::of(limits).deadline = turn::now().checked_add(total);
        }
        let deadline = limits.as_ref().and_then(|limits| limits.deadline);
        upstream.count();
        let mut retries = Retries::new(upstream.retries, self.replayable);
        loop {
            let (server, permit) = upstream.pick(&mut context).ok_or(ForwardError::NoServer)?;
            if let Some(permit) = permit {
                ExchangeLimits::of(limits).server = Some(permit);
            }
            let now = turn::now();
            trace.begin_attempt(server, now);
            let reused = protocol.take_idle(server, now);
            let is_reused = reused.is_some();
            let mut connection = match reused {
                Some(connection) => connection,
                // Boxed: most requests find an open connection, and this state would make the future of each
                // of them larger.
                None => match Box::pin(protocol.open(server, now, deadline)).await {
                    Ok(connection) => connection,
                    Err(failure) => {
                        self.after(failure, server, deadline, &mut retries, &mut context)?;
                        continue;
                    }
                },
            };
            match protocol.send(&mut connection, is_reused, deadline).await {
                Ok(answer) => {
                    upstream.record_response(server, || P::status(&connection, &answer));
                    return Ok((connection, answer));
                }
                Err(failure) => self.after(failure, server, deadline, &mut retries, &mut context)?,
            }
        }
    }

    /// Records a failed attempt, and returns its error unless another attempt may follow.
    #[cold]
    fn after(
        &self,
        failure: Failure,
        server: &Server,
        deadline: Option<Instant>,
        retries: &mut Retries,
        context: &mut PickContext<'_>,
    ) -> Result<(), ForwardError> {
        let upstream = self.upstream;
        if failure.counts_against_server {
            upstream.record_failure(server, &failure.error);
        }
        let in_time = deadline.is_none_or(|deadline| Instant::now() < deadline);
        if !in_time || !retries.allow(failure.kind, failure.on_reused_connection, || upstream.may_retry()) {
            return Err(failure.error);
        }
        if failure.avoid_server {
            context.failed();
        }
        Ok(())
    }
}

/// Why the wait for the head of a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The server was silent for the read timeout.
    Late,
    /// The total timeout of the request has passed.
    Expired,
}

/// The deadlines of the wait for the head of a response.
pub(super) struct ResponseTimer {
    read_timeout: Duration,
    deadline: Option<Instant>,
    late_at: Instant,
    progress: u64,
}

impl ResponseTimer {
    /// Creates the timer. The read timeout starts at `since`.
    pub(super) fn new(since: Instant, read_timeout: Duration, deadline: Option<Instant>) -> Self {
        Self { read_timeout, deadline, late_at: since + read_timeout, progress: 0 }
    }

    /// Returns the deadline that comes first.
    pub(super) fn next(&self) -> Instant {
        self.deadline.map_or(self.late_at, |deadline| deadline.min(self.late_at))
    }

    /// Decides at [`Self::next`] whether the response is overdue. It is not while the request body makes
    /// progress (`progress` changes) or while the gateway waits for the client: the body has its own timeout.
    pub(super) fn check(&mut self, now: Instant, progress: u64, waits_for_client: bool) -> Option<Overdue> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Some(Overdue::Expired);
        }
        let moved = std::mem::replace(&mut self.progress, progress) != progress;
        if !moved && !waits_for_client {
            return Some(Overdue::Late);
        }
        self.late_at = now + self.read_timeout;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_response_is_not_late_while_the_request_makes_progress_or_waits_for_the_client() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut timer = ResponseTimer::new(start, second, Some(start + 5 * second));
        assert_eq!(timer.next(), start + second);
        assert_eq!(timer.check(start + second, 10, false), None, "the body made progress");
        assert_eq!(timer.check(start + 2 * second, 10, true), None, "the gateway waits for the client");
        assert_eq!(timer.next(), start + 3 * second);
        assert_eq!(timer.check(start + 3 * second, 10, false), Some(Overdue::Late));
        assert_eq!(
            timer.check(start + 5 * second, 20, true),
            Some(Overdue::Expired),
            "the total timeout has passed"
        );
    }
}
