//! The gate inside other servers.
//!
//! ```text
//!                    your program
//!  request ──▶ router ─┬─▶ Gate::oauth_service      token, introspection, revocation, metadata: answered here
//!                      │
//!                      └─▶ Gate::require("read") ─▶ your service, with a Permit in the request's extensions
//!                            │
//!                            └─▶ 400 / 401 / 403 / 503, and your service is not called
//! ```
//!
//! Both are made from one [`Gate`](crate::Gate), which issues tokens and checks them in this process. Nothing
//! else is called for a decision, and a revoked token is refused on the next request. A clone of a gate, a
//! layer or a service is a shared reference.
//!
//! # A gate
//!
//! In code, or from a gateway.toml with the feature `config`: `Gate::from_file("gateway.toml")?`.
//!
//! ```
//! use tollgate::{ClientSpec, Gate, GateSpec};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes(["read", "write"])?;
//! let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
//! # drop(gate);
//! # Ok(())
//! # }
//! ```
//!
//! [`Gate::reload`](crate::Gate::reload) swaps clients and scopes under traffic.
//! [`GateBuilder::store`](crate::gate::GateBuilder::store) and
//! [`GateBuilder::clock`](crate::gate::GateBuilder::clock) take your own store and clock, such as a
//! [`ManualClock`](crate::clock::ManualClock) in tests.
//!
//! # hyper and tower
//!
//! [`Gate::require`](crate::Gate::require) makes a `tower::Layer` for every
//! `Service<Request<B>, Response = Response<R>>`, with any bodies and any error. `examples/hyper_bare.rs` is
//! a complete server.
//!
//! ```
//! # use std::convert::Infallible;
//! # use http::{Request, Response};
//! # use tollgate::{Gate, GateSpec};
//! # let gate = Gate::builder(GateSpec::default()).build()?;
//! # let list = tower::service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
//! use tower::ServiceBuilder;
//!
//! let orders = ServiceBuilder::new().layer(gate.require("read")).service(list);
//! # let _ = orders;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Conditions other than scopes are closures over the permit and the head of the request:
//! [`RequireTokenLayer::and`] and [`Gate::require_with`](crate::Gate::require_with), or
//! [`RequireTokenLayer::and_async`] if they have to wait.
//!
//! # axum
//!
//! With the feature `axum`, a handler takes the [`Permit`](crate::Permit) as an argument; `Option<Permit>` is
//! for handlers that run with and without the layer. `examples/axum_two_scopes.rs` is a complete server.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! # use axum::{Router, routing::get};
//! # use tollgate::{Gate, GateSpec, Permit};
//! # let gate = Gate::builder(GateSpec::default()).build().unwrap();
//! async fn hello(permit: Permit) -> String {
//!     format!("hello, {}", permit.client_id().unwrap_or("nobody"))
//! }
//! let oauth = gate.oauth_service();
//! let app: Router = Router::new().route("/hello", get(hello)).layer(gate.require("read"));
//! // `layer` covers the routes before it, so the endpoints and the metadata documents stay open.
//! let app = oauth.paths().iter().fold(app, |app, path| app.route_service(path, oauth.clone()));
//! # drop(app);
//! # }
//! ```
//!
//! # tonic
//!
//! Refusals become UNAUTHENTICATED, PERMISSION_DENIED or UNAVAILABLE. With the feature `tonic`, a service
//! behind the layer keeps its name, so that each service of a server can have its own scopes.
//! `examples/tonic_grpc.rs` has a server and a client.
//!
//! ```
//! # use tollgate::{Gate, GateSpec};
//! # let gate = Gate::builder(GateSpec::default()).build()?;
//! use tonic::transport::Server;
//!
//! let server = Server::builder().layer(gate.require("read").grpc());
//! # drop(server);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # pingora
//!
//! With the feature `pingora`: a module for proxies and a wrapper for HTTP apps. See the module `pingora` and
//! `examples/pingora_proxy.rs`.
//!
//! # Verification only
//!
//! A service in another process than the gateway, or than the gate that issues the tokens, uses the same
//! layer with the feature `remote`. `Gate::remote` asks the introspection endpoint (RFC 7662) about each
//! token, through a bounded cache if it is given a staleness. It fails closed: without an answer, the request
//! is answered with 503.
//!
//! ```
//! # #[cfg(feature = "remote")] {
//! # use std::convert::Infallible;
//! # use http::{Request, Response};
//! # let orders = tower::service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
//! use tollgate::Gate;
//! use tollgate::gate::Credentials;
//! use tower::Layer;
//!
//! // A client of the gateway with capabilities = ["introspection"].
//! let credentials = Credentials::new("orders-api", std::env::var("ORDERS_API_SECRET").unwrap_or_default());
//! let gate = Gate::remote("https://gateway.example.com/oauth/v2/oauth-introspect", credentials).build().unwrap();
//! let orders = gate.require("read").layer(orders);
//! # let _ = orders;
//! # }
//! ```
//!
//! # When something fails
//!
//! | what | answer |
//! |---|---|
//! | no `Authorization` header, another scheme | 401, a challenge without an error code |
//! | malformed, repeated | 400 `invalid_request` |
//! | token unknown, expired or revoked; client disabled or removed | 401 `invalid_token` |
//! | a scope is missing; a closure refuses | 403 `insufficient_scope` |
//! | the store cannot answer; the introspection endpoint gives no answer | 503, never let through |
//! | a handler takes a `Permit` on a route without a layer | 500: a bug of the program |
//! | hashing is busy, a token limit is reached | 503 `temporarily_unavailable` at the token endpoint; other requests are unaffected |
//!
//! - *The reason of a refusal* is in the extensions of its response, as a [`Denial`](crate::Denial):
//!   middleware around the layer can log it.
//! - *A decision is made once*, at the beginning of a request. A long stream asks
//!   [`Gate::still_permits`](crate::Gate::still_permits) from time to time.
//! - *Tokens live in this process.* A restart forgets them, and two processes do not share them unless they
//!   share a store. Clients get a new token on 401, as the text of the answer tells them.
//! - *The path is yours.* The layer decides for the service that it wraps, for every path. The router around
//!   it has to match routes on the same path that is served.
//! - *Identity headers* (`X-Client-Id`, `X-Client-Scope`) of the client are removed, in every spelling. Read
//!   the permit.
//! - *The token stays* in the request's `Authorization` header, which your service may read. It is not marked
//!   as sensitive; do not log it.
//! - *Time*: the endpoints read at most 16 KiB of a body, for at most 30 s (408;
//!   [`OAuthService::body_timeout`]). The layer does not wait.
//!
//! # Tokens bound to their sender
//!
//! A stolen bearer token works for the thief; a bound token does not. Every mount checks both kinds:
//!
//! | bound to | issued if | checked against | what the program does |
//! |---|---|---|---|
//! | a client certificate (RFC 8705) | the client has [`bind_to_certificate`](crate::ClientSpec::bind_to_certificate) | the certificate of the connection | tower, axum: a [`ClientCertificate`] in the request's extensions; pingora: `note_connection` |
//! | a key (RFC 9449, feature `jose`) | the client sends a DPoP proof, as it must with [`bind_to_key`](crate::ClientSpec::bind_to_key) | the `DPoP` header, each proof once | nothing, if the layer sees the URI that the client used; with the feature `axum` also below nested routers |
//!
//! # Foreign types
//!
//! These types of other crates are part of this crate's API, and so of its versions:
//!
//! - `http`: requests, responses, headers. `http::request::Parts` is what a closure sees, so that it needs no
//!   body type;
//! - `http-body` (the trait) and `bytes::Bytes`: bodies of guarded services carry `Bytes`, as those of hyper,
//!   axum and tonic do;
//! - `http-body-util::Full`: the answer of [`OAuthService`] and of [`Gate::refuse`](crate::Gate::refuse),
//!   whose bytes are all in memory;
//! - `tower-layer` and `tower-service`: the two traits;
//! - `axum` (feature `axum`): the extractor traits and `IntoResponse`;
//! - `tonic` (feature `tonic`): `NamedService`;
//! - `pingora` (feature `pingora`): modules, sessions, heads;
//! - `getrandom::Error` in [`GateError`](crate::gate::GateError), as the cause of a failure.

mod authorizer;
#[cfg(feature = "axum")]
mod axum;
mod body;
mod condition;
mod evidence;
mod future;
pub(crate) mod grpc;
mod guard;
mod layer;
mod local;
mod oauth;
#[cfg(feature = "pingora")]
pub mod pingora;
#[cfg(feature = "remote")]
mod remote;
mod service;
#[cfg(test)]
mod tests;
#[cfg(feature = "tonic")]
mod tonic;

pub use authorizer::Authorizer;
#[cfg(feature = "axum")]
pub use axum::MissingPermit;
pub use body::GuardedBody;
#[cfg(feature = "remote")]
pub use condition::Condition;
pub use condition::{ScopesOnly, SyncCondition, With, WithAsync};
pub use evidence::ClientCertificate;
pub use future::{Defer, Deferred, ResponseFuture};
pub use layer::RequireTokenLayer;
pub use local::{Asking, Local};
#[cfg(feature = "gateway")]
pub(crate) use oauth::read_form;
pub use oauth::{OAuthFuture, OAuthService};
#[cfg(feature = "remote")]
pub use remote::Remote;
pub use service::RequireToken;
