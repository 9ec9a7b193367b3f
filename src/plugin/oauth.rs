use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tower_service::Service;

use super::evidence::ClientCertificate;
use crate::answer;
use crate::gate::{FormBody, Gate, Origin};
use crate::oauth::endpoints::MAX_BODY;

/// The token, introspection, revocation and metadata endpoints as one service. Made by [`Gate::oauth_service`].
///
/// Any other path is 404. A [`SocketAddr`] in the request's extensions is taken as the client's address; without
/// one, failed authentications of all clients count against one address together. A [`ClientCertificate`] there is what
/// mutual TLS goes by.
#[derive(Clone)]
pub struct OAuthService {
    gate: Gate,
}

impl Gate {
    /// A service that answers the OAuth endpoints at their configured paths.
    #[must_use]
    pub fn oauth_service(&self) -> OAuthService {
        OAuthService { gate: self.clone() }
    }
}

impl<B> Service<Request<B>> for OAuthService
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = OAuthFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> OAuthFuture {
        let gate = self.gate.clone();
        // Off the hot path: a client comes here once a token's life.
        OAuthFuture(Box::pin(async move {
            let Some(endpoint) = gate.endpoint(request.uri().path()) else {
                return answer::problem(StatusCode::NOT_FOUND, "there is no OAuth endpoint at this path");
            };
            let (parts, body) = request.into_parts();
            let peer = parts.extensions.get::<SocketAddr>();
            let origin = Origin {
                address: peer.map(SocketAddr::ip),
                certificate: ClientCertificate::of(&parts.extensions),
                https: Some(gate.is_public_by_https()),
            };
            let body =
                if endpoint.reads_body() { read_form(body).await } else { FormBody::Whole(Bytes::new()) };
            gate.answer(endpoint, &parts, body, origin).await
        }))
    }
}

/// Reads a body of the size that an endpoint takes.
pub(crate) async fn read_form<B>(body: B) -> FormBody
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // What announces itself as too long is refused unread.
    if body.size_hint().lower() > MAX_BODY as u64 {
        return FormBody::TooLarge;
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => FormBody::Whole(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => FormBody::TooLarge,
        Err(_) => FormBody::Broken,
    }
}

/// An answer of the [`OAuthService`].
pub struct OAuthFuture(Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>);

impl Future for OAuthFuture {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for OAuthService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthService").finish_non_exhaustive()
    }
}

impl fmt::Debug for OAuthFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthFuture").finish_non_exhaustive()
    }
}
