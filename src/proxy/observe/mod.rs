//! What becomes of a request: gathered on its way, counted and logged when it is over, however it ends.

mod reasons;
pub(crate) mod trace;

use std::error::Error;
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::SystemTime;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, Version};
use http_body::Frame;
use tokio::time::Instant;

use super::notes::Notes;
use super::route::{ClientConnection, Route};
use crate::gate::{Endpoint, EndpointOutcome};
use crate::headers::REQUEST_ID;
use crate::oauth::client::ClientState;
use crate::oauth::decide::Permit;
use crate::proxy::body::fault::BodyFault;
use crate::proxy::body::request::BodyOutcome;
use crate::telemetry::access_log::{self, Line};
use crate::telemetry::{Class, Event, Meter, Reason, RouteCells, is_timed, mine, request_id};

use self::reasons::{event_of, failure_of, name_of, of_token_error};
pub(crate) use self::reasons::{of_denial, of_forward_error};
use self::trace::UpstreamTrace;

/// Follows one request from its head to the last byte of its answer. Dropped, it tells what it saw.
pub(crate) struct RequestRecord {
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) trip: UpstreamTrace,
    pub(crate) reason: Option<Reason>,
    /// 0 until there is one.
    status: u16,
    /// Whether the request is HEAD.
    to_head: bool,
    /// Whether the answer came to its end.
    ended: bool,
    /// Whether the answer's body was waited for, or came in more than one piece: only then is the time of its end
    /// another than that of its head.
    lasted: bool,
    pieces: u32,
    /// What a tunnel carried up, or an endpoint read.
    bytes_up: u64,
    bytes_out: u64,
    /// Boxed and seldom: only where requests are logged or have ids.
    entry: Option<Box<Entry>>,
}

/// What only the access log wants to know.
struct Entry {
    id: Option<HeaderValue>,
    /// None where only an id was asked for.
    logged: Option<Logged>,
}

struct Logged {
    time: SystemTime,
    started: Instant,
    client: HeaderValue,
    client_id: Option<HeaderValue>,
    method: Method,
    host: Option<Box<str>>,
    path: Box<str>,
    version: Version,
    secure: bool,
}

impl RequestRecord {
    /// A request has come.
    #[inline]
    pub(crate) fn begin(
        parts: &Parts,
        client: &ClientConnection<'_>,
        trusted: impl FnOnce() -> bool,
    ) -> Self {
        mine().count(Event::RequestBegun);
        let wanted = access_log::is_on() || request_id::is_on();
        Self {
            route: None,
            endpoint: None,
            trip: UpstreamTrace::default(),
            reason: None,
            status: 0,
            to_head: parts.method == Method::HEAD,
            ended: false,
            lasted: false,
            pieces: 0,
            bytes_up: 0,
            bytes_out: 0,
            entry: if wanted { Some(Entry::new(parts, client, trusted())) } else { None },
        }
    }

    fn logged(&mut self) -> Option<&mut Logged> {
        self.entry.as_mut()?.logged.as_mut()
    }

    /// One of the endpoints begins to work on it.
    pub(crate) fn reaches(&mut self, endpoint: Endpoint) {
        self.endpoint = Some(endpoint);
        if endpoint.reads_body() {
            self.trip.began = Some(Instant::now());
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
            mine().count(event);
        }
        if let (Some(client), Some(logged)) = (&told.client, self.logged()) {
            logged.client_id = Some(ClientState::header(client).clone());
        }
    }

    /// The head of the response goes out.
    #[inline]
    pub(crate) fn head_goes_out<B>(&mut self, response: &mut Response<B>) {
        self.status = response.status().as_u16();
        if let Some(id) = self.request_id() {
            let id = id.clone();
            response.headers_mut().insert(&REQUEST_ID, id);
        }
    }

