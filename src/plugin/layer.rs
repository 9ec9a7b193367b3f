use std::fmt;

use http::request::Parts;
use tower_layer::Layer;

use crate::gate::Gate;
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::{self, IntoDemand, Requirement, ScopeError};
use crate::plugin::condition::{ScopesOnly, With, WithAsync};
use crate::plugin::guard::Guard;
use crate::plugin::local::Local;
use crate::plugin::service::RequireToken;

/// Passes requests on to the inner service only with a valid token. Made by [`Gate::require`].
///
/// `A` is the source of the decisions: [`Local`], or `Remote` with the feature `remote`.
pub struct RequireTokenLayer<A = Local> {
    guard: Guard<A>,
}

impl Gate {
    /// Makes a layer that requires a token with some scopes.
    ///
    /// The scopes are a string, or an array, slice or vector of strings; the token must have all of them. For
    /// other demands, pass a [`Requirement`] or a [`Demand`](crate::Demand).
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use http::{Request, Response};
    /// use tollgate::{ClientSpec, Gate, GateSpec, Permit};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = ClientSpec::with_id("server")?.scopes("read")?;
    /// let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// let service = gate.require("read").layer(service_fn(async |request: Request<String>| {
    ///     let client = request.extensions().get::<Permit>().and_then(Permit::client_id).map(str::to_owned);
    ///     Ok::<_, Infallible>(Response::new(client.unwrap_or_default()))
    /// }));
    ///
    /// let bearer = format!("Bearer {}", gate.issue_to("server", "read")?.expose());
    /// let request = Request::builder().header("authorization", bearer).body(String::new())?;
    /// assert_eq!(service.clone().oneshot(request).await?.status(), 200);
    /// assert_eq!(service.oneshot(Request::new(String::new())).await?.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// If a scope is not allowed by RFC 6749 §3.3, or the list is empty. Layers are made at start-up from
    /// literals, so this is a bug of the program. [`Gate::try_require`] is for scopes that are read from
    /// somewhere.
    #[must_use]
    #[track_caller]
    pub fn require(&self, demand: impl IntoDemand) -> RequireTokenLayer {
        let local = Local { gate: self.clone(), condition: ScopesOnly };
        RequireTokenLayer::new(Guard::new(local, scope::expect_valid(demand)))
    }

    /// Makes a layer that requires a token with some scopes, like [`Gate::require`].
    ///
    /// ```
    /// # use tollgate::{Gate, GateSpec};
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// assert!(gate.try_require("read write").is_ok());
    /// assert!(gate.try_require("read\twrite").is_err());
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    ///
    /// # Errors
    /// A [`ScopeError`] if a scope is not allowed by RFC 6749 §3.3, or the list is empty.
    pub fn try_require(&self, demand: impl IntoDemand) -> Result<RequireTokenLayer, ScopeError> {
        Ok(self.require(demand.into_demand()?))
    }

    /// Makes a layer that requires any valid token, and a closure that accepts the request.
    ///
    /// The closure sees the permit and the head of the request, and refuses with [`Denial::refused`] (403) or
    /// another denial. It runs on the request path, so it should answer from memory. If it has to wait for
    /// something, use [`RequireTokenLayer::and_async`].
    ///
    /// ```
    /// # use tollgate::{Gate, GateSpec};
    /// use http::request::Parts;
    /// use tollgate::{Denial, Permit};
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// // A client has access to the paths under its own name.
    /// let own = gate.require_with(|permit: &Permit, parts: &Parts| {
    ///     match (permit.client_id(), parts.uri.path().split('/').nth(1)) {
    ///         (Some(client), Some(owner)) if client == owner => Ok(()),
    ///         _ => Err(Denial::refused("this belongs to another client")),
    ///     }
    /// });
    /// # let _ = own;
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn require_with<F>(&self, condition: F) -> RequireTokenLayer<Local<With<F>>>
    where
        F: Fn(&Permit, &Parts) -> Result<(), Denial>,
    {
        self.require(Requirement::AnyToken).and(condition)
    }
}

