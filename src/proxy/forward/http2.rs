//! Requests to servers that speak HTTP/2 (RFC 9113): multiplexed over few connections, kept per thread.
//!
//! The task of a request sends the request and reads its response. One task for each connection transfers the
//! bytes. A request that a server did not begin to process is retried, whatever its method. This applies to a
//! refused stream, to a stream above the last one named in a GOAWAY, and to a request that was never written
//! because the connection was dead.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::header::CONNECTION;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version};
use tokio::time::{Instant, timeout_at};

use super::error::ForwardError;
use super::exchange::{Exchange, Overdue, Protocol, ResponseTimer};
use super::outbound::{Outbound, ReturnTo};
use super::retry::{Failure, FailureKind};
use crate::headers::{self, Field, Outgoing, PublicOrigin, RequestView, Returning};
use crate::proxy::body::lease::{ResponseLease, TokenLease};
use crate::proxy::body::request::{BodyOutcome, RequestBody};
use crate::proxy::body::response::ResponseBody;
use crate::proxy::body::source::Source;
use crate::proxy::body::upstream_body::UpstreamBody;
use crate::proxy::observe::trace::UpstreamTrace;
use crate::upstream::alarm::Alarm;
use crate::upstream::downstream::BodyFault;
use crate::upstream::group::Upstream;
use crate::upstream::http2::connection::{Connection, ConnectionStatus, OpenError, StreamGuard};
use crate::upstream::http2::pool::{self, AcquireError};
use crate::upstream::http2::received::ReceivedBody;
use crate::upstream::http2::response::Http2Body;
use crate::upstream::http2::upload::{self, Upload};
use crate::upstream::server::Server;

/// Builds the head to send upstream from a client's request: with the canonical path, the query as received,
/// and `host`. The scheme is set later, to the server's.
///
/// # Errors
/// The host or the query is not valid in a URI.
pub(crate) fn head(
    request: &impl RequestView,
    host: &str,
    path: &str,
    outgoing: &Outgoing<'_>,
) -> Result<Request<()>, http::Error> {
    let path = match request.query() {
        None => PathAndQuery::try_from(path)?,
        Some(query) => PathAndQuery::try_from([path.as_bytes(), b"?", query].concat())?,
    };
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.version_mut() = Version::HTTP_2;
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(Authority::try_from(host)?);
    *head.uri_mut() = uri.path_and_query(path).build()?;
    headers::for_upstream(request, outgoing, head.headers_mut());
    Ok(head)
}

/// The largest number of interim responses (RFC 9110 §15.2) before the final response.
const MAX_INTERIM: u32 = 16;

/// Sends an interim response to the client.
pub(crate) type Interim<'a> = &'a (dyn Fn(Response<()>) + Sync);

/// Sends a request upstream and returns the response. Interim responses are passed to `interim`.
pub(crate) async fn forward<'a>(
    to: ReturnTo<'a>,
    client: Option<&str>,
    (head, outbound): (Request<()>, Outbound),
    interim: Interim<'_>,
    trace: &mut UpstreamTrace,
) -> Result<Response<ResponseBody<'a>>, ForwardError> {
    let ReturnTo { gate, lease, route, request_path } = to;
    let Outbound { body, body_limits, mut limits, rules } = outbound;
    let upstream = &*route.upstream;
    let (body, outcome) =
        RequestBody::new(body, body_limits, rules.as_ref(), || TokenLease::new(gate, lease));
    trace.body.clone_from(&outcome);
    let (parts, ()) = head.into_parts();
    let upload = Upload::new(body);
    // RFC 9110 §9.2.2. As for HTTP/1.1, only a request without a body is replayable.
    let replayable = parts.method.is_idempotent() && upload.is_empty();
    let exchange = Exchange { upstream, replayable, client, pinned: None };
    let mut attempt = Http2 {
        upstream,
        parts: &parts,
        replayable,
        upload,
        outcome,
        newer_than: 0,
        authority: None,
        alarm: Alarm::default(),
        interim,
        interims: 0,
    };
    let (_, StreamResponse { response, stream, guard }) =
        exchange.run(&mut attempt, &mut limits, trace).await?;
    let upload = attempt.upload.spawn(stream);
    let (mut head, body) = response.into_parts();
    headers::check_response(&head.headers)
        .map_err(|error| ForwardError::InvalidResponse(error.to_string()))?;
    let public = || {
        let host = parts.uri.authority().map(|host| (&b"host"[..], host.as_str().as_bytes()));
        let headers = parts.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        PublicOrigin::of(headers.chain(host))
    };
    let map = |field: &Field<'_>| route.map_url(field, request_path, public);
    head.headers = for_client(&head.headers, true, map);
    let body = Http2Body::new(ReceivedBody::new(body, &head.headers), guard, upload);
    let source = Source::Http2(body, Alarm::default());
    let body = UpstreamBody::new(source, upstream.read_timeout, ResponseLease::new(gate, lease), limits);
    Ok(Response::from_parts(head, body.into()))
}

