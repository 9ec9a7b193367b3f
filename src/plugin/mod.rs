//! The gate inside other people's servers.
//!
//! ```text
//!                    your program
//!  request ──▶ router ─┬─▶ Gate::oauth_service      token, introspection, revocation, metadata: answered here
//!                      │
//!                      └─▶ Gate::require(scopes) ─▶ your service, with a Permit in the request's extensions
//!                            │
//!                            └─▶ 400 / 401 / 403 / 503, and your service never hears of it
//! ```
//!
//! Both are made from one [`Gate`](crate::gate::Gate), which issues tokens and checks them in this process: no call to
//! anything else, no token format to agree on, and a token that is revoked is refused on the next request. A clone is
//! a shared reference.
//!
//! # A gate
//!
//! In code, or with the feature `config` from a gateway.toml: `Gate::from_file("gateway.toml")?`.
//!
//! ```
//! use tollgate::gate::{ClientSpec, Gate, GateSpec};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes(["read", "write"])?;
//! let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
//! # drop(gate);
//! # Ok(())
//! # }
//! ```
//!
//! [`Gate::reload`](crate::gate::Gate::reload) swaps clients and scopes under traffic;
//! [`GateBuilder::store`](crate::gate::GateBuilder::store) and [`GateBuilder::clock`](crate::gate::GateBuilder::clock)
//! take a store and a clock of your own, such as [`ManualClock`](crate::clock::ManualClock) in tests.
//!
//! # hyper and tower
//!
//! [`Gate::require`](crate::gate::Gate::require) is a `tower::Layer` over any `Service<Request<B>, Response =
//! Response<R>>`, whatever its bodies and its error. `examples/hyper_bare.rs` is a whole server.
//!
//! ```
//! # use std::convert::Infallible;
//! # use http::{Request, Response};
//! # use tollgate::gate::{Gate, GateSpec};
//! # use tollgate::oauth::scope::Requirement;
//! # let gate = Gate::builder(GateSpec::default()).build()?;
//! # let list = tower::service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
//! use tower::ServiceBuilder;
//!
//! let orders = ServiceBuilder::new().layer(gate.require(Requirement::all(["read"])?)).service(list);
//! # let _ = orders;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! More than scopes: [`RequireTokenLayer::and`] and [`Gate::require_with`](crate::gate::Gate::require_with) take a
//! closure over the permit and the head of the request.
//!
//! # axum
//!
//! With the feature `axum`, a handler takes the [`Permit`](crate::oauth::decide::Permit) as an argument. The whole of it:
//! `examples/axum_two_scopes.rs`.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! # use axum::{Router, routing::get};
//! # use tollgate::gate::{Gate, GateSpec};
//! # use tollgate::oauth::decide::Permit;
//! # use tollgate::oauth::scope::Requirement;
//! # let gate = Gate::builder(GateSpec::default()).build().unwrap();
//! # let requirement = Requirement::all(["read"]).unwrap();
//! async fn hello(permit: Permit) -> String {
//!     format!("hello, {}", permit.client_id().unwrap_or("nobody"))
//! }
//! let app: Router = Router::new()
//!     .route("/hello", get(hello))
//!     .layer(gate.require(requirement))
//!     .nest_service("/oauth/v2", gate.oauth_service().nested_at("/oauth/v2"));
//! # drop(app);
//! # }
//! ```
//!
//! `layer` covers the routes before it, so the endpoints stay open.
//!
//! # tonic
//!
//! Refusals become UNAUTHENTICATED, PERMISSION_DENIED or UNAVAILABLE. `examples/tonic_grpc.rs` has a server and its client.
//!
//! ```
//! # use tollgate::gate::{Gate, GateSpec};
//! # use tollgate::oauth::scope::Requirement;
//! # let gate = Gate::builder(GateSpec::default()).build()?;
//! use tonic::transport::Server;
//!
//! let server = Server::builder().layer(gate.require(Requirement::all(["read"])?).grpc());
//! # drop(server);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # pingora
//!
//! With the feature `pingora`: a module for proxies, a wrapper for HTTP apps. See the module `pingora` here, and
//! `examples/pingora_proxy.rs`.
//!
//! # When something fails
//!
//! | what | answer |
//! |---|---|
//! | no `Authorization` header, another scheme | 401, a challenge without an error code |
//! | malformed, repeated | 400 `invalid_request` |
//! | unknown, expired, revoked, its client disabled or gone | 401 `invalid_token` |
//! | a scope is missing; a closure refuses | 403 `insufficient_scope` |
//! | the store cannot answer | 503, never "let through" |
//! | a handler takes a `Permit` where no layer gives one | 500: a fault of the program |
//! | hashing is busy, a token limit is reached | 503 `temporarily_unavailable` at the token endpoint; other requests go on |
//!
//! - *A decision is made once*, at the beginning of a request. A long stream asks
//!   [`Gate::still_permits`](crate::gate::Gate::still_permits) from time to time.
//! - *Tokens live in this process.* A restart forgets them, and two processes do not know each other's, unless a
//!   store of your own is shared. Clients get a new token on 401, as the text of the answer tells them.
//! - *The path is yours.* The layer decides for the service it wraps, whatever the path; that routes are matched on the
//!   path that is served is up to the router around it.
//! - *The token stays* in the request's `Authorization` header, which your service may read. It is marked in no way; do
//!   not log it.
//! - *Time*: the endpoints read at most 16 KiB of a body, for at most 30 s (408; [`OAuthService::body_timeout`]). The layer
//!   waits for nothing.
//!
//! # Tokens bound to their sender
//!
//! A stolen bearer token is as good as the client's own; a bound one is not. Each mount checks both kinds, given the
//! connection:
//!
//! | bound to | issued when | checked against | the program's part |
//! |---|---|---|---|
//! | a client certificate (RFC 8705) | the client's [`bind_to_certificate`](crate::gate::ClientSpec::bind_to_certificate) is set | the certificate of the connection | tower, axum: a [`ClientCertificate`] in the request's extensions; pingora: `note_connection` |
//! | a key (RFC 9449, feature `jose`) | the client sends a DPoP proof, and must with [`bind_to_key`](crate::gate::ClientSpec::bind_to_key) | the `DPoP` header, once each | none: but the layer must see the URI that the client does |
//!
//! # Foreign types
//!
//! What these signatures name of other crates is part of this crate's own versions:
//!
//! - `http`: requests, responses, headers, since they are what is plugged together. `http::request::Parts` is what a
//!   closure sees, so that it needs no body type;
//! - `http-body` (the trait) and `bytes::Bytes`: bodies of guarded services carry `Bytes`, as hyper's, axum's and tonic's do;
//! - `http-body-util::Full`: the answer of [`OAuthService`] and of [`Gate::refuse`](crate::gate::Gate::refuse), whose bytes
//!   are all there, which a name of our own would hide;
//! - `tower-layer` and `tower-service`: the two traits;
//! - `axum-core` (feature `axum`): `FromRequestParts` and `IntoResponse` alone;
//! - `pingora` (feature `pingora`): modules, sessions, heads; a major release of it is one of that feature;
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
mod oauth;
#[cfg(feature = "pingora")]
pub mod pingora;
mod service;
#[cfg(test)]
mod tests;
#[cfg(feature = "tonic")]
mod tonic;

pub use authorizer::{Authorizer, Local};
#[cfg(feature = "axum")]
pub use axum::MissingPermit;
pub use body::GuardedBody;
pub use condition::{ScopesOnly, SyncCondition, With, WithAsync};
pub use evidence::ClientCertificate;
pub use future::{Defer, Deferred, Immediate, ResponseFuture};
pub use layer::RequireTokenLayer;
#[cfg(feature = "gateway")]
pub(crate) use oauth::read_form;
pub use oauth::{OAuthFuture, OAuthService};
pub use service::RequireToken;
