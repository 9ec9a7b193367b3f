use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Response};
use http_body_util::Full;
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;

use crate::oauth::denial::Denial;
use crate::plugin::pingora::connection::Connection;
use crate::plugin::pingora::module::PingoraModule;
use crate::plugin::pingora::rule::Rule;
use crate::plugin::pingora::session::{answer_endpoint, settle, whole};
use crate::response;

/// A pingora HTTP app behind the gate. Made by [`PingoraModule::around`](super::PingoraModule::around).
///
/// The app finds the client in `X-Client-Id` and `X-Client-Scope`, as an upstream would. It needs no
/// `note_connection`. With [`PingoraModule::with_endpoints`] it answers the gate's endpoints too.
#[derive(Clone)]
pub struct RequireTokenApp<A> {
    app: A,
    rule: Rule,
}

impl PingoraModule {
    /// Puts the same rule in front of an HTTP app. An app has no modules: its server drops the connection of
    /// a request that a module fails, without an answer.
    ///
    /// ```
    /// use async_trait::async_trait;
    /// use http::Response;
    /// use pingora::apps::http_app::{HttpServer, ServeHttp};
    /// use pingora::protocols::http::ServerSession;
    /// use tollgate::{Gate, GateSpec};
    ///
    /// struct Hello;
    ///
    /// #[async_trait]
    /// impl ServeHttp for Hello {
    ///     async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
    ///         let client = session.get_header_bytes("x-client-id");
    ///         Response::new([b"hello, ", client].concat())
    ///     }
    /// }
    ///
    /// let gate = Gate::builder(GateSpec::default()).build()?;
    /// let read = gate.pingora_module("read").with_endpoints();
    /// let app = HttpServer::new_app(read.around(Hello));
    /// # drop(app);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn around<A: ServeHttp>(self, app: A) -> RequireTokenApp<A> {
        RequireTokenApp { app, rule: self.rule }
    }
}

#[async_trait]
impl<A: ServeHttp + Send + Sync> ServeHttp for RequireTokenApp<A> {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let gate = &self.rule.gate;
        let endpoint = gate.endpoint(session.req_header().uri.path()).filter(|_| self.rule.endpoints);
        let answer = match endpoint {
            Some(endpoint) => match answer_endpoint(gate, endpoint, session).await {
                Ok(answer) => answer,
                // The client has disconnected, so this response is not delivered.
                Err(_) => response::problem(http::StatusCode::BAD_REQUEST, "the request broke off"),
            },
            None => {
                let connection = Connection::of(session);
                match self.rule.admit(session.req_header_mut(), &connection).await {
                    Ok(_) => return self.app.response(session).await,
                    Err(denial) => {
                        settle(session).await;
                        let mut refusal = gate.refuse(&denial);
                        refusal.extensions_mut().insert::<Denial>(denial);
                        refusal
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
