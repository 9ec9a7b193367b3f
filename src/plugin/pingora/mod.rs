//! The gate inside pingora: a module for proxies, a wrapper for HTTP apps, and functions that answer from a
//! session.
//!
//! A proxy adds four calls: for the module, the connection, the endpoints and the refusal.
//!
//! ```
//! use async_trait::async_trait;
//! use pingora::modules::http::HttpModules;
//! # use pingora::prelude::HttpPeer;
//! use pingora::proxy::{FailToProxy, ProxyHttp, Session};
//! # use pingora::{Error, Result};
//! use tollgate::Gate;
//! use tollgate::plugin::pingora::{Refused, answer_denied, note_connection, serve_endpoint};
//!
//! struct Proxy {
//!     gate: Gate,
//! }
//!
//! #[async_trait]
//! impl ProxyHttp for Proxy {
//! #     type CTX = ();
//! #     fn new_ctx(&self) {}
//! #     async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
//! #         Ok(Box::new(HttpPeer::new("127.0.0.1:9000", false, String::new())))
//! #     }
//!     fn init_downstream_modules(&self, modules: &mut HttpModules) {
//!         modules.add_module(Box::new(self.gate.pingora_module("read").with_endpoints()));
//!     }
//!
//!     async fn early_request_filter(&self, session: &mut Session, _: &mut ()) -> Result<()> {
//!         note_connection(&mut session.downstream_modules_ctx, &session.downstream_session);
//!         Ok(())
//!     }
//!
//!     async fn request_filter(&self, session: &mut Session, _: &mut ()) -> Result<bool> {
//!         serve_endpoint(&self.gate, session.as_downstream_mut()).await
//!     }
//!
//!     async fn fail_to_proxy(&self, session: &mut Session, error: &Error, _: &mut ()) -> FailToProxy {
//!         match answer_denied(&session.downstream_modules_ctx, &mut session.downstream_session).await {
//!             Some(Refused { status, reusable, .. }) => {
//!                 FailToProxy { error_code: status, can_reuse_downstream: reusable }
//!             }
//!             // `error` is the proxy's own, and is handled as without the gate.
//!             None => FailToProxy { error_code: 502, can_reuse_downstream: false },
//!         }
//!     }
//! }
//! ```
//!
//! `examples/pingora_proxy.rs` is a complete proxy. [`PingoraModule`] has more: a demand for each request
//! ([`Access`]), a condition of the program, an HTTP app instead of a proxy.
//!
//! *It fails closed.* A module cannot answer a request, only fail it. Without the call for the refusal,
//! pingora itself answers with the same status, without a challenge or a body, and closes the connection.
//! Without the call for the endpoints, requests for them go to the upstream, so
//! [`PingoraModule::with_endpoints`] states that it is there. Without the call for the connection, tokens
//! that are bound to a client certificate are refused.
//!
//! *The upstream* sees the same as behind the gateway: `Authorization` is removed, `X-Client-Id` and
//! `X-Client-Scope` are set from the permit, and what the client has sent under these names is removed, in
//! every spelling. A DPoP proof is removed together with its token.
//!
//! *A DPoP proof* has to name the URI of the request: `https` if the connection has TLS or the issuer begins
//! with it, the `Host`, and the path.
//!
//! *Connections stay consistent.* The body of a refused request is read and discarded if it is short and has
//! arrived. Otherwise the connection is closed after the answer, so that the rest of the body is not taken
//! for the next request.
//!
//! Types of pingora and `http` are part of these signatures. A major release of pingora is a major release of
//! the feature `pingora`.

mod access;
mod app;
mod connection;
mod identity;
mod module;
mod rule;
mod session;

pub use access::Access;
pub use app::RequireTokenApp;

pub use module::{PingoraModule, RequireTokenModule, note_connection};
pub use session::{Refused, answer_denied, refuse, serve_endpoint};
