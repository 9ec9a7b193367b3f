//! The cases of the benchmark, each a run over a batch of requests.

use std::convert::Infallible;
use std::future::{Future as _, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::{Request, Response, header};
use tollgate::oauth::{Requirement, Scopes};
use tower::{Layer as _, Service};

use crate::jwt::{self, Jwt};
use crate::naive::{Answer, Bare, NaiveLayer};
use crate::tokens::{Batch, Tokens};

/// One case.
pub(crate) struct Case<'a> {
    pub(crate) name: &'static str,
    /// The case that the ratio is computed against.
    pub(crate) against: usize,
    pub(crate) bar: Option<f64>,
    /// Runs over a batch and returns the time taken.
    pub(crate) run: Box<dyn FnMut(Batch) -> Duration + 'a>,
}

const BARE: usize = 0;
const NO_OP: usize = 2;
const LAYER: usize = 3;

pub(crate) fn all(tokens: &Tokens) -> Vec<Case<'_>> {
    let bare = Bare::of(tokens);
    let requirement = Requirement::All(Scopes::parse("read").expect("a scope"));
    let layer = tokens.gate.require(requirement.clone());
    let mut no_op = NoOp;
    let mut gated = layer.layer(NoOp);
    let mut naive = NaiveLayer::new(NoOp, tokens);
    let mut cases = vec![
        Case {
            name: "SHA-256 + dashmap get",
            against: BARE,
            bar: None,
            run: Box::new(move |batch| {
                // The credential is extracted beforehand: the bare lookup reads no header.
                let values: Vec<&[u8]> = batch
                    .requests
                    .iter()
                    .map(|r| &r.headers()[header::AUTHORIZATION].as_bytes()[7..])
                    .collect();
                timed(|| {
                    for token in &values {
                        assert!(black_box(bare.find(token)).is_some());
                    }
                })
            }),
        },
        Case {
            name: "header to Permit",
            against: BARE,
            bar: Some(1.15),
            run: Box::new(move |batch| {
                timed(|| {
                    for request in &batch.requests {
                        assert!(black_box(tokens.gate.authorize(request.headers(), &requirement)).is_ok());
                    }
                })
            }),
        },
        Case {
            name: "no-op service",
            against: NO_OP,
            bar: None,
            run: Box::new(move |batch| serve(&mut no_op, batch)),
        },
        Case {
            name: "layer over the no-op service",
            against: NO_OP,
            bar: None,
            run: Box::new(move |batch| serve(&mut gated, batch)),
        },
        Case {
            name: "naive layer over the no-op service",
            against: LAYER,
            bar: None,
            run: Box::new(move |batch| serve(&mut naive, batch)),
        },
    ];
    for (name, jwt) in [("jsonwebtoken HS256", Jwt::hs256()), ("jsonwebtoken ES256", Jwt::es256())] {
        let credential = jwt.credential();
        let run = move |batch: Batch| {
            let batch = batch.with_authorization(&credential);
            timed(|| {
                for request in &batch.requests {
                    assert!(black_box(jwt.verify(request.headers())).is_some_and(jwt::Claims::may_read));
                }
            })
        };
        cases.push(Case { name, against: 1, bar: None, run: Box::new(run) });
    }
    cases
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

/// Serves a batch. The time covers each request from the call to the drop of its response.
fn serve<S, B, E>(service: &mut S, batch: Batch) -> Duration
where
    S: Service<Request<()>, Response = Response<B>, Error = E>,
{
    let mut cx = Context::from_waker(Waker::noop());
    timed(|| {
        for request in batch.requests {
            assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
            let future = pin!(service.call(request));
            let Poll::Ready(Ok(answer)) = future.poll(&mut cx) else {
                panic!("the no-op service answers at once")
            };
            assert!(black_box(answer).status().is_success());
        }
    })
}

#[derive(Clone)]
struct NoOp;

impl Service<Request<()>> for NoOp {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Answer {
        black_box(&request);
        ready(Ok(Response::new(())))
    }
}
