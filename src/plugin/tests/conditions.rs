//! Asynchronous conditions.

use super::*;

/// Counts the calls, and checks that the called service was polled ready.
#[derive(Default)]
struct Ready {
    is_ready: bool,
    calls: Arc<AtomicUsize>,
}

/// A clone is not ready, as with a service that reserves a place when it is polled.
impl Clone for Ready {
    fn clone(&self) -> Self {
        Self { is_ready: false, calls: Arc::clone(&self.calls) }
    }
}

impl Service<Request<()>> for Ready {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without being ready");
        assert!(request.extensions().get::<Permit>().is_some());
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Response::new(String::new())))
    }
}

#[tokio::test]
async fn a_condition_that_waits_decides_before_the_service_is_called() {
    let gate = gate();
    let (decide, decision) = tokio::sync::watch::channel(None);
    let condition = move |permit: Permit, parts: Parts| {
        let mut decision = decision.clone();
        async move {
            assert_eq!((permit.client_id(), parts.uri.path()), (Some("server"), "/orders"));
            let decided = decision.wait_for(Option::is_some).await.unwrap().unwrap_or_default();
            if decided { Ok(()) } else { Err(Denial::refused("not now")) }
        }
    };
    let inner = Ready::default();
    let calls = Arc::clone(&inner.calls);
    let mut service = gate.require(read()).and_async(condition).layer(inner);
    let mut cx = Context::from_waker(Waker::noop());

    assert!(service.poll_ready(&mut cx).is_ready());
    let mut waiting = pin!(service.call(request(&gate, "/orders")));
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    decide.send_replace(Some(true));
    assert_eq!(waiting.await.unwrap().status(), StatusCode::OK);
    assert_eq!(calls.load(Ordering::Relaxed), 1);

    decide.send_replace(Some(false));
    let answer = service.ready().await.unwrap().call(request(&gate, "/orders")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(answer.extensions().get::<Denial>().map(Denial::description), Some("not now"));
    // The condition runs only for a valid token with the scope.
    let refused = service.ready().await.unwrap().call(Request::new(())).await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}
