//! The record of a request. It is filled while the request is served, and is counted and logged once at the
//! end.

mod reasons;
mod security;
mod spans;
pub(crate) mod trace;
mod traced;

use std::error::Error;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Method, StatusCode, Version};
use http_body::Frame;
use tokio::time::Instant;

use super::observer::{Denied, RequestObserver};
use super::refusal;
use super::route::{ClientConnection, Route};
use super::shadow::access::Judged;
use crate::clock::turn;
use crate::gate::{Endpoint, EndpointOutcome};
use crate::headers::{Class, RequestView};
use crate::proxy::body::request::BodyOutcome;
use crate::shadow::{Refusal, Seen};
use crate::telemetry::access_log::{self, Line};
use crate::telemetry::tracing::{self, Trace};
use crate::telemetry::{
    Class as StatusClass, Event, Meter, Reason, RouteCells, details, is_timed, request_id, thread_counters,
};
use crate::upstream::downstream::BodyFault;

pub(crate) use self::reasons::{denial_reason, forward_error_reason};
use self::reasons::{endpoint_name, success_event, token_error_reason, upstream_failure};
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

struct Logged {
    time: SystemTime,
    started: Instant,
    client: String,
    client_id: String,
    method: Method,
    host: String,
    path: String,
    version: Version,
    secure: bool,
    /// Why an enforced route would have refused the request.
    shadow: Option<Reason>,
    trace: Option<Trace>,
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
        logged.time = SystemTime::now();
        logged.started = turn::now();
        set(&mut logged.client, client.peer_value.to_str().unwrap_or_default());
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

    fn meter(&self) -> Option<&Meter<RouteCells>> {
        match (self.route(), self.endpoint) {
            (Some(route), _) => Some(&route.meter),
            (None, endpoint) => BUILTIN.get(builtin_index(endpoint)),
        }
    }

    /// Counts and logs the request, if it has not been already.
    #[inline]
    pub(crate) fn finish(&mut self) {
        if std::mem::take(&mut self.open) {
            self.report();
        }
    }

    fn report(&mut self) {
        if !self.complete && self.reason.is_none() {
            self.reason = Some(Reason::ClientGone);
        }
        let counters = thread_counters();
        counters.count(Event::RequestEnded);
        let bytes_in = self.upstream.body.as_ref().map_or(self.bytes_in, BodyOutcome::bytes);
        let logged = self.logged.as_deref().filter(|_| self.is_logged);
        let end = if !is_timed() && logged.is_none() {
            None
        } else if self.streamed
            || self.upstream.head_at.is_none() && self.upstream.started_at.is_some()
            || logged.is_some()
        {
            Some(turn::now())
        } else {
            self.upstream.head_at
        };
        let since =
            |began: Option<Instant>, end: Option<Instant>| Some(end?.saturating_duration_since(began?));
        let is_head = since(self.upstream.started_at, self.upstream.head_at);
        let took = if end == self.upstream.head_at { is_head } else { since(self.upstream.started_at, end) };
        if let Some(cells) = self.meter().and_then(|meter| meter.cells(counters)) {
            cells.request(StatusClass::of(self.status), took, bytes_in, self.bytes_out);
        }
        if self.upstream.counted
            && let Some(route) = self.route()
            && let Some(cells) = route.upstream.meter.cells(counters)
        {
            cells.end(is_head, self.upstream.retries());
            if let Some(failure) = self.reason.and_then(upstream_failure) {
                cells.failed(failure);
            }
        }
        if let Some(reason) = self.reason {
            match self.endpoint.and_then(endpoint_name) {
                Some(endpoint) => counters.endpoint_refused(endpoint, reason),
                None => counters.refused(reason),
            }
        }
        let (Some(logged), Some(end)) = (logged, end) else { return };
        if let Some(trace) = &logged.trace {
            self.end_trace(trace, logged, end);
        }
        if access_log::is_on() {
            let upstream = self.route().map(|route| &route.upstream).filter(|_| self.upstream.counted);
            access_log::submit(&Line {
                time: logged.time,
                request_id: self.request_id().and_then(|id| std::str::from_utf8(id).ok()),
                client: &logged.client,
                method: logged.method.as_str(),
                host: Some(&*logged.host).filter(|host| !host.is_empty()),
                path: &logged.path,
                route: self.meter().map(Meter::name).filter(|name| *name != NO_ROUTE),
                client_id: Some(&*logged.client_id).filter(|id| !id.is_empty()),
                status: (self.status != 0).then_some(self.status),
                reason: self.reason,
                setting: self.reason.and_then(|reason| self.setting_for(reason)),
                shadow: logged.shadow,
                upstream: upstream.map(|upstream| &*upstream.name),
                server: upstream.zip(self.upstream.server).and_then(|(upstream, key)| upstream.server(key)),
                retries: self.upstream.retries(),
                bytes_in,
                bytes_out: self.bytes_out,
                duration: end.saturating_duration_since(logged.started),
                upstream_duration: is_head.filter(|_| upstream.is_some()),
                protocol: protocol(logged.version),
                tls: logged.secure,
            });
        }
    }
}

