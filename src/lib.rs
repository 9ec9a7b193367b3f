//! OAuth 2.0 client-credentials protection for HTTP APIs.
//!
//! Tollgate is two things made of one core:
//!
//! - **a gateway**, the `tollgate` command: a reverse proxy that issues the tokens itself and forwards only
//!   requests with a valid one. The README describes it; the module `config` reads its file;
//! - **a plugin**, with `default-features = false`: the same protection inside your own program, as a
//!   [`tower` layer](RequireTokenLayer) in front of your services and a [`tower` service](OAuthService) that
//!   answers the token, introspection, revocation and metadata endpoints.
//!
//! ```text
//!            the gateway                                     the plugin
//!                                                            your program
//!  client ──▶ TLS, HTTP ──▶ canonical path                   client ──▶ your server, your router
//!                 │                                                        │
//!                 ├─▶ OAuth endpoints    ◀─── one Gate ───▶                ├─▶ gate.oauth_service()
//!                 ├─▶ header ─▶ Permit   clients, tokens, scopes           └─▶ gate.require("read") ─▶ your service
//!                 └─▶ your API, unmodified
//! ```
//!
//! It implements one flow, machine to machine: a client gets a token for its secret
//! (`grant_type=client_credentials`) and sends it with each request. There is no user, no redirect and no
//! session. Tokens are opaque and kept in memory as digests: a revoked token is refused on the next request,
//! and a leaked one reveals nothing about its client.
//!
//! # Quick start
//!
//! A [`Gate`] has the clients, and is both the service where they get tokens and the layer that requires
//! them. This is a whole protected service:
//!
//! ```
//! use std::convert::Infallible;
//! use http::{Request, Response};
//! use tollgate::{ClientSpec, Gate, GateSpec, Permit};
//! use tower::{Layer as _, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The clients that may get tokens. Only the hash of the secret is kept.
//! let client = ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes(["read", "write"])?;
//! let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
//!
//! // Your service behind the gate. It is only called with a permit.
//! let orders = gate.require("read").layer(service_fn(async |request: Request<String>| {
//!     let client = request.extensions().get::<Permit>().and_then(Permit::client_id).unwrap_or_default();
//!     Ok::<_, Infallible>(Response::new(format!("hello, {client}")))
//! }));
//! // The OAuth endpoints beside it.
//! let endpoints = gate.oauth_service();
//!
//! // What a client does:
//! let form = "grant_type=client_credentials&client_id=server&client_secret=Password1&scope=read";
//! let request = Request::post("/oauth/v2/oauth-token")
//!     .header("content-type", "application/x-www-form-urlencoded")
//!     .body(form.to_owned())?;
//! let token = access_token_of(endpoints.oneshot(request).await?).await?;
//! let request = Request::get("/orders").header("authorization", format!("Bearer {token}")).body(String::new())?;
//! assert_eq!(orders.clone().oneshot(request).await?.status(), 200);
//! assert_eq!(orders.oneshot(Request::get("/orders").body(String::new())?).await?.status(), 401);
//! # Ok(())
//! # }
//! # async fn access_token_of<B>(answer: Response<B>) -> Result<String, Box<dyn std::error::Error>>
//! # where
//! #     B: http_body::Body<Error = Infallible>,
//! # {
//! #     use http_body_util::BodyExt as _;
//! #     let body = answer.into_body().collect().await?.to_bytes();
//! #     let json: serde_json::Value = serde_json::from_slice(&body)?;
//! #     Ok(json["access_token"].as_str().ok_or("no access token")?.to_owned())
//! # }
//! ```
//!
//! Each kind of server has its own quick start and a complete example:
//!
//! | your server | what to use | complete program |
//! |---|---|---|
//! | hyper, or any tower service | [`Gate::require`], [`Gate::oauth_service`]: [quick start](plugin#hyper-and-tower) | `examples/hyper_bare.rs` |
//! | axum | the same, and `Permit` as an argument of handlers: [quick start](plugin#axum) | `examples/axum_two_scopes.rs` |
//! | tonic | [`RequireTokenLayer::grpc`]: [quick start](plugin#tonic) | `examples/tonic_grpc.rs` |
//! | pingora | `Gate::pingora_module`: [quick start](plugin#pingora) | `examples/pingora_proxy.rs` |
//! | any of these, in another process than the gateway | `Gate::remote`: [quick start](plugin#verification-only) | |
//! | anything else | [`Gate::authorize`] and [`Gate::answer`] | `examples/custom_store.rs` |
//! | none | the gateway: `tollgate --config gateway.toml` | the README |
//!
//! Tests of your handlers use [`Gate::issue_to`] and a [`ManualClock`](clock::ManualClock), as
//! `examples/handler_test.rs` does. Tests of your own token store use [`store::testing`].
//!
//! # When something fails
//!
//! The gate fails closed, and its answers say what the client can do:
//!
//! - no token, an invalid one, or one without the scopes: 400, 401 or 403 with a challenge of RFC 6750, and
//!   your service is not called. The [table](plugin#when-something-fails) has every case;
//! - a store that cannot answer: 503, never 401, and the request is never let through;
//! - full queues and limits: hashing and token limits answer 503 with `Retry-After`, too many failed
//!   authentications 429. No valid token is evicted to make room, and requests with valid tokens are
//!   unaffected;
//! - a permit is for one request. A long stream asks [`Gate::still_permits`] from time to time, as the
//!   gateway does;
//! - tokens are kept in this process, and after a restart clients get 401 and request a new token. With
//!   `store::Journal` (feature `journal`) or your own [store](store::TokenStore), tokens survive a restart.
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | [`gate`] | the use case: authenticate a client, issue, authorize, revoke |
//! | [`plugin`] | the gate as tower layer and service, in axum, tonic and pingora |
//! | [`oauth`] | the protocol: no sockets, no clock, no randomness |
//! | [`store`] | where tokens are kept: a trait, a store in memory, a journal of it on disk, and the contract as a test |
//! | [`clock`] | the source of time |
//! | `config` | gateway.toml (feature `config`) |
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `gateway` (default) | the `tollgate` command |
//! | `axum` | [`Permit`] as an argument of handlers, and DPoP below nested routers |
//! | `tonic` | the name of a gRPC service behind the gate |
//! | `pingora` | the module and the app wrapper |
//! | `config` | gateway.toml as a source of a [`GateSpec`] |
//! | `journal` | `store::Journal`: tokens, revocations and used assertions survive a restart |
//! | `redis` | `store::RedisStore`: several processes share their tokens on Redis or Valkey |
//! | `jose` | clients without a secret (`private_key_jwt`, mutual TLS) and tokens bound to a key (DPoP) |
//! | `remote` | `Gate::remote`: the layer in front of a service that asks a gateway about its tokens |
//!
//! Features only add. With `default-features = false` the crate is the plugin alone, without pingora, a
//! command line or TLS: 59 crates in all, of which most servers have half already. There is no unsafe code in
//! this crate.

