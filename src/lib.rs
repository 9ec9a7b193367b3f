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
//! # The plugin
//!
//! A [`Gate`](gate::Gate) is told of its clients, and is then both: the service where clients get tokens, and the layer
//! that asks for them.
//!
//! ```
//! use std::time::Duration;
//! use tollgate::gate::{ClientSpec, Gate, GateSpec, SecretHash, SecretSpec};
//! use tollgate::oauth::client::{Capabilities, ClientId, ClientPolicy};
//! use tollgate::oauth::decide::Permit;
//! use tollgate::oauth::scope::{Requirement, Scopes};
//! # use http::{Request, Response, StatusCode};
//! # use http_body_util::BodyExt as _;
//! use tower::{Layer as _, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! // Who may get tokens. Of the secret, Password1, only the hash is kept.
//! let mut capabilities = Capabilities::default();
//! capabilities.client_credentials = true;
//! let policy = ClientPolicy {
//!     capabilities,
//!     scopes: Scopes::parse("read write")?,
//!     default_scopes: Scopes::none(),
//!     token_lifetime: Duration::from_secs(299),
//!     enabled: true,
//! };
//! let hash = "$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8";
//! let mut client = ClientSpec::new(ClientId::new("server").ok_or("no client id")?, policy);
//! client.secrets.push(SecretSpec::new("first", SecretHash::parse(hash)?, None));
//!
//! let mut spec = GateSpec::default();
//! spec.scopes = vec!["read".into(), "write".into()];
//! spec.clients = vec![client];
//! let gate = Gate::builder(spec).build()?;
//!
//! // Your service, behind the gate: it is called with a permit, or not at all.
//! let orders = gate.require(Requirement::All(Scopes::parse("read")?)).layer(service_fn(
//!     async |request: Request<String>| {
//!         let permit = request.extensions().get::<Permit>().ok_or("no permit")?;
//!         let greeting = format!("hello, {}", permit.client_id().unwrap_or("stranger"));
//!         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Response::new(greeting))
//!     },
//! ));
//!
//! // The OAuth endpoints, to be routed to beside it.
//! let endpoints = gate.oauth_service();
//!
//! let answer = endpoints
//!     .oneshot(
//!         Request::post("/oauth/v2/oauth-token")
//!             .header("content-type", "application/x-www-form-urlencoded")
//!             .body(
//!                 "grant_type=client_credentials&client_id=server&client_secret=Password1&scope=read"
//!                     .to_owned(),
//!             )?,
//!     )
//!     .await?;
//! # let refused = orders.clone().oneshot(Request::get("/orders").body(String::new())?).await?;
//! # assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
//! let authorization = format!("Bearer {}", access_token_of(answer).await?);
//! let request = Request::get("/orders").header("authorization", authorization).body(String::new())?;
//! let answer = orders.oneshot(request).await?;
//! assert_eq!(answer.status(), StatusCode::OK);
//! # assert_eq!(answer.into_body().collect().await.map_err(|_| "no body")?.to_bytes(), "hello, server");
//! # Ok(())
//! # }
//! # async fn access_token_of<B: http_body::Body>(
//! #     answer: Response<B>,
//! # ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
//! #     let body = answer.into_body().collect().await.map_err(|_| "no body")?.to_bytes();
//! #     let json: serde_json::Value = serde_json::from_slice(&body)?;
//! #     Ok(json["access_token"].as_str().ok_or("no access token")?.to_owned())
//! # }
//! ```
//!
//! # What is where
//!
//! | module | what |
//! |---|---|
//! | [`gate`] | the use case: authenticate a client, issue, authorise, revoke |
//! | [`plugin`] | the gate as tower layer and service |
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
//! | `config` | gateway.toml as a source of a [`GateSpec`](gate::GateSpec) |
//! | `jose` | the formats of `private_key_jwt`, DPoP and client certificates |
//!
//! Features only add. None of them lets unsafe code in: this crate has none.

mod answer;
#[cfg(feature = "gateway")]
pub mod cli;
pub mod clock;
#[cfg(feature = "config")]
pub mod config;
#[cfg(all(fuzzing, feature = "gateway"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod gate;
pub mod oauth;
pub mod plugin;
#[cfg(feature = "gateway")]
pub mod proxy;
#[cfg(feature = "gateway")]
pub mod server;
pub mod store;

/// The Rust of the README, so that it is tried like the rest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
