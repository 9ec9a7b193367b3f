//! OAuth 2.0 client-credentials protection for HTTP APIs that know nothing of tokens.
//!
//! Tollgate is two things made of one core:
//!
//! - **a gateway**, the `tollgate` command: a reverse proxy that issues the tokens itself and forwards only the requests
//!   that carry a good one. The README shows it; `tollgate::config` reads its file;
//! - **a plugin**, with `default-features = false`: the same protection inside a program of your own, as a [`tower`
//!   layer](plugin::RequireTokenLayer) before your services and a [`tower` service](plugin::OAuthService) that
//!   answers the token, introspection, revocation and metadata endpoints.
//!
//! ```text
//!            the gateway                                     the plugin
//!                                                            your program
//!  client ──▶ TLS, HTTP ──▶ canonical path                   client ──▶ your server, your router
//!                 │                                                        │
//!                 ├─▶ OAuth endpoints    ◀─── one Gate ───▶                ├─▶ gate.oauth_service()
//!                 ├─▶ header ─▶ Permit   clients, tokens, scopes           └─▶ gate.require(scopes) ─▶ your service
//!                 └─▶ your API, unmodified
//! ```
//!
//! It does one flow, machine to machine: a client gets a token for its secret (`grant_type=client_credentials`), and sends it
//! with each request. There is no user, no redirect, no session. Tokens are opaque and kept in memory as digests, so a
//! revoked one is refused on the next request, and nothing can be read from one that leaks.
//!
//! # Quick start
//!
//! [`Gate`](gate::Gate) is told of its clients, and is then both: the service where clients get tokens, and the layer that
//! asks for them. This is the whole of a protected service:
//!
//! ```
//! use std::convert::Infallible;
//! use http::{Request, Response};
//! use tollgate::gate::{ClientSpec, Gate, GateSpec};
//! use tollgate::oauth::decide::Permit;
//! use tollgate::oauth::scope::Requirement;
//! use tower::{Layer as _, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Who may get tokens. Of the secret only the hash is kept.
//! let client = ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes(["read", "write"])?;
//! let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
//!
//! // Your service, behind the gate: it is called with a permit, or not at all.
//! let orders = gate.require(Requirement::all(["read"])?).layer(service_fn(async |request: Request<String>| {
//!     let client = request.extensions().get::<Permit>().and_then(Permit::client_id).unwrap_or_default();
//!     Ok::<_, Infallible>(Response::new(format!("hello, {client}")))
//! }));
//! // The OAuth endpoints, to be routed to beside it.
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
//! Then choose where it stands; each has its quick start, and an example that runs:
//!
//! | your server | what to use | whole program |
//! |---|---|---|
//! | hyper, or any tower service | [`Gate::require`](gate::Gate::require), [`Gate::oauth_service`](gate::Gate::oauth_service): [quick start](plugin#hyper-and-tower) | `examples/hyper_bare.rs` |
//! | axum | the same, and `Permit` as an argument of handlers: [quick start](plugin#axum) | `examples/axum_two_scopes.rs` |
//! | tonic | [`RequireTokenLayer::grpc`](plugin::RequireTokenLayer::grpc): [quick start](plugin#tonic) | `examples/tonic_grpc.rs` |
//! | pingora | `Gate::pingora_module`: [quick start](plugin#pingora) | `examples/pingora_proxy.rs` |
//! | anything else | [`Gate::authorize`](gate::Gate::authorize) and [`Gate::answer`](gate::Gate::answer) | `examples/custom_store.rs` |
//! | none of yours | the gateway: `tollgate --config gateway.toml` | the README |
//!
//! Tests of your own handlers use [`Gate::issue_to`](gate::Gate::issue_to) and a [`ManualClock`](clock::ManualClock), as
//! `examples/handler_test.rs` does.
//!
//! # When something fails
//!
//! It fails closed, and says what the client can do about it:
//!
//! - no token, a bad one, or one that is not enough: 400, 401 or 403 with a challenge of RFC 6750, and your service never
//!   hears of it. The [table](plugin#when-something-fails) has every case;
//! - *unknown* is not *nobody knows*: a store that cannot answer is 503, never 401 and never "let through";
//! - what is full says so: hashing and token limits answer 503 with `Retry-After`, too many failed authentications 429.
//!   Nothing valid is evicted to make room, and requests with good tokens go on meanwhile;
//! - a permit is for one request. A long stream asks [`Gate::still_permits`](gate::Gate::still_permits), the gateway does so by
//!   itself;
//! - tokens live in this process, unless a [store](store::TokenStore) of your own says otherwise: after a restart clients
//!   get 401, and a new token.
//!
//! # What is where
//!
//! | module | what |
//! |---|---|
//! | [`gate`] | the use case: authenticate a client, issue, authorise, revoke |
//! | [`plugin`] | the gate as tower layer and service, and in axum and pingora |
//! | [`oauth`] | the protocol, pure: no sockets, no clock, no randomness |
//! | [`store`] | where tokens are kept: a trait and the store in memory |
//! | [`clock`] | where time comes from |
//! | `config` | gateway.toml (feature `config`) |
//! | `proxy`, `server`, `cli` | the gateway (feature `gateway`, on by default) |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `gateway` (default) | the `tollgate` command and what it is made of |
//! | `axum` | [`Permit`](oauth::decide::Permit) as an argument of handlers |
//! | `pingora` | the module and the app wrapper |
//! | `config` | gateway.toml as a source of a [`GateSpec`](gate::GateSpec) |
//! | `jose` | clients without a secret (`private_key_jwt`, mutual TLS) and tokens bound to a key (DPoP) |
//!
//! Features only add. With `default-features = false` the crate is the plugin alone: no pingora, no command line, no TLS,
//! 59 crates in all, of which most servers have half already. None lets unsafe code in: this crate has none.

#[cfg(feature = "gateway")]
mod access;
#[cfg(feature = "gateway")]
mod bench;
#[cfg(feature = "gateway")]
mod change;
#[cfg(feature = "gateway")]
pub mod cli;
pub mod clock;
#[cfg(feature = "config")]
pub mod config;
#[cfg(all(fuzzing, feature = "gateway"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod gate;
#[cfg(feature = "gateway")]
mod gateway;
#[cfg(feature = "gateway")]
mod gateway_client;
#[cfg(feature = "gateway")]
mod headers;
#[cfg(feature = "gateway")]
mod http_client;
#[cfg(feature = "gateway")]
mod limit;
pub mod oauth;
pub mod plugin;
#[cfg(feature = "gateway")]
mod proxy;
mod response;
#[cfg(all(feature = "config", fuzzing))]
#[doc(hidden)]
pub mod route;
#[cfg(all(feature = "config", not(fuzzing)))]
#[expect(unreachable_pub, reason = "the fuzz targets reach it")]
mod route;
#[cfg(feature = "gateway")]
mod server;
#[cfg(feature = "gateway")]
mod state_file;
pub mod store;
#[cfg(feature = "gateway")]
mod telemetry;
#[cfg(feature = "gateway")]
mod upstream;
#[cfg(feature = "gateway")]
mod utc;

/// The Rust of the README, so that it is tried like the rest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
