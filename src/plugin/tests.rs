//! The layer and the endpoints as tower services: readiness, refusals, closures, reloads, nesting, bodies.

mod asking;
mod conditions;
mod refusals;
#[cfg(feature = "axum")]
mod routers;

use std::convert::Infallible;
use std::future::{Future as _, Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use tower::{Layer as _, Service, ServiceExt as _};

use crate::clock::ManualClock;
use crate::gate::{ClientSpec, Gate, GateSpec};
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::Requirement;

fn spec(secret: &str) -> GateSpec {
    let client = ClientSpec::with_id("server").unwrap().plain_secret(secret).unwrap();
    GateSpec::default().client(client.scopes(["read", "write"]).unwrap())
}

fn gate() -> Gate {
    Gate::builder(spec("Password1")).hashing_threads(1).build().unwrap()
}

fn request(gate: &Gate, path: &str) -> Request<()> {
    let token = gate.issue_to("server", ["read"]).unwrap();
    let bearer = format!("Bearer {}", token.expose());
    Request::get(path).header(header::AUTHORIZATION, bearer).body(()).unwrap()
}

fn read() -> Requirement {
    Requirement::all(["read"]).unwrap()
}

/// A service that is ready every other time it is polled, like one that waits for a permit. It counts its
/// calls.
#[derive(Clone, Default)]
struct Reluctant {
    asked: usize,
    calls: Arc<AtomicUsize>,
}

impl Service<Request<()>> for Reluctant {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.asked += 1;
        cx.waker().wake_by_ref();
        if self.asked.is_multiple_of(2) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.asked.is_multiple_of(2), "called without being ready");
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Response::new(String::new())))
    }
}

#[test]
fn readiness_is_the_inner_services_and_a_refusal_does_not_use_it() {
    let gate = gate();
    let calls = Arc::new(AtomicUsize::new(0));
    let mut service = gate.require(read()).layer(Reluctant { asked: 0, calls: Arc::clone(&calls) });
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_pending());
    assert!(service.poll_ready(&mut cx).is_ready());
    let refused = pin!(service.call(Request::new(())));
    let Poll::Ready(Ok(answer)) = refused.poll(&mut cx) else { panic!("a refusal waits for nothing") };
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    // Still ready: nobody used it.
    assert!(pin!(service.call(request(&gate, "/"))).poll(&mut cx).is_ready());
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
#[should_panic(expected = "polled after completion")]
fn a_refusal_is_returned_once() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut service = gate().require(read()).layer(Reluctant { asked: 2, ..Reluctant::default() });
    let mut refused = pin!(service.call(Request::new(())));
    assert!(refused.as_mut().poll(&mut cx).is_ready());
    let _ = refused.poll(&mut cx);
}