impl RequestObserver for RequestRecord {
    #[inline]
    fn on_target(&mut self, host: &str, path: &str) {
        if let Some(logged) = self.logged() {
            set(&mut logged.host, host);
            logged.host.make_ascii_lowercase();
            set(&mut logged.path, path);
        }
    }

    #[inline]
    fn on_route(&mut self, route: &Arc<Route>) {
        // The route is usually the last one. Its reference count, which all threads share, is then not
        // written.
        if !self.route.as_ref().is_some_and(|last| Arc::ptr_eq(last, route)) {
            self.route = Some(Arc::clone(route));
        }
        self.routed = true;
    }

    #[inline]
    fn on_permit(&mut self, client: Option<&str>) {
        if let Some(logged) = self.logged() {
            set(&mut logged.client_id, client.unwrap_or_default());
        }
    }

    fn on_denial(&mut self, denied: &Denied<'_>) {
        let route = self.meter().map(Meter::name);
        security::denied(denied, route, self.request_id());
    }

    fn on_shadow(&mut self, judged: &Judged<'_>) {
        let Judged { learned, denial, client, address, user_agent, now } = *judged;
        let reason = denial.map(denial_reason);
        if let Some(reason) = reason {
            learned.count_refusal(reason);
            if let Some(logged) = self.logged() {
                logged.shadow = Some(reason);
            }
        }
        let refused = denial.and_then(Refusal::of);
        // If the store cannot answer, nothing is known about the caller.
        if refused.is_some() || denial.is_none() {
            learned.learn(&Seen { client, address, user_agent, refused, now });
        }
    }

    fn trace_context(&self) -> Option<(&[u8], Option<&[u8]>)> {
        let logged = self.logged.as_deref().filter(|_| self.is_logged)?;
        logged.trace.as_ref().map(Trace::context)
    }

    #[inline]
    fn request_id(&self) -> Option<&[u8]> {
        (!self.id.is_empty()).then_some(&*self.id)
    }
}

impl Drop for RequestRecord {
    #[inline]
    fn drop(&mut self) {
        self.finish();
    }
}

impl Logged {
    fn new() -> Self {
        Self {
            time: SystemTime::UNIX_EPOCH,
            started: turn::now(),
            client: String::new(),
            client_id: String::new(),
            method: Method::GET,
            host: String::new(),
            path: String::new(),
            version: Version::HTTP_11,
            secure: false,
            shadow: None,
            trace: None,
        }
    }
}

fn set(text: &mut String, to: &str) {
    text.clear();
    text.push_str(to);
}

const NO_ROUTE: &str = "(none)";

/// The meters of requests without a route. No route can have their names.
static BUILTIN: LazyLock<[Meter<RouteCells>; 6]> = LazyLock::new(|| {
    ["(token)", "(introspection)", "(revocation)", "(metadata)", "(registration)", NO_ROUTE]
        .map(|name| Meter::new(name, 64))
});

/// Returns the meters of requests without a route.
pub(crate) fn builtin_meters() -> &'static [Meter<RouteCells>] {
    &*BUILTIN
}

fn builtin_index(endpoint: Option<Endpoint>) -> usize {
    match endpoint {
        Some(Endpoint::Token) => 0,
        Some(Endpoint::Introspection) => 1,
        Some(Endpoint::Revocation) => 2,
        Some(Endpoint::AuthorizationServer | Endpoint::ProtectedResource) => 3,
        Some(Endpoint::Registration) => 4,
        None => 5,
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
