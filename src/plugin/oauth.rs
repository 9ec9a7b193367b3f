use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tower_service::Service;

use super::evidence::ClientCertificate;
use crate::gate::{Endpoint, FormBody, Gate, Origin};
use crate::oauth::endpoints::MAX_BODY;
use crate::response;

/// The token, introspection, revocation and metadata endpoints as one service. Made by [`Gate::oauth_service`].
///
/// Any other path is 404. Bodies are read up to 16 KiB and for up to 30 s (see [`OAuthService::body_timeout`]).
///
/// Failed authentications are throttled by address, so tell it the client's: by [`OAuthService::address_by`], or as
/// a [`SocketAddr`] in the request's extensions. Without one, those of all clients count against one address together.
/// Mutual TLS goes by a [`ClientCertificate`] there.
///
/// ```
/// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
/// use http::{Request, header};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes(["read"])?;
/// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
/// let request = Request::post("/oauth/v2/oauth-token")
///     .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
///     .body("grant_type=client_credentials&client_id=server&client_secret=Password1".to_owned())?;
/// assert_eq!(gate.oauth_service().oneshot(request).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct OAuthService {
    gate: Gate,
    nested_at: Option<Arc<str>>,
    address: fn(&Parts) -> Option<IpAddr>,
    body_timeout: Duration,
}

/// As in the gateway.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

impl Gate {
    /// A service that answers the OAuth endpoints at their configured paths.
    #[must_use]
    pub fn oauth_service(&self) -> OAuthService {
        OAuthService {
            gate: self.clone(),
            nested_at: None,
            address: socket_address,
            body_timeout: BODY_TIMEOUT,
        }
    }
}

fn socket_address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<SocketAddr>().map(SocketAddr::ip)
}

impl OAuthService {
    /// For a router that takes a prefix off the paths of what is nested in it: what it takes off. The metadata
    /// documents, whose paths are fixed, are then not here.
    ///
    /// ```
    /// # use tollgate::gate::{Gate, GateSpec};
    /// use http::Request;
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let nested = gate.oauth_service().nested_at("/oauth/v2");
    /// let seen_by_it = Request::post("/oauth-token").body(String::new())?;
    /// assert_eq!(nested.oneshot(seen_by_it).await?.status(), 400, "found, and asked nothing");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn nested_at(mut self, prefix: &str) -> Self {
        self.nested_at = Some(prefix.trim_end_matches('/').into());
        self
    }

    /// How to find the address of a request's client, such as axum's `ConnectInfo` in its extensions, or a header that
    /// a trusted proxy sets.
    ///
    /// ```
    /// # use tollgate::gate::{Gate, GateSpec};
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let endpoints = gate.oauth_service().address_by(|parts| {
    ///     parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
    /// });
    /// # drop(endpoints);
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn address_by(mut self, find: fn(&Parts) -> Option<IpAddr>) -> Self {
        self.address = find;
        self
    }

    /// How long the whole body of a request may take, 30 s unless set; then the answer is 408. Measured on the gate's clock
    /// and to within a quarter of a second, and in any runtime: no timer of it is used.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use tollgate::gate::{Gate, GateSpec};
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let endpoints = gate.oauth_service().body_timeout(Duration::from_secs(5));
    /// # drop(endpoints);
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn body_timeout(mut self, limit: Duration) -> Self {
        self.body_timeout = limit;
        self
    }

    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        match &self.nested_at {
            None => self.gate.endpoint(path),
            Some(prefix) => self.gate.endpoint(&format!("{prefix}{path}")),
        }
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
        let service = self.clone();
        // Off the hot path: a client comes here once a token's life.
        OAuthFuture(Box::pin(async move {
            let Some(endpoint) = service.endpoint(request.uri().path()) else {
                return response::problem(StatusCode::NOT_FOUND, "there is no OAuth endpoint at this path");
            };
            let (parts, body) = request.into_parts();
            let origin = Origin {
                address: (service.address)(&parts),
                certificate: ClientCertificate::of(&parts.extensions),
                https: Some(service.gate.is_public_by_https()),
            };
            let body = if endpoint.reads_body() {
                let read = service.gate.within(service.body_timeout, read_form(body)).await;
                read.unwrap_or(FormBody::TooSlow)
            } else {
                FormBody::Whole(Bytes::new())
            };
            service.gate.answer(endpoint, &parts, body, origin).await
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