/// Returns the headers of a response that go to the client. `length` is whether it may declare the length of
/// its body.
fn for_client(
    headers: &HeaderMap,
    length: bool,
    map: impl Fn(&Field<'_>) -> Option<(&'static HeaderName, String)>,
) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(headers.len() + 3);
    let returning = Returning { upgraded: false, length, version: Version::HTTP_2 };
    let fields = headers.iter().map(|(name, value)| Field::in_map(name, value));
    let connection = headers.get_all(CONNECTION).iter().map(HeaderValue::as_bytes);
    headers::for_client(fields, connection, returning, |_| false, map, &mut kept);
    kept
}

/// A response whose head has been received, with its stream.
struct StreamResponse {
    response: Response<RecvStream>,
    stream: SendStream<bytes::Bytes>,
    guard: StreamGuard,
}

/// An attempt over HTTP/2.
struct Http2<'a> {
    upstream: &'a Upstream,
    parts: &'a Parts,
    replayable: bool,
    upload: Upload<RequestBody>,
    outcome: Option<BodyOutcome>,
    /// Connections up to this id are not used: they are as old as one that was dead.
    newer_than: u64,
    /// The authority of the server, if the upstream sends each server its own name as the host.
    authority: Option<Authority>,
    alarm: Alarm,
    interim: Interim<'a>,
    /// The number of interim responses so far.
    interims: u32,
}

/// Why no response head was received.
enum HeadError {
    Error(h2::Error),
    Overdue(Overdue),
    /// The request body failed.
    Body(BodyFault),
    /// The server sends one interim response after the other.
    TooManyInterim,
}

impl Protocol for Http2<'_> {
    type Connection = Connection;
    type Response = StreamResponse;

    fn take_idle(&mut self, server: &Arc<Server>, _: Instant) -> Option<Connection> {
        self.authority = if self.upstream.host_per_server { server.authority().parse().ok() } else { None };
        pool::ready(server, self.newer_than)
    }

    async fn open(
        &mut self,
        server: &Arc<Server>,
        _: Instant,
        deadline: Option<Instant>,
    ) -> Result<Connection, Failure> {
        // Other requests wait for the same connection, so the total timeout of this one does not shorten its
        // opening.
        let acquiring = pool::acquire(server, self.newer_than, self.upstream.connect_timeout);
        let acquired = match deadline {
            None => acquiring.await,
            Some(deadline) => match timeout_at(deadline, acquiring).await {
                Ok(acquired) => acquired,
                Err(_) => return Err(Failure::not_connected(ForwardError::TooSlow, true)),
            },
        };
        acquired.map_err(|error| match error {
            AcquireError::Full => Failure::fatal(ForwardError::NoServer, false),
            AcquireError::Open(error) => {
                let counts = !matches!(error, OpenError::Local(_));
                Failure::not_connected(open_error(error), counts)
            }
        })
    }

    async fn send(
        &mut self,
        connection: &mut Connection,
        _: bool,
        deadline: Option<Instant>,
    ) -> Result<StreamResponse, Failure> {
        let (answer, mut stream) = self.open_stream(connection)?;
        let (guard, written) = (connection.status.begin_stream(), connection.status.written());
        match self.answer(answer, &mut stream, deadline).await {
            Ok(response) => Ok(StreamResponse { response, stream, guard }),
            Err(failed) => Err(self.classify(failed, connection, written)),
        }
    }

    fn status(_: &Connection, answer: &StreamResponse) -> Option<StatusCode> {
        Some(answer.response.status())
    }
}

