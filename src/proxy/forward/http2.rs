//! Requests to servers that speak HTTP/2 (RFC 9113): multiplexed over few connections, kept per thread.
//!
//! A request goes in its own task, its answer is read there too; one task a connection moves the bytes. What a server
//! has not begun with is sent again, whatever its method: a stream that it refuses, one above the last it names when it
//! says goodbye, and what was never written because the connection was dead already.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::header::CONNECTION;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::error::ForwardError;
use super::outbound::Outbound;
use super::retry::{Failure, Retries};
use crate::gate::Gate;
use crate::headers::{self, Field, Outgoing, RequestView, Returning};
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::decide::Lease;
use crate::proxy::body::lease::TokenLease;
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
use crate::upstream::http2::response::Http2Body;
use crate::upstream::http2::upload::{self, Upload, UploadTask};
use crate::upstream::pick::PickContext;
use crate::upstream::server::Server;

/// The head that `outgoing` makes of a client's: with a canonical path, the query as it came, and the host it is for.
/// Its scheme is the server's.
///
/// # Errors
/// The host or the query cannot stand in a URI.
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

/// Sends a request upstream and brings the answer back.
pub(crate) async fn forward(
    lease: &Lease,
    client: Option<&str>,
    gate: &Gate,
    upstream: &Upstream,
    (head, outbound): (Request<()>, Outbound),
    trip: &mut UpstreamTrace,
) -> Result<Response<ResponseBody>, ForwardError> {
    let Outbound { body, limits, mut bounds } = outbound;
    let (body, outcome) = RequestBody::new(body, limits, upstream, || TokenLease::new(gate, lease));
    trip.body.clone_from(&outcome);
    if let Some(total) = upstream.total_timeout {
        ExchangeLimits::of(&mut bounds).deadline = Instant::now().checked_add(total);
    }
    let (parts, ()) = head.into_parts();
    let Answered { response, place, upload } =
        exchange(upstream, client, &parts, body, outcome, &mut bounds, trip).await?;
    let (mut head, stream) = response.into_parts();
    headers::check_response(&head.headers).map_err(|error| ForwardError::BadAnswer(error.to_string()))?;
    let mut kept = HeaderMap::with_capacity(head.headers.len() + 1);
    let returning = Returning { upgraded: false, length: true, version: Version::HTTP_2 };
    let fields = head.headers.iter().map(|(name, value)| Field::in_map(name, value));
    let connection = head.headers.get_all(CONNECTION).iter().map(HeaderValue::as_bytes);
    headers::for_client(fields, connection, returning, |_| false, &mut kept);
    head.headers = kept;
    head.version = Version::HTTP_11;
    let body = Http2Body::new(stream, &head.headers, place, upload);
    let source = Source::Http2(body, Alarm::default());
    let body = UpstreamBody::new(source, upstream.read_timeout, TokenLease::new(gate, lease), bounds);
    Ok(Response::from_parts(head, body.into()))
}

/// The head of an answer, and what it holds.
struct Answered {
    response: Response<RecvStream>,
    place: StreamGuard,
    upload: Option<UploadTask>,
}

