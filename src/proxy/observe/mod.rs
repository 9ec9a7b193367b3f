//! What becomes of a request: gathered on its way, counted and logged when it is over, however it ends.

mod reasons;
pub(crate) mod trace;

use std::error::Error;
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Method, StatusCode, Version};
use http_body::Frame;
use tokio::time::Instant;

use super::notes::Notes;
use super::refusal::Refusal;
use super::route::{ClientConnection, Route};
use crate::clock::turn;
use crate::gate::{Endpoint, EndpointOutcome};
use crate::headers::{Class, RequestView};
use crate::proxy::body::request::BodyOutcome;
use crate::telemetry::access_log::{self, Line};
use crate::telemetry::{
    Class as StatusClass, Event, Meter, Reason, RouteCells, is_timed, request_id, thread_counters,
};
use crate::upstream::downstream::BodyFault;

use self::reasons::{event_of, failure_of, name_of, of_token_error};
pub(crate) use self::reasons::{of_denial, of_forward_error};
use self::trace::UpstreamTrace;

/// Follows one request from its head to the last byte of its response, and then counts and logs it. One value can follow
/// one request after the other: it keeps its buffers, and the last route, whose use it then need not count.
#[derive(Default)]
pub(crate) struct RequestRecord {
    /// Whether a request is being followed.
    open: bool,
    route: Option<Arc<Route>>,
    /// Whether `route` is the one of this request.
    routed: bool,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) trip: UpstreamTrace,
    pub(crate) reason: Option<Reason>,
    /// The setting that would accept an ambiguous request. It belongs to this request only if `reason` is that.
    setting: Option<&'static str>,
    /// 0 until there is one.
    status: u16,
    /// Whether the request is HEAD.
    to_head: bool,
    /// Whether the response came to its end.
    ended: bool,
    /// Whether the response's body was waited for, or came in more than one piece: only then is the time of its end
    /// another than that of its head.
    lasted: bool,
    pieces: u32,
    /// What the client sent as a body, where the trip does not know.
    pub(crate) bytes_up: u64,
    bytes_out: u64,
    /// Empty where requests get none.
    id: Vec<u8>,
    /// Whether the request is logged, and what only the access log wants to know.
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
}

impl RequestRecord {
    /// A request has come.
    #[inline]
    pub(crate) fn begin(
        &mut self,
        request: &impl RequestView,
        client: &ClientConnection<'_>,
        trusted: impl FnOnce() -> bool,
    ) {
        self.finish();
        thread_counters().count(Event::RequestBegun);
        self.open = true;
        self.routed = false;
        self.endpoint = None;
        self.trip = UpstreamTrace::default();
        self.reason = None;
        self.status = 0;
        self.to_head = *request.method() == Method::HEAD;
        (self.ended, self.lasted, self.pieces) = (false, false, 0);
        (self.bytes_up, self.bytes_out) = (0, 0);
        self.id.clear();
        if request_id::is_on() {
            let given = if trusted() { request.only(Class::RequestId) } else { None };
            request_id::write(&mut self.id, given);
        }
        self.is_logged = access_log::is_on();
        if self.is_logged {
            self.begin_log(request, client);
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
    }

    /// The request is refused.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        (self.reason, self.setting) = (refusal.reason, refusal.setting);
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

    /// Lends the id of the request out. [`Self::put_id`] brings it back.
    pub(crate) fn take_id(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.id)
    }

    /// Brings the id back.
    pub(crate) fn put_id(&mut self, id: Vec<u8>) {
        self.id = id;
    }

    /// Lends the route of the request out. [`Self::put_route`] brings it back.
    pub(crate) fn take_route(&mut self) -> Option<Arc<Route>> {
        if self.routed { self.route.take() } else { None }
    }

    /// Brings the route back.
    pub(crate) fn put_route(&mut self, route: Arc<Route>) {
        self.route = Some(route);
    }

    fn route(&self) -> Option<&Arc<Route>> {
        self.route.as_ref().filter(|_| self.routed)
    }

