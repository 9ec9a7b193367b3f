//! The record of a request. It is filled while the request is served, and is counted and logged once at the
//! end.

mod builtin;
mod decisions;
mod logged;
mod reasons;
mod report;
mod security;
mod spans;
pub(crate) mod trace;
mod traced;

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::Frame;

use super::observer::RequestObserver;
use super::refusal;
use super::route::{ClientConnection, Route};
use crate::clock::turn;
use crate::gate::{Endpoint, EndpointOutcome};
use crate::headers::{Class, RequestView};
use crate::telemetry::tracing;
use crate::telemetry::{Event, Meter, Reason, RouteCells, details, request_id, thread_counters};
use crate::upstream::downstream::BodyFault;

use self::builtin::builtin_meter;
pub(crate) use self::builtin::builtin_meters;
use self::logged::{Logged, set};
pub(crate) use self::reasons::{denial_reason, forward_error_reason};
use self::reasons::{success_event, token_error_reason};
use self::spans::begin_trace;
use self::trace::UpstreamTrace;

/// Records one request, from its head to the last byte of its response, and then counts and logs it.
///
/// A record can be used for one request after the other. It keeps its buffers and the last route, so that the
/// reference count of the route changes only when the route does.
#[derive(Default)]
pub(crate) struct RequestRecord {
    /// Whether a request is being recorded.
    open: bool,
    route: Option<Arc<Route>>,
    /// Whether `route` is the route of this request, and not of an earlier one.
    routed: bool,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) upstream: UpstreamTrace,
    pub(crate) reason: Option<Reason>,
    /// The setting that would accept an ambiguous request. It applies only if `reason` is
    /// [`Reason::Ambiguous`].
    setting: Option<&'static str>,
    /// The status of the response, or 0 before it begins.
    status: u16,
    /// Whether the request is HEAD.
    is_head: bool,
    /// Whether the response has ended.
    complete: bool,
    /// Whether the gateway waited for the response body, or sent it in several pieces. Otherwise the body
    /// ends with the head, and the clock is not read again.
    streamed: bool,
    has_data: bool,
    /// The bytes of the request body, unless the upstream trace counts them.
    pub(crate) bytes_in: u64,
    bytes_out: u64,
    /// The request id, or empty if request ids are off.
    id: Vec<u8>,
    /// Whether the request is written to the access log.
    is_logged: bool,
    logged: Option<Box<Logged>>,
}

impl RequestRecord {
    /// Starts the record of a request.
    #[inline]
    pub(crate) fn begin(
        &mut self,
        request: &impl RequestView,
        client: &ClientConnection<'_>,
        trusted: impl Fn() -> bool,
    ) {
        self.finish();
        thread_counters().count(Event::RequestBegun);
        self.open = true;
        self.routed = false;
        self.endpoint = None;
        self.upstream = UpstreamTrace::default();
        self.reason = None;
        self.status = 0;
        self.is_head = *request.method() == Method::HEAD;
        (self.complete, self.streamed, self.has_data) = (false, false, false);
        (self.bytes_in, self.bytes_out) = (0, 0);
        self.id.clear();
        if request_id::is_on() {
            let given = if trusted() { request.only(Class::RequestId) } else { None };
            request_id::write(&mut self.id, given);
        }
        self.is_logged = details::are_recorded();
        if self.is_logged {
            self.begin_log(request, client);
            if let (Some(sampling), Some(logged)) = (tracing::sampling(), self.logged()) {
                logged.trace = Some(begin_trace(sampling, request, trusted));
            }
        }
    }

    fn begin_log(&mut self, request: &impl RequestView, client: &ClientConnection<'_>) {
        let logged = self.logged.get_or_insert_with(|| Box::new(Logged::new()));
        logged.started = turn::now();
        logged.time = turn::since_1970(logged.started);
        logged.client.clear();
        logged.client.extend_from_slice(client.peer_value.as_bytes());
        logged.client_id.clear();
        logged.method.clone_from(request.method());
        logged.host.clear();
        set(&mut logged.path, request.path());
        logged.version = request.version();
        logged.secure = client.secure;
        logged.shadow = None;
        logged.trace = None;
    }

    /// Records a refusal.
    pub(crate) fn refused(&mut self, refusal: &refusal::Refusal, client: &ClientConnection<'_>) {
        (self.reason, self.setting) = (refusal.reason, refusal.setting);
        let route = self.route().map(|route| route.meter.name());
        security::refused(refusal, client.peer, route, self.request_id());
    }