/// Sends a request until a server answers it, as often as is safe and allowed.
async fn exchange(
    upstream: &Upstream,
    client: Option<&str>,
    parts: &Parts,
    body: RequestBody,
    outcome: Option<BodyOutcome>,
    bounds: &mut Option<Box<ExchangeLimits>>,
    trip: &mut UpstreamTrace,
) -> Result<Answered, ForwardError> {
    upstream.count();
    let mut asking = PickContext::new(client);
    let mut upload = Upload::new(body);
    // RFC 9110 §9.2.2; and only without a body, as for HTTP/1.1.
    let replayable = parts.method.is_idempotent() && upload.is_empty();
    let mut retries = Retries::new(upstream.retries, replayable);
    let deadline = bounds.as_ref().and_then(|bounds| bounds.deadline);
    let mut newer_than = 0;
    let mut alarm = Box::pin(sleep_until(Instant::now()));
    loop {
        let (server, place) = upstream.pick(&mut asking).ok_or(ForwardError::NoServer)?;
        if let Some(place) = place {
            ExchangeLimits::of(bounds).server = Some(place);
        }
        trip.goes_to(server, Instant::now());
        // Other requests wait for the same connection, so the total timeout of this one does not shorten its opening.
        let acquiring = pool::acquire(server, newer_than, upstream.connect_timeout);
        let acquired = match deadline {
            None => acquiring.await,
            Some(deadline) => match timeout_at(deadline, acquiring).await {
                Ok(acquired) => acquired,
                Err(_) => {
                    upstream.record_failure(server, &"no connection in time");
                    return Err(ForwardError::TooSlow);
                }
            },
        };
        let mut connection = match acquired {
            Ok(connection) => connection,
            Err(AcquireError::Full) => return Err(ForwardError::NoServer),
            Err(AcquireError::Open(error)) => {
                if !matches!(error, OpenError::Local(_)) {
                    upstream.record_failure(server, &error);
                }
                let in_time = deadline.is_none_or(|deadline| Instant::now() < deadline);
                if in_time && retries.allow(Failure::Unsent, false, || upstream.may_retry()) {
                    asking.failed();
                    continue;
                }
                return Err(not_open(error));
            }
        };
        let Some((answer, mut stream)) = send(&mut connection, server, parts, upload.is_empty())? else {
            // Over before this request came.
            if !retries.allow(Failure::Unsent, true, || upstream.may_retry()) {
                return Err(ForwardError::Unreachable("the server closes new connections".to_owned()));
            }
            continue;
        };
        let status = Arc::clone(&connection.status);
        let (place, reused, written) = (status.begin_stream(), status.begun() > 1, status.written());
        let waiting = Waiting { upstream, outcome: outcome.as_ref(), deadline, alarm: &mut alarm };
        let error = match waiting.answer(answer, &mut stream, &mut upload).await {
            Ok(Ok(response)) => {
                upstream.record_response(server, response.status());
                return Ok(Answered { response, place, upload: upload.spawn(stream) });
            }
            Ok(Err(error)) => error,
            Err(Interrupted::Late) => {
                upstream.record_failure(server, &"no answer in time");
                return Err(ForwardError::TooSlow);
            }
            Err(Interrupted::Expired) => {
                // With a body on its way up, it may be the client that was slow.
                if replayable || upload.is_done() {
                    upstream.record_failure(server, &"no whole answer in time");
                }
                return Err(ForwardError::TooSlow);
            }
            Err(Interrupted::Body(fault)) => return Err(ForwardError::Body(fault)),
        };
        // A kept connection that breaks says little of the server; a new one does.
        if !reused {
            upstream.record_failure(server, &error);
        }
        let refused = error.is_remote() && error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        // Requests sent before the server's SETTINGS came may exceed its stream limit. It refuses those, for no fault of
        // the requests: they are treated as unsent.
        let over_limit = refused && status.streams() > connection.max_streams();
        drop(place);
        let broke = error.is_io() || error.is_go_away();
        // h2 tells a stream of the other side's GOAWAY only if it lies above the last one named there.
        let not_begun = refused || (error.is_remote() && error.is_go_away());
        let not_written = broke && status.written() == written;
        let failure = match (not_written || over_limit, not_begun) {
            (true, _) if upload.rewind() => Failure::Unsent,
            (false, true) if upload.rewind() => Failure::NotProcessed,
            (false, false) if broke => Failure::Broken,
            _ => Failure::Fatal,
        };
        if !retries.allow(failure, reused || over_limit, || upstream.may_retry()) {
            return Err(failed(&error));
        }
        if !over_limit && (refused || !reused) {
            asking.failed();
        }
        if !refused {
            // Others that are as old are as dead.
            status.close();
            newer_than = ConnectionStatus::latest_id();
        }
    }
}