impl Http2<'_> {
    /// Opens a stream with the head of the request.
    fn open_stream(
        &self,
        connection: &mut Connection,
    ) -> Result<(ResponseFuture, SendStream<bytes::Bytes>), Failure> {
        let parts = self.parts;
        let mut head = Request::new(());
        head.method_mut().clone_from(&parts.method);
        head.headers_mut().clone_from(&parts.headers);
        *head.version_mut() = Version::HTTP_2;
        let mut uri = parts.uri.clone().into_parts();
        if let Some(authority) = &self.authority {
            uri.authority = Some(authority.clone());
        }
        uri.scheme = Some(if connection.tls { Scheme::HTTPS } else { Scheme::HTTP });
        *head.uri_mut() = Uri::from_parts(uri).map_err(|_| {
            let reason = "the target of the request cannot be sent over HTTP/2".to_owned();
            Failure::fatal(ForwardError::Unreachable(reason), false)
        })?;
        connection.sender.send_request(head, self.upload.is_empty()).map_err(|error| {
            let over = error.is_io() || error.is_go_away();
            // The stream ids are used up after a billion requests (RFC 9113 §5.1.1).
            let used_up = error.reason().is_none() && connection.status.begun() > 1 << 29;
            if !over && !used_up {
                return Failure::fatal(ForwardError::Unreachable(error.to_string()), false);
            }
            connection.status.close();
            if over {
                pool::remove(&connection.status);
            }
            // The connection ended before this request was sent.
            let reason = "the server closes new connections".to_owned();
            Failure {
                kind: FailureKind::Unsent,
                error: ForwardError::Unreachable(reason),
                on_reused_connection: true,
                counts_against_server: false,
                avoid_server: false,
            }
        })
    }

    /// Waits for the head of the response, while the body is being sent.
    async fn answer(
        &mut self,
        mut answer: ResponseFuture,
        stream: &mut SendStream<bytes::Bytes>,
        deadline: Option<Instant>,
    ) -> Result<Response<RecvStream>, HeadError> {
        let Self { upstream, upload, outcome, alarm, interim, interims, .. } = self;
        let mut timer = ResponseTimer::new(Instant::now(), upstream.read_timeout, deadline);
        poll_fn(|cx| {
            if !upload.is_done()
                && let Poll::Ready(Err(upload::Broken)) = upload.poll(stream, cx)
            {
                let fault = outcome.as_ref().and_then(BodyOutcome::fault);
                return Poll::Ready(Err(HeadError::Body(fault.unwrap_or(BodyFault::BrokenOff))));
            }
            while let Poll::Ready(Some(Ok(mut response))) = answer.poll_informational(cx) {
                *interims += 1;
                if *interims > MAX_INTERIM {
                    return Poll::Ready(Err(HeadError::TooManyInterim));
                }
                // Nothing is waited for here, so 100 (Continue) has no meaning for the client.
                if response.status() != StatusCode::CONTINUE {
                    *response.headers_mut() = for_client(response.headers(), false, |_| None);
                    interim(response);
                }
            }
            if let Poll::Ready(answer) = Pin::new(&mut answer).poll(cx) {
                return Poll::Ready(answer.map_err(HeadError::Error));
            }
            loop {
                let now = ready!(alarm.poll(timer.next(), cx));
                let progress = outcome.as_ref().map_or(0, BodyOutcome::frames);
                if let Some(overdue) = timer.check(now, progress, upload.waits_for_client()) {
                    return Poll::Ready(Err(HeadError::Overdue(overdue)));
                }
            }
        })
        .await
    }

    #[cold]
    fn classify(&mut self, failed: HeadError, connection: &Connection, written: u64) -> Failure {
        let error = match failed {
            HeadError::Overdue(Overdue::Late) => return Failure::fatal(ForwardError::TooSlow, true),
            HeadError::Overdue(Overdue::Expired) => {
                // While a body is being sent, the client may cause the delay.
                let counts = self.replayable || self.upload.is_done();
                return Failure::fatal(ForwardError::TooSlow, counts);
            }
            HeadError::Body(fault) => return Failure::fatal(ForwardError::Body(fault), false),
            HeadError::TooManyInterim => {
                let error = ForwardError::InvalidResponse("too many interim responses".to_owned());
                return Failure::fatal(error, true);
            }
            HeadError::Error(error) => error,
        };
        let status = &connection.status;
        let kept = status.begun() > 1;
        let refused = error.is_remote() && error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        // Requests sent before the server's SETTINGS came may exceed its stream limit. It refuses those
        // through no fault of the requests: they are treated as unsent.
        let over_limit = refused && status.streams() > connection.max_streams();
        let broke = error.is_io() || error.is_go_away();
        // h2 reports the other side's GOAWAY only for a stream above the last one named there.
        let not_begun = refused || (error.is_remote() && error.is_go_away());
        let not_written = broke && status.written() == written;
        let kind = match (not_written || over_limit, not_begun) {
            (true, _) if self.upload.rewind() => FailureKind::Unsent,
            (false, true) if self.upload.rewind() => FailureKind::NotProcessed,
            (false, false) if broke => FailureKind::Broken,
            _ => FailureKind::Fatal,
        };
        if !refused {
            // Connections of the same age are assumed to be dead too.
            status.close();
            self.newer_than = ConnectionStatus::latest_id();
        }
        Failure {
            kind,
            error: stream_error(&error),
            on_reused_connection: kept || over_limit,
            counts_against_server: !kept,
            avoid_server: !over_limit && (refused || !kept),
        }
    }
}

fn open_error(error: OpenError) -> ForwardError {
    match error {
        OpenError::TooSlow => ForwardError::TooSlow,
        OpenError::Failed(error) | OpenError::Local(error) => ForwardError::Unreachable(error.to_string()),
        OpenError::NoHttp2 => ForwardError::InvalidResponse(
            "its server does not agree to HTTP/2 over TLS (ALPN): the protocol of this upstream must be http1".to_owned(),
        ),
    }
}

/// Converts an HTTP/2 error that occurred instead of a response.
fn stream_error(error: &h2::Error) -> ForwardError {
    match error.reason() {
        // h2 itself detected the error: the server did not send valid HTTP/2.
        Some(_) if error.is_library() => ForwardError::InvalidResponse("not HTTP/2".to_owned()),
        _ => ForwardError::Unreachable(error.to_string()),
    }
}