#[cfg(feature = "gateway")]
mod access;
#[cfg(feature = "gateway")]
mod acme;
#[cfg(feature = "gateway")]
mod admin;
#[cfg(feature = "gateway")]
mod bench;
#[cfg(feature = "gateway")]
mod change;
#[cfg(feature = "gateway")]
pub mod cli;
pub mod clock;
#[cfg(feature = "config")]
pub mod config;
#[cfg(doctest)]
mod documents;
#[cfg(feature = "_fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod gate;
#[cfg(feature = "gateway")]
mod gateway;
#[cfg(feature = "gateway")]
mod gateway_client;
mod headers;
#[cfg(feature = "gateway")]
mod http1;
#[cfg(feature = "gateway")]
mod http_client;
#[cfg(feature = "gateway")]
mod import;
#[cfg(feature = "config")]
mod json;
#[cfg(feature = "gateway")]
mod limit;
pub mod oauth;
pub mod plugin;
#[cfg(feature = "gateway")]
mod proxy;
mod response;
#[cfg(feature = "config")]
#[expect(unreachable_pub, reason = "the fuzz targets reach it")]
mod route;
#[cfg(feature = "gateway")]
mod self_test;
#[cfg(feature = "gateway")]
mod server;
#[cfg(feature = "gateway")]
mod shadow;
mod sorting;
#[cfg(feature = "gateway")]
mod splitmix;
#[cfg(any(feature = "gateway", feature = "journal"))]
mod state_file;
pub mod store;
#[cfg(feature = "redis")]
mod tasks;
#[cfg(feature = "gateway")]
mod tcp;
#[cfg(feature = "gateway")]
mod telemetry;
mod threads;
#[cfg(feature = "gateway")]
mod tls;
#[cfg(feature = "gateway")]
mod upstream;
#[cfg(feature = "gateway")]
mod utc;

#[cfg(feature = "remote")]
pub use gate::RemoteGate;
pub use gate::{ClientSpec, Gate, GateSpec};
pub use oauth::decide::Permit;
pub use oauth::denial::Denial;
pub use oauth::scope::{Demand, Requirement, Scopes};
pub use plugin::{OAuthService, RequireTokenLayer};