fn not_open(error: OpenError) -> ForwardError {
    match error {
        OpenError::TooSlow => ForwardError::TooSlow,
        OpenError::Failed(error) | OpenError::Local(error) => ForwardError::Unreachable(error.to_string()),
        OpenError::NoHttp2 => ForwardError::BadAnswer(
            "its server does not agree to HTTP/2 over TLS (ALPN): the protocol of this upstream must be http1".to_owned(),
        ),
    }
}

/// What an error means that came in place of an answer.
fn failed(error: &h2::Error) -> ForwardError {
    match error.reason() {
        // Found here: what came is no HTTP/2.
        Some(_) if error.is_library() => ForwardError::BadAnswer("not HTTP/2".to_owned()),
        _ => ForwardError::Unreachable(error.to_string()),
    }
}

/// Opens a stream; none if the connection takes no more.
fn send(
    connection: &mut Connection,
    server: &Server,
    parts: &Parts,
    ends: bool,
) -> Result<Option<(ResponseFuture, SendStream<bytes::Bytes>)>, ForwardError> {
    let mut head = Request::new(());
    head.method_mut().clone_from(&parts.method);
    head.headers_mut().clone_from(&parts.headers);
    *head.version_mut() = Version::HTTP_2;
    let mut uri = parts.uri.clone().into_parts();
    uri.scheme = Some(if server.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
    *head.uri_mut() = Uri::from_parts(uri)
        .map_err(|_| ForwardError::Unreachable("no target that HTTP/2 could ask for".to_owned()))?;
    match connection.sender.send_request(head, ends) {
        Ok(sent) => Ok(Some(sent)),
        Err(error) if error.is_io() || error.is_go_away() => {
            connection.status.close();
            pool::remove(&connection.status);
            Ok(None)
        }
        // Out of stream numbers, after a billion requests: RFC 9113 §5.1.1.
        Err(error) if error.reason().is_none() && connection.status.begun() > 1 << 29 => {
            connection.status.close();
            Ok(None)
        }
        Err(error) => Err(ForwardError::Unreachable(error.to_string())),
    }
}

/// Why a wait ended without an answer and without an error of the connection.
enum Interrupted {
    /// No answer within the read timeout.
    Late,
    /// No answer within the total timeout.
    Expired,
    /// The body ended early.
    Body(BodyFault),
}

/// The wait for the head of an answer, while the body goes up.
struct Waiting<'a> {
    upstream: &'a Upstream,
    outcome: Option<&'a BodyOutcome>,
    deadline: Option<Instant>,
    alarm: &'a mut Pin<Box<Sleep>>,
}

impl Waiting<'_> {
    async fn answer(
        self,
        mut answer: ResponseFuture,
        stream: &mut SendStream<bytes::Bytes>,
        upload: &mut Upload<RequestBody>,
    ) -> Result<Result<Response<RecvStream>, h2::Error>, Interrupted> {
        let Self { upstream, outcome, deadline, alarm } = self;
        let fault = || outcome.and_then(BodyOutcome::fault);
        let mut frames = 0;
        let next = || {
            let late_at = Instant::now() + upstream.read_timeout;
            deadline.map_or(late_at, |deadline| deadline.min(late_at))
        };
        alarm.as_mut().reset(next());
        poll_fn(|cx| {
            if !upload.is_done()
                && let Poll::Ready(Err(upload::Broken)) = upload.poll(stream, cx)
            {
                let fault = fault().unwrap_or(BodyFault::BrokenOff);
                return Poll::Ready(Err(Interrupted::Body(fault)));
            }
            if let Poll::Ready(answer) = Pin::new(&mut answer).poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            while alarm.as_mut().poll(cx).is_ready() {
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return Poll::Ready(Err(Interrupted::Expired));
                }
                // While a body is still going up, the server is not late.
                match outcome.map(BodyOutcome::frames).filter(|now| *now != frames) {
                    Some(now) => frames = now,
                    // Nor while the client says nothing: the body has a timeout of its own.
                    None if upload.waits_for_client() => {}
                    None => return Poll::Ready(Err(Interrupted::Late)),
                }
                alarm.as_mut().reset(next());
            }
            Poll::Pending
        })
        .await
    }
}