    /// Returns the setting that decided about a refused request.
    fn setting_for(&self, reason: Reason) -> Option<&'static str> {
        match reason {
            Reason::Ambiguous => self.setting,
            _ => reason.setting(self.endpoint.is_some()),
        }
    }

    fn logged(&mut self) -> Option<&mut Logged> {
        self.logged.as_deref_mut().filter(|_| self.is_logged)
    }

    /// Takes the id of the request. [`Self::restore_id`] returns it.
    pub(crate) fn take_id(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.id)
    }

    /// Returns the id to the record.
    pub(crate) fn restore_id(&mut self, id: Vec<u8>) {
        self.id = id;
    }

    /// Takes the route of the request. [`Self::restore_route`] returns it.
    pub(crate) fn take_route(&mut self) -> Option<Arc<Route>> {
        if self.routed { self.route.take() } else { None }
    }

    /// Returns the route to the record.
    pub(crate) fn restore_route(&mut self, route: Arc<Route>) {
        self.route = Some(route);
    }

    fn route(&self) -> Option<&Arc<Route>> {
        self.route.as_ref().filter(|_| self.routed)
    }

    /// Records that an endpoint serves the request.
    pub(crate) fn set_endpoint(&mut self, endpoint: Endpoint) {
        self.endpoint = Some(endpoint);
        if endpoint.reads_body() {
            self.upstream.started_at = Some(turn::now());
        }
    }

    /// Records the length of the body that the endpoint has read.
    pub(crate) fn set_request_bytes(&mut self, length: usize) {
        self.bytes_in = length as u64;
    }

    /// Records the outcome of the endpoint.
    pub(crate) fn set_outcome(&mut self, outcome: &EndpointOutcome, address: IpAddr) {
        self.upstream.end_attempt();
        self.reason = outcome.refusal.as_ref().map(token_error_reason);
        security::outcome(outcome, address, self.endpoint, self.request_id());
        if let Some(event) = success_event(outcome) {
            thread_counters().count(event);
        }
        if let (Some(client), Some(logged)) = (&outcome.client, self.logged()) {
            set(&mut logged.client_id, client.id().as_str());
        }
    }

    /// Records that the head of the response is sent.
    #[inline]
    pub(crate) fn begin_response(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// Records a local response with this many body bytes.
    #[inline]
    pub(crate) fn end_local_response(&mut self, bytes: u64) {
        self.complete = true;
        if !self.is_head {
            self.bytes_out = bytes;
        }
    }

    /// Records what the body of the response returned when it was polled.
    #[inline]
    pub(crate) fn record_frame<E>(&mut self, polled: &Poll<Option<Result<Frame<Bytes>, E>>>)
    where
        E: AsRef<dyn Error + Send + Sync>,
    {
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.bytes_out += data.len() as u64;
                    self.streamed |= self.has_data;
                    self.has_data = true;
                }
            }
            Poll::Ready(Some(Err(error))) => self.fail_response(error.as_ref().downcast_ref().copied()),
            Poll::Ready(None) => self.complete = true,
            Poll::Pending => self.streamed = true,
        }
    }

    /// Records that a part of the body was sent.
    #[inline]
    pub(crate) fn record_data(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
        self.streamed |= self.has_data;
        self.has_data = true;
    }

    /// Records that the response is waiting for the upstream.
    #[inline]
    pub(crate) fn record_wait(&mut self) {
        self.streamed = true;
    }

    /// Records that the response is complete.
    #[inline]
    pub(crate) fn end_response(&mut self) {
        self.complete = true;
    }

    /// Records that the response ended early.
    pub(crate) fn fail_response(&mut self, fault: Option<BodyFault>) {
        self.complete = true;
        self.reason = Some(match fault {
            Some(BodyFault::TokenEnded) => Reason::TokenEnded,
            Some(BodyFault::TooSlow) => Reason::UpstreamTooSlow,
            Some(BodyFault::TooLarge | BodyFault::BrokenOff) | None => Reason::UpstreamBroken,
        });
    }

    /// Records the end of a tunnel, with the bytes that were sent to the server and to the client.
    pub(crate) fn end_tunnel(&mut self, carried: Option<(u64, u64)>, token_ended: bool) {
        (self.complete, self.streamed) = (true, true);
        (self.bytes_in, self.bytes_out) = carried.unwrap_or_default();
        self.reason = token_ended.then_some(Reason::TokenEnded);
    }

    /// Returns whether a route or an endpoint serves the request.
    fn has_route(&self) -> bool {
        self.routed || self.endpoint.is_some()
    }

    fn meter(&self) -> Option<&Meter<RouteCells>> {
        match (self.route(), self.endpoint) {
            (Some(route), _) => Some(&route.meter),
            (None, endpoint) => builtin_meter(endpoint),
        }
    }

    /// Counts and logs the request, if it has not been already.
    #[inline]
    pub(crate) fn finish(&mut self) {
        if std::mem::take(&mut self.open) {
            self.report();
        }
    }
}

impl Drop for RequestRecord {
    #[inline]
    fn drop(&mut self) {
        self.finish();
    }
}
