use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Response};
use http_body_util::Full;
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;

use super::connection::Connection;
use super::rule::Rule;
use super::session::{answer_endpoint, settle, whole};
use crate::response;

/// A pingora HTTP app behind the gate. Made by [`PingoraModule::around`](super::PingoraModule::around).
///
/// The app finds the client in `X-Client-Id` and `X-Client-Scope`, as an upstream would. The connection is seen without
/// further ado; with `with_endpoints` the gate's endpoints are answered here.
#[derive(Clone)]
pub struct RequireTokenApp<A> {
    pub(super) app: A,
    pub(super) rule: Rule,
}

#[async_trait]
impl<A: ServeHttp + Send + Sync> ServeHttp for RequireTokenApp<A> {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let gate = &self.rule.gate;
        let endpoint = gate.endpoint(session.req_header().uri.path()).filter(|_| self.rule.endpoints);
        let answer = match endpoint {
            Some(endpoint) => match answer_endpoint(gate, endpoint, session).await {
                Ok(answer) => answer,
                // The client is gone: whatever is said, nobody hears it.
                Err(_) => response::problem(http::StatusCode::BAD_REQUEST, "the request broke off"),
            },
            None => {
                let connection = Connection::of(session);
                match self.rule.admit(session.req_header_mut(), &connection) {
                    Ok(_) => return self.app.response(session).await,
                    Err(denial) => {
                        settle(session).await;
                        gate.refuse(&denial)
                    }
                }
            }
        };
        written_out(answer, session.req_header().method == Method::HEAD).await
    }
}

async fn written_out(answer: Response<Full<Bytes>>, head_only: bool) -> Response<Vec<u8>> {
    let (mut parts, body) = answer.into_parts();
    let body = whole(body).await;
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, if head_only { Vec::new() } else { body.to_vec() })
}

impl<A: fmt::Debug> fmt::Debug for RequireTokenApp<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireTokenApp").field("app", &self.app).finish_non_exhaustive()
    }
}
