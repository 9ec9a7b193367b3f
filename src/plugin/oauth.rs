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

use crate::gate::{Endpoint, FormBody, Gate, Origin};
use crate::oauth::endpoints::MAX_BODY;
use crate::plugin::evidence::ClientCertificate;
use crate::response;

/// The token, introspection, revocation and metadata endpoints as one service. Made by
/// [`Gate::oauth_service`].
///
/// [`OAuthService::paths`] lists the paths that it answers, for a router; any other path is 404. It reads at
/// most 16 KiB of a body, for at most 30 s (see [`OAuthService::body_timeout`]).
///
/// Failed authentications are throttled by the client's address. The service finds it with
/// [`OAuthService::address_by`], or as a [`SocketAddr`] in the request's extensions. Without an address, the
/// failures of all clients count together, so set one. Mutual TLS needs a [`ClientCertificate`] in the
/// extensions.
///
/// ```
/// # use tollgate::{ClientSpec, Gate, GateSpec};
/// use std::net::IpAddr;
/// use http::{Request, header};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes("read")?;
/// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
/// let request = Request::post("/oauth/v2/oauth-token")
///     .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
///     .extension(IpAddr::from([192, 0, 2, 1]))
///     .body("grant_type=client_credentials&client_id=server&client_secret=Password1".to_owned())?;
/// // Where a request comes from is known to the server: here, the server has put it into the extensions.
/// let endpoints = gate.oauth_service().address_by(|parts| parts.extensions.get().copied());
/// assert_eq!(endpoints.oneshot(request).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct OAuthService {
    gate: Gate,
    nested_at: Option<Arc<str>>,
    address: Arc<FindAddress>,
    body_timeout: Duration,
}

type FindAddress = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// The default, as in the gateway.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

impl Gate {
    /// Makes a service that answers the token, introspection, revocation and metadata endpoints at their
    /// paths.
    #[must_use]
    pub fn oauth_service(&self) -> OAuthService {
        OAuthService {
            gate: self.clone(),
            nested_at: None,
            address: Arc::new(socket_address),
            body_timeout: BODY_TIMEOUT,
        }
    }
}

fn socket_address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<SocketAddr>().map(SocketAddr::ip)
}

impl OAuthService {
    /// Lists the paths that the service answers: the endpoints, as the settings have them at the moment, and
    /// the metadata documents. A router that has a route for each of them needs no nesting.
    ///
    /// ```
    /// # use tollgate::{Gate, GateSpec};
    /// # use axum::Router;
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let oauth = gate.oauth_service();
    /// let paths = oauth.paths();
    /// assert!(paths.iter().any(|path| path == "/oauth/v2/oauth-token"));
    /// assert!(paths.iter().any(|path| path == "/.well-known/oauth-authorization-server"));
    /// let app: Router =
    ///     paths.iter().fold(Router::new(), |app, path| app.route_service(path, oauth.clone()));
    /// # drop(app);
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.gate.endpoint_paths()
    }

    /// Sets the prefix that a router removes from the paths of this service, because the service is nested in
    /// it.
    ///
    /// The paths of the metadata documents are fixed and usually outside of the prefix. Mount the same
    /// service at `/.well-known/oauth-authorization-server` and `/.well-known/oauth-protected-resource` too;
    /// it answers them there.
    ///
    /// ```
    /// # use tollgate::{Gate, GateSpec};
    /// use http::Request;
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let nested = gate.oauth_service().nested_at("/oauth/v2");
    /// // The path as the router passes it on. The answer is 400, because the request is empty.
    /// let request = Request::post("/oauth-token").body(String::new())?;
    /// assert_eq!(nested.clone().oneshot(request).await?.status(), 400);
    /// let request = Request::get("/.well-known/oauth-protected-resource").body(String::new())?;
    /// assert_eq!(nested.oneshot(request).await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn nested_at(mut self, prefix: &str) -> Self {
        self.nested_at = Some(prefix.trim_end_matches('/').into());
        self
    }

    /// Sets how to find the address of a request's client: for example in axum's `ConnectInfo`, or in a
    /// header that a trusted proxy sets (see [`forwarded_address`](crate::gate::forwarded_address)).
    ///
    /// ```
    /// # use tollgate::{Gate, GateSpec};
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
    pub fn address_by(mut self, find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.address = Arc::new(find);
        self
    }

    /// Sets how long the whole body of a request may take. The default is 30 s; after it the answer is 408.
    /// The time is measured on the gate's clock, to within a quarter of a second. It works in any runtime,
    /// because no timer is used.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use tollgate::{Gate, GateSpec};
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
        let Some(prefix) = &self.nested_at else { return self.gate.endpoint(path) };
        let document = || self.gate.endpoint(path).filter(|endpoint| endpoint.is_document());
        self.gate.endpoint(&format!("{prefix}{path}")).or_else(document)
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
        // Off the hot path: a client comes here once in a token's lifetime.
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

/// Reads a body, up to the size that an endpoint accepts.
pub(crate) async fn read_form<B>(body: B) -> FormBody
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // A body that announces too large a size is refused unread.
    if body.size_hint().lower() > MAX_BODY as u64 {
        return FormBody::TooLarge;
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => FormBody::Whole(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => FormBody::TooLarge,
        Err(_) => FormBody::Broken,
    }
}

/// The answer of an [`OAuthService`].
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