#[tokio::test]
async fn a_closure_refuses_after_the_scopes_and_not_instead_of_them() {
    let gate = gate();
    let own = |_: &Permit, parts: &Parts| match parts.uri.path() {
        "/server" => Ok(()),
        _ => Err(Denial::refused("this belongs to another client")),
    };
    let layer = gate.require(read()).and(own);
    let status = async |request: Request<()>| {
        let service = layer.layer(Reluctant::default());
        service.oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(status(request(&gate, "/server")).await, 200);
    assert_eq!(status(request(&gate, "/other")).await, 403);
    assert_eq!(status(Request::get("/server").body(()).unwrap()).await, 401);
}

fn token_request(path: &str, secret: &str) -> Request<Full<Bytes>> {
    let form = format!("grant_type=client_credentials&client_id=server&client_secret={secret}");
    let form_type = "application/x-www-form-urlencoded";
    Request::post(path).header(header::CONTENT_TYPE, form_type).body(Full::from(form)).unwrap()
}

#[tokio::test]
async fn endpoints_answer_at_their_paths_and_nested() {
    let gate = gate();
    let status = async |service: super::OAuthService, path: &str| {
        service.oneshot(token_request(path, "Password1")).await.unwrap().status().as_u16()
    };
    assert_eq!(status(gate.oauth_service(), "/oauth/v2/oauth-token").await, 200);
    assert_eq!(status(gate.oauth_service(), "/oauth-token").await, 404);
    for prefix in ["/oauth/v2", "/oauth/v2/"] {
        assert_eq!(status(gate.oauth_service().nested_at(prefix), "/oauth-token").await, 200, "{prefix}");
    }
    assert_eq!(status(gate.oauth_service().nested_at("/oauth/v2"), "/oauth/v2/oauth-token").await, 404);
}

#[tokio::test]
async fn metadata_documents_are_answered_below_a_prefix_and_at_their_own_paths() {
    let spec = GateSpec { issuer: "https://a.example/tenant/".to_owned(), ..spec("Password1") };
    let gate = Gate::builder(spec).hashing_threads(1).build().unwrap();
    let oauth = gate.oauth_service();
    let paths = oauth.paths();
    let documents: Vec<&String> = paths.iter().filter(|path| path.starts_with("/.well-known/")).collect();
    assert_eq!((paths.len(), documents.len()), (7, 4), "{paths:?}");
    for service in [oauth.clone(), oauth.clone().nested_at("/oauth/v2")] {
        for path in &documents {
            let request = Request::get(path.as_str()).body(Full::<Bytes>::default()).unwrap();
            let answer = service.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            let json: serde_json::Value =
                serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
            assert!(json["issuer"].is_string() || json["resource"].is_string(), "{path}: {json}");
        }
    }
}

#[tokio::test]
async fn failures_count_against_the_address_that_the_program_finds() {
    let gate = gate();
    // The name of the header is the closure's own.
    let name = String::from("x-peer");
    let by_header = move |parts: &Parts| parts.headers.get(&name)?.to_str().ok()?.parse().ok();
    let service = gate.oauth_service().address_by(by_header);
    let attempt = async |peer: &'static str| {
        let mut request = token_request("/oauth/v2/oauth-token", "wrong");
        request.headers_mut().insert("x-peer", peer.parse().unwrap());
        service.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    for _ in 0..10 {
        assert_eq!(attempt("192.0.2.1").await, 401);
    }
    assert_eq!(attempt("192.0.2.1").await, 429);
    assert_eq!(attempt("192.0.2.2").await, 401, "another address is not made to wait");
}

#[tokio::test]
async fn a_body_too_long_is_refused_however_long_it_says_it_is() {
    let gate = gate();
    let chunks = || (0..20).map(|_| Ok::<_, Infallible>(Bytes::from(vec![b'a'; 1024])));
    let whole = Full::from(chunks().flatten().flatten().collect::<Bytes>()).boxed();
    // Without a length, as a chunked body comes.
    let streamed = Unannounced(chunks().flatten().collect()).boxed();
    for body in [whole, streamed] {
        let (parts, _) = token_request("/oauth/v2/oauth-token", "").into_parts();
        let answer = gate.oauth_service().oneshot(Request::from_parts(parts, body)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_refused_after_the_timeout() {
    let clock = Arc::new(ManualClock::default());
    let builder = Gate::builder(spec("Password1")).clock(Arc::<ManualClock>::clone(&clock));
    let gate = builder.hashing_threads(1).build().unwrap();
    let limit = Duration::from_secs(5);
    let (parts, _) = token_request("/oauth/v2/oauth-token", "").into_parts();
    let mut service = gate.oauth_service().body_timeout(limit);
    let mut asked = pin!(service.call(Request::from_parts(parts, Never)));
    let mut cx = Context::from_waker(Waker::noop());
    clock.advance(limit - Duration::from_millis(1));
    assert!(asked.as_mut().poll(&mut cx).is_pending(), "the time begins with the reading");
    clock.advance(limit - Duration::from_millis(1));
    assert!(asked.as_mut().poll(&mut cx).is_pending());
    clock.advance(Duration::from_millis(1));
    assert_eq!(asked.await.unwrap().status(), StatusCode::REQUEST_TIMEOUT);
}

struct Never;

impl http_body::Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// A body and an error that a program defines. They are neither `Clone` nor `Send` nor `Default`.
struct Own<T>(T, std::marker::PhantomData<*const ()>);

#[derive(Debug, PartialEq)]
struct OutOfOrder;

/// A service that is not ready, or that answers when its sender does. It reports when its future is dropped.
/// Its clones share the answers.
#[derive(Clone)]
struct Slow {
    broken: bool,
    answers: Arc<std::sync::Mutex<Vec<tokio::sync::oneshot::Receiver<()>>>>,
}

impl Slow {
    fn new(broken: bool, answers: Vec<tokio::sync::oneshot::Receiver<()>>) -> Self {
        Self { broken, answers: Arc::new(answers.into()) }
    }
}

impl Service<Request<Own<u8>>> for Slow {
    type Response = Response<Own<u8>>;
    type Error = OutOfOrder;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Own<u8>>, OutOfOrder>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OutOfOrder>> {
        Poll::Ready(if self.broken { Err(OutOfOrder) } else { Ok(()) })
    }

    fn call(&mut self, request: Request<Own<u8>>) -> Self::Future {
        let answer = self.answers.lock().unwrap().pop().expect("no call too many");
        Box::pin(async move {
            answer.await.map_err(|_| OutOfOrder)?;
            assert!(request.extensions().get::<Permit>().is_some());
            Ok(Response::new(request.into_body()))
        })
    }
}

fn own_request(gate: &Gate, body: u8) -> Request<Own<u8>> {
    request(gate, "/").map(|()| Own(body, std::marker::PhantomData))
}

#[test]
fn any_body_and_any_error_pass_unchanged() {
    let gate = gate();
    let (answer, first) = tokio::sync::oneshot::channel();
    let (_, broken) = tokio::sync::oneshot::channel();
    let layer = gate.require(read());
    let mut service = layer.layer(Slow::new(false, vec![broken, first]));
    let mut cx = Context::from_waker(Waker::noop());
    let mut good = pin!(service.call(own_request(&gate, 7)));
    assert!(good.as_mut().poll(&mut cx).is_pending());
    answer.send(()).unwrap();
    assert!(matches!(good.poll(&mut cx), Poll::Ready(Ok(answer)) if answer.status() == 200));
    let bad = pin!(service.call(own_request(&gate, 7)));
    assert!(matches!(bad.poll(&mut cx), Poll::Ready(Err(OutOfOrder))));
    let mut never_ready = layer.layer(Slow::new(true, Vec::new()));
    assert_eq!(never_ready.poll_ready(&mut cx), Poll::Ready(Err(OutOfOrder)));
}

#[test]
fn dropping_a_request_drops_the_inner_services_work_and_nothing_else() {
    let gate = gate();
    let (given_up, first) = tokio::sync::oneshot::channel::<()>();
    let (answer, second) = tokio::sync::oneshot::channel();
    let mut service = gate.require(read()).layer(Slow::new(false, vec![second, first]));
    let mut cx = Context::from_waker(Waker::noop());
    let mut future = Box::pin(service.call(own_request(&gate, 1)));
    assert!(future.as_mut().poll(&mut cx).is_pending() && !given_up.is_closed());
    drop(future);
    assert!(given_up.is_closed(), "the inner future is dropped with it");
    // Dropped before it was polled at all: refused or not, nothing has begun that would have to end.
    drop(service.call(Request::new(Own(1, std::marker::PhantomData))));
    answer.send(()).unwrap();
    let next = pin!(service.call(own_request(&gate, 2)));
    assert!(matches!(next.poll(&mut cx), Poll::Ready(Ok(_))));
}

#[test]
fn a_clone_is_one_reference_whatever_the_closure_holds() {
    struct Heavy([u8; 4096]);
    let gate = gate();
    let heavy = Heavy([1; 4096]);
    let layer = gate.require(read()).and(move |_: &Permit, _: &Parts| match heavy.0[0] {
        1 => Ok(()),
        _ => Err(Denial::refused("no")),
    });
    let service = layer.clone().grpc().layer(()).clone();
    assert!(size_of_val(&layer) <= 2 * size_of::<usize>());
    assert!(size_of_val(&service) <= 2 * size_of::<usize>());
}

struct Unannounced(std::collections::VecDeque<Bytes>);

impl http_body::Body for Unannounced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|data| Ok(http_body::Frame::data(data))))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_under_traffic_refuses_no_good_token() {
    let gate = gate();
    let ready = Reluctant::default();
    let service = gate.require(read()).layer(ready);
    let traffic: Vec<_> = (0..4)
        .map(|_| {
            let (gate, service) = (gate.clone(), service.clone());
            tokio::spawn(async move {
                for _ in 0..200 {
                    let answer = service.clone().ready().await.unwrap().call(request(&gate, "/")).await;
                    assert_eq!(answer.unwrap().status(), StatusCode::OK);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let next = spec("Password2");
    while !traffic.iter().all(tokio::task::JoinHandle::is_finished) {
        gate.reload(next.clone());
        tokio::task::yield_now().await;
    }
    for task in traffic {
        task.await.unwrap();
    }
}