    /// The response is complete with its head: its body has this many bytes.
    #[inline]
    pub(crate) fn ends_with(mut self, bytes: u64) {
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

    /// The answer came to its end.
    #[inline]
    pub(crate) fn ends(&mut self) {
        self.ended = true;
    }

    /// The answer broke off.
    fn breaks(&mut self, fault: Option<BodyFault>) {
        self.ended = true;
        self.reason = Some(match fault {
            Some(BodyFault::TokenEnded) => Reason::TokenEnded,
            Some(BodyFault::TooSlow) => Reason::UpstreamTooSlow,
            Some(BodyFault::TooLarge | BodyFault::BrokenOff) | None => Reason::UpstreamBroken,
        });
    }

    /// A tunnel ended by itself, having carried so many bytes there and back; or with its token.
    pub(crate) fn tunnelled(mut self, carried: Option<(u64, u64)>, token_ended: bool) {
        (self.ended, self.lasted) = (true, true);
        (self.bytes_up, self.bytes_out) = carried.unwrap_or_default();
        self.reason = token_ended.then_some(Reason::TokenEnded);
    }

    fn meter(&self) -> Option<&Meter<RouteCells>> {
        match (&self.route, self.endpoint) {
            (Some(route), _) => Some(&route.meter),
            (None, endpoint) => OWN.get(place_of(endpoint)),
        }
    }

    fn tell(&mut self) {
        if !self.ended && self.reason.is_none() {
            self.reason = Some(Reason::ClientGone);
        }
        let block = mine();
        block.count(Event::RequestEnded);
        let bytes_in = self.trip.body.as_ref().map_or(self.bytes_up, BodyOutcome::bytes);
        let logged = self.entry.as_ref().and_then(|entry| entry.logged.as_ref());
        let end = if !is_timed() && logged.is_none() {
            None
        } else if self.lasted || self.trip.head_at.is_none() && self.trip.began.is_some() || logged.is_some()
        {
            Some(Instant::now())
        } else {
            self.trip.head_at
        };
        let since =
            |began: Option<Instant>, end: Option<Instant>| Some(end?.saturating_duration_since(began?));
        let took = since(self.trip.began, end);
        let to_head = since(self.trip.began, self.trip.head_at);
        if let Some(cells) = self.meter().and_then(|meter| meter.cells(block)) {
            cells.request(Class::of(self.status), took, bytes_in, self.bytes_out);
        }
        if self.trip.counted
            && let Some(route) = &self.route
            && let Some(cells) = route.upstream.meter.cells(block)
        {
            cells.end(to_head, self.trip.retries());
            if let Some(failure) = self.reason.and_then(failure_of) {
                cells.failed(failure);
            }
        }
        if let Some(reason) = self.reason {
            match self.endpoint.and_then(name_of) {
                Some(endpoint) => block.endpoint_refused(endpoint, reason),
                None => block.refused(reason),
            }
        }
        if let (Some(logged), Some(end)) = (logged, end) {
            let upstream = self.route.as_ref().map(|route| &route.upstream).filter(|_| self.trip.counted);
            access_log::submit(&Line {
                time: logged.time,
                request_id: self.request_id().and_then(|id| id.to_str().ok()),
                client: logged.client.to_str().unwrap_or_default(),
                method: logged.method.as_str(),
                host: logged.host.as_deref(),
                path: &logged.path,
                route: self.meter().map(Meter::name).filter(|name| *name != NONE),
                client_id: logged.client_id.as_ref().and_then(|id| id.to_str().ok()),
                status: (self.status != 0).then_some(self.status),
                reason: self.reason,
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
            logged.host = Some(host.to_ascii_lowercase().into());
            logged.path = path.into();
        }
    }

    #[inline]
    fn permitted(&mut self, permit: &Permit) {
        if let Some(logged) = self.logged() {
            logged.client_id = permit.client_header().cloned();
        }
    }

    #[inline]
    fn request_id(&self) -> Option<&HeaderValue> {
        self.entry.as_ref()?.id.as_ref()
    }
}

impl Drop for RequestRecord {
    #[inline]
    fn drop(&mut self) {
        self.tell();
    }
}

impl Entry {
    #[cold]
    fn new(parts: &Parts, client: &ClientConnection<'_>, trusted: bool) -> Box<Self> {
        let id = request_id::is_on().then(|| request_id::of(&parts.headers, trusted));
        let logged = access_log::is_on().then(|| Logged {
            time: SystemTime::now(),
            started: Instant::now(),
            client: client.peer_value.clone(),
            client_id: None,
            method: parts.method.clone(),
            host: None,
            path: parts.uri.path().into(),
            version: parts.version,
            secure: client.secure,
        });
        Box::new(Self { id, logged })
    }
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
