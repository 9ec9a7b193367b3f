//! The gate inside pingora: a module for proxies, a wrapper for HTTP apps, helpers to answer from a session.
//!
//! A proxy takes four lines more than it has: the module, the connection, the endpoints, the refusal.
//!
//! ```
//! use async_trait::async_trait;
//! use pingora::modules::http::HttpModules;
//! # use pingora::prelude::HttpPeer;
//! use pingora::proxy::{FailToProxy, ProxyHttp, Session};
//! # use pingora::{Error, Result};
//! use tollgate::gate::Gate;
//! use tollgate::oauth::scope::Requirement;
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
//!         modules.add_module(Box::new(self.gate.pingora_module(Requirement::AnyToken).with_endpoints()));
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
//!             // As before: `error` is the proxy's own.
//!             None => FailToProxy { error_code: 502, can_reuse_downstream: false },
//!         }
//!     }
//! }
//! ```
//!
//! (The whole of it runs in `examples/pingora_proxy.rs`.) [`PingoraModule`] has the rest: other scopes or none by request
//! ([`Access`]), a condition of the program's own, an HTTP app instead of a proxy.
//!
//! *It fails closed.* A module cannot answer, only fail a request, so without the refusal's part pingora itself
//! answers the same status, with no challenge and no body, and closes the connection. Without the endpoints' part, requests
//! to them go where the proxy sends others, so [`PingoraModule::with_endpoints`] says that it is there. Without the
//! connection, tokens that are bound to a client certificate are refused.
//!
//! *What the upstream sees* is what the gateway's upstreams see: `Authorization` removed, `X-Client-Id` and
//! `X-Client-Scope` set from the permit, and whatever the client sent under those names, in any spelling, gone. A DPoP proof
//! goes with the token that it is of.
//!
//! *A DPoP proof* has to name the URI as the proxy sees it: `https` where the connection has TLS or the issuer says so,
//! the `Host` and the path.
//!
//! *Connections are kept right.* The body of a refused request is read and thrown away where it is short and there;
//! otherwise the connection is closed after the answer, so that no rest of it is taken for the next request.
//!
//! Types of pingora and `http` are in these signatures because they are what is plugged together; a major release of
//! pingora is one of this crate's feature `pingora`.

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