    /// One of the endpoints begins to work on it.
    pub(crate) fn reaches(&mut self, endpoint: Endpoint) {
        self.endpoint = Some(endpoint);
        if endpoint.reads_body() {
            self.trip.began = Some(turn::now());
        }
    }

    /// It has read the body.
    pub(crate) fn reads(&mut self, length: usize) {
        self.bytes_up = length as u64;
    }

    /// The endpoint is done.
    pub(crate) fn told(&mut self, told: &EndpointOutcome) {
        self.trip.returns();
        self.reason = told.refusal.as_ref().map(of_token_error);
        if let Some(event) = event_of(told) {
            thread_counters().count(event);
        }
        if let (Some(client), Some(logged)) = (&told.client, self.logged()) {
            set(&mut logged.client_id, client.id().as_str());
        }
    }

    /// The head of the response goes out.
    #[inline]
    pub(crate) fn head_goes_out(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// The response is complete with its head: its body has this many bytes.
    #[inline]
    pub(crate) fn ends_with(&mut self, bytes: u64) {
        self.ended = true;
        if !self.to_head {
            self.bytes_out = bytes;
        }
    }

    /// What the answer's body says.
    #[inline]
    pub(crate) fn sees<E>(&mut self, polled: &Poll<Option<Result<Frame<Bytes>, E>>>)
    where
        E: AsRef<dyn Error + Send + Sync>,
    {
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.bytes_out += data.len() as u64;
                    self.lasted |= self.pieces > 0;
                    self.pieces = 1;
                }
            }
            Poll::Ready(Some(Err(error))) => self.breaks(error.as_ref().downcast_ref().copied()),
            Poll::Ready(None) => self.ended = true,
            Poll::Pending => self.lasted = true,
        }
    }

    /// A piece of the body went out.
    #[inline]
    pub(crate) fn carries(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
        self.lasted |= self.pieces > 0;
        self.pieces = 1;
    }

    /// The upstream is waited for within the response.
    #[inline]
    pub(crate) fn lasts(&mut self) {
        self.lasted = true;
    }

    /// The answer came to its end.
    #[inline]
    pub(crate) fn ends(&mut self) {
        self.ended = true;
    }

    /// The answer broke off.
    pub(crate) fn breaks(&mut self, fault: Option<BodyFault>) {
        self.ended = true;
        self.reason = Some(match fault {
            Some(BodyFault::TokenEnded) => Reason::TokenEnded,
            Some(BodyFault::TooSlow) => Reason::UpstreamTooSlow,
            Some(BodyFault::TooLarge | BodyFault::BrokenOff) | None => Reason::UpstreamBroken,
        });
    }

    /// A tunnel ended by itself, having carried so many bytes there and back; or with its token.
    pub(crate) fn tunnelled(&mut self, carried: Option<(u64, u64)>, token_ended: bool) {
        (self.ended, self.lasted) = (true, true);
        (self.bytes_up, self.bytes_out) = carried.unwrap_or_default();
        self.reason = token_ended.then_some(Reason::TokenEnded);
    }

    fn meter(&self) -> Option<&Meter<RouteCells>> {
        match (self.route(), self.endpoint) {
            (Some(route), _) => Some(&route.meter),
            (None, endpoint) => OWN.get(place_of(endpoint)),
        }
    }

    /// The request is over: it is counted and logged.
    #[inline]
    pub(crate) fn finish(&mut self) {
        if std::mem::take(&mut self.open) {
            self.tell();
        }
    }

    fn tell(&mut self) {
        if !self.ended && self.reason.is_none() {
            self.reason = Some(Reason::ClientGone);
        }
        let counters = thread_counters();
        counters.count(Event::RequestEnded);
        let bytes_in = self.trip.body.as_ref().map_or(self.bytes_up, BodyOutcome::bytes);
        let logged = self.logged.as_deref().filter(|_| self.is_logged);
        let end = if !is_timed() && logged.is_none() {
            None
        } else if self.lasted || self.trip.head_at.is_none() && self.trip.began.is_some() || logged.is_some()
        {
            Some(turn::now())
        } else {
            self.trip.head_at
        };
        let since =
            |began: Option<Instant>, end: Option<Instant>| Some(end?.saturating_duration_since(began?));
        let to_head = since(self.trip.began, self.trip.head_at);
        let took = if end == self.trip.head_at { to_head } else { since(self.trip.began, end) };
        if let Some(cells) = self.meter().and_then(|meter| meter.cells(counters)) {
            cells.request(StatusClass::of(self.status), took, bytes_in, self.bytes_out);
        }
        if self.trip.counted
            && let Some(route) = self.route()
            && let Some(cells) = route.upstream.meter.cells(counters)
        {
            cells.end(to_head, self.trip.retries());
            if let Some(failure) = self.reason.and_then(failure_of) {
                cells.failed(failure);
            }
        }
        if let Some(reason) = self.reason {
            match self.endpoint.and_then(name_of) {
                Some(endpoint) => counters.endpoint_refused(endpoint, reason),
                None => counters.refused(reason),
            }
        }
        if let (Some(logged), Some(end)) = (logged, end) {
            let upstream = self.route().map(|route| &route.upstream).filter(|_| self.trip.counted);
            access_log::submit(&Line {
                time: logged.time,
                request_id: self.request_id().and_then(|id| std::str::from_utf8(id).ok()),
                client: &logged.client,
                method: logged.method.as_str(),
                host: Some(&*logged.host).filter(|host| !host.is_empty()),
                path: &logged.path,
                route: self.meter().map(Meter::name).filter(|name| *name != NONE),
                client_id: Some(&*logged.client_id).filter(|id| !id.is_empty()),
                status: (self.status != 0).then_some(self.status),
                reason: self.reason,
                setting: self.reason.and_then(|reason| self.setting_for(reason)),
                upstream: upstream.map(|upstream| &*upstream.name),
                server: upstream.zip(self.trip.server).and_then(|(upstream, key)| upstream.server(key)),
                retries: self.trip.retries(),
                bytes_in,
                bytes_out: self.bytes_out,
                duration: end.saturating_duration_since(logged.started),
                upstream_duration: to_head.filter(|_| upstream.is_some()),
                protocol: protocol(logged.version),
                tls: logged.secure,
            });
        }
    }
}

