use std::fmt;

use http::request::Parts;
use tower_layer::Layer;

use super::condition::{ScopesOnly, With};
use super::guard::Guard;
use super::service::RequireToken;
use crate::gate::Gate;
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::{Demand, Requirement};

/// Lets requests through to the inner service only with a good token. Made by [`Gate::require`].
pub struct RequireTokenLayer<C = ScopesOnly> {
    guard: Guard<C>,
}

impl Gate {
    /// A layer that asks for a token before every request: with some scopes (a [`Requirement`]), or for one resource too
    /// (a [`Demand`]).
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use http::{Request, Response};
    /// use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// use tollgate::oauth::decide::Permit;
    /// use tollgate::oauth::scope::Requirement;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    /// let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// let service = gate.require(Requirement::all(["read"])?).layer(service_fn(async |request: Request<String>| {
    ///     let client = request.extensions().get::<Permit>().and_then(Permit::client_id).map(str::to_owned);
    ///     Ok::<_, Infallible>(Response::new(client.unwrap_or_default()))
    /// }));
    ///
    /// let token = gate.issue_to("server", ["read"])?;
    /// let bearer = format!("Bearer {}", token.expose());
    /// let request = Request::builder().header("authorization", bearer).body(String::new())?;
    /// assert_eq!(service.clone().oneshot(request).await?.status(), 200);
    /// assert_eq!(service.oneshot(Request::new(String::new())).await?.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn require(&self, demand: impl Into<Demand>) -> RequireTokenLayer {
        RequireTokenLayer { guard: Guard::new(self.clone(), demand.into()) }
    }

    /// A layer that asks for any good token, and a closure to agree. It sees the permit and the head of the request,
    /// and refuses with [`Denial::Refused`] (403) or another denial. It runs on the request path: let it answer from
    /// memory.
    ///
    /// ```
    /// # use tollgate::gate::{Gate, GateSpec};
    /// use http::request::Parts;
    /// use tollgate::oauth::decide::Permit;
    /// use tollgate::oauth::denial::Denial;
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// // A client may touch what is under its own name, nothing else.
    /// let own = gate.require_with(|permit: &Permit, parts: &Parts| {
    ///     match (permit.client_id(), parts.uri.path().split('/').nth(1)) {
    ///         (Some(client), Some(owner)) if client == owner => Ok(()),
    ///         _ => Err(Denial::Refused("this belongs to another client")),
    ///     }
    /// });
    /// # let _ = own;
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn require_with<F>(&self, condition: F) -> RequireTokenLayer<With<F>>
    where
        F: Fn(&Permit, &Parts) -> Result<(), Denial>,
    {
        self.require(Requirement::AnyToken).and(condition)
    }
}

impl RequireTokenLayer {
    /// Asks a closure too, once the token and its scopes are found good. See [`Gate::require_with`].
    ///
    /// ```
    /// # use tollgate::gate::{Gate, GateSpec};
    /// use http::request::Parts;
    /// use tollgate::oauth::decide::Permit;
    /// use tollgate::oauth::denial::Denial;
    /// use tollgate::oauth::scope::Requirement;
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let layer = gate.require(Requirement::all(["read"])?).and(|_: &Permit, parts: &Parts| match parts.uri.query() {
    ///     None => Ok(()),
    ///     Some(_) => Err(Denial::Refused("queries are for administrators")),
    /// });
    /// # drop(layer);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn and<F>(self, condition: F) -> RequireTokenLayer<With<F>>
    where
        F: Fn(&Permit, &Parts) -> Result<(), Denial>,
    {
        RequireTokenLayer { guard: self.guard.with(condition) }
    }
}

impl<C> RequireTokenLayer<C> {
    /// Refuses in the words of gRPC: UNAUTHENTICATED, PERMISSION_DENIED or UNAVAILABLE in `grpc-status`, under HTTP
    /// status 200. For services that speak nothing else.
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use tollgate::gate::{Gate, GateSpec};
    /// # use tollgate::oauth::scope::Requirement;
    /// use http::{Request, Response};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// # let inner = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let service = gate.require(Requirement::AnyToken).grpc().layer(inner);
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

impl<S, C> Layer<S> for RequireTokenLayer<C> {
    type Service = RequireToken<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireToken::new(inner, self.guard.clone())
    }
}

/// One count, whatever the closure is.
impl<C> Clone for RequireTokenLayer<C> {
    fn clone(&self) -> Self {
        Self { guard: self.guard.clone() }
    }
}

impl<C> fmt::Debug for RequireTokenLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireTokenLayer").field("guard", &self.guard).finish()
    }
}