impl RequireTokenLayer {
    /// Adds a closure that must accept the request too, after its token and scopes. See
    /// [`Gate::require_with`].
    ///
    /// ```
    /// # use tollgate::{Gate, GateSpec};
    /// use http::request::Parts;
    /// use tollgate::{Denial, Permit};
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let layer = gate.require("read").and(|permit: &Permit, parts: &Parts| match parts.uri.query() {
    ///     None => Ok(()),
    ///     Some(_) => Err(Denial::refused(format!("{:?} must not send a query", permit.client_id()))),
    /// });
    /// # drop(layer);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn and<F>(self, condition: F) -> RequireTokenLayer<Local<With<F>>>
    where
        F: Fn(&Permit, &Parts) -> Result<(), Denial>,
    {
        self.map(|local| Local { gate: local.gate, condition: With(condition) })
    }

    /// Adds a closure whose future must accept the request too, after its token and scopes: for a condition
    /// that has to wait, for example for a database. It gets a copy of the request's head.
    ///
    /// The inner service must be `Clone`: the one that was polled ready waits for the future together with
    /// the request, and is dropped with a refusal.
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use tollgate::{ClientSpec, Gate, GateSpec};
    /// use http::{Request, Response, request::Parts};
    /// use tollgate::{Denial, Permit};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// async fn owns(client: &str, path: &str) -> bool {
    ///     tokio::task::yield_now().await; // ask a database
    ///     path.starts_with(&format!("/{client}/"))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = ClientSpec::with_id("server")?.scopes("read")?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// # let inner = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let layer = gate.require("read").and_async(|permit: Permit, parts: Parts| async move {
    ///     match owns(permit.client_id().unwrap_or_default(), parts.uri.path()).await {
    ///         true => Ok(()),
    ///         false => Err(Denial::refused("this belongs to another client")),
    ///     }
    /// });
    /// # let token = gate.issue_to("server", "read")?;
    /// # let ask = |path| Request::get(path).header("authorization", format!("Bearer {}", token.expose()));
    /// let service = layer.layer(inner);
    /// assert_eq!(service.clone().oneshot(ask("/server/orders").body(String::new())?).await?.status(), 200);
    /// assert_eq!(service.oneshot(ask("/other/orders").body(String::new())?).await?.status(), 403);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn and_async<F, Fut>(self, condition: F) -> RequireTokenLayer<Local<WithAsync<F>>>
    where
        F: Fn(Permit, Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Denial>> + Send + 'static,
    {
        self.map(|local| Local { gate: local.gate, condition: WithAsync(condition) })
    }
}

impl<A> RequireTokenLayer<A> {
    pub(super) fn new(guard: Guard<A>) -> Self {
        Self { guard }
    }

    /// Replaces the source of the decisions.
    pub(super) fn map<B>(self, map: impl FnOnce(A) -> B) -> RequireTokenLayer<B>
    where
        A: Clone,
    {
        RequireTokenLayer { guard: self.guard.map(map) }
    }

    /// Makes the layer refuse in the form of gRPC: UNAUTHENTICATED, PERMISSION_DENIED or UNAVAILABLE in
    /// `grpc-status`, with HTTP status 200. This is for services that only speak gRPC.
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use tollgate::{Gate, GateSpec};
    /// use http::{Request, Response};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// # let inner = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let service = gate.require("read").grpc().layer(inner);
    /// let answer = service.oneshot(Request::new(String::new())).await?;
    /// assert_eq!((answer.status().as_u16(), &answer.headers()["grpc-status"]), (200, &"16".parse()?));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn grpc(self) -> Self {
        Self { guard: self.guard.grpc() }
    }
}

impl<S, A> Layer<S> for RequireTokenLayer<A> {
    type Service = RequireToken<S, A>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireToken::new(inner, self.guard.clone())
    }
}

impl<A> Clone for RequireTokenLayer<A> {
    fn clone(&self) -> Self {
        Self { guard: self.guard.clone() }
    }
}

impl<A> fmt::Debug for RequireTokenLayer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireTokenLayer").field("guard", &self.guard).finish()
    }
}