impl Notes for RequestRecord {
    #[inline]
    fn names(&mut self, host: &str, path: &str) {
        if let Some(logged) = self.logged() {
            set(&mut logged.host, host);
            logged.host.make_ascii_lowercase();
            set(&mut logged.path, path);
        }
    }

    #[inline]
    fn routed(&mut self, route: &Arc<Route>) {
        // The same as last time, as a rule. Then no count is written that other threads write too.
        if !self.route.as_ref().is_some_and(|last| Arc::ptr_eq(last, route)) {
            self.route = Some(Arc::clone(route));
        }
        self.routed = true;
    }

    #[inline]
    fn permitted(&mut self, client: Option<&str>) {
        if let Some(logged) = self.logged() {
            set(&mut logged.client_id, client.unwrap_or_default());
        }
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
        }
    }
}

fn set(text: &mut String, to: &str) {
    text.clear();
    text.push_str(to);
}

const NONE: &str = "(none)";

/// What stands in place of a route, with names that no route can have.
static OWN: LazyLock<[Meter<RouteCells>; 5]> = LazyLock::new(|| {
    ["(token)", "(introspection)", "(revocation)", "(metadata)", NONE].map(|name| Meter::new(name, 64))
});

/// The counts of requests that had no route.
pub(crate) fn own() -> &'static [Meter<RouteCells>] {
    &*OWN
}

fn place_of(endpoint: Option<Endpoint>) -> usize {
    match endpoint {
        Some(Endpoint::Token) => 0,
        Some(Endpoint::Introspection) => 1,
        Some(Endpoint::Revocation) => 2,
        Some(Endpoint::AuthorizationServer | Endpoint::ProtectedResource) => 3,
        None => 4,
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
