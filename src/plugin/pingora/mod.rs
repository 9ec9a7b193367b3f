//! The gate inside pingora: a module for proxies, a wrapper for HTTP apps, helpers to answer from a session.
//!
//! A proxy takes three lines more than it has: the module, the endpoints, the refusal.
//!
//! ```ignore
//! fn init_downstream_modules(&self, modules: &mut HttpModules) {
//!     modules.add_module(Box::new(self.gate.pingora_module(Requirement::AnyToken).with_endpoints()));
//! }
//!
//! async fn request_filter(&self, session: &mut Session, _: &mut ()) -> Result<bool> {
//!     serve_endpoint(&self.gate, session.as_downstream_mut()).await
//! }
//!
//! async fn fail_to_proxy(&self, session: &mut Session, error: &Error, _: &mut ()) -> FailToProxy {
//!     match answer_denied(&session.downstream_modules_ctx, &mut session.downstream_session).await {
//!         Some(Refused { status, reusable }) => FailToProxy { error_code: status, can_reuse_downstream: reusable },
//!         None => /* as before */
//!     }
//! }
//! ```
//!
//! (The whole of it runs in `examples/pingora_proxy.rs`.)
//!
//! *It fails closed.* A module cannot answer, only fail a request, so without the third part pingora itself
//! answers the same status, with no challenge and no body, and closes the connection. Without the second, requests
//! to the endpoints go where the proxy sends others, so [`PingoraModule::with_endpoints`] says that it is there.
//!
//! *What the upstream sees* is what the gateway's upstreams see: `Authorization` removed, `X-Client-Id` and
//! `X-Client-Scope` set from the permit, and whatever the client sent under those names, in any spelling, gone.
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
pub use connection::note_connection;
pub use module::{PingoraModule, RequireTokenModule};
pub use session::{Refused, answer_denied, refuse, serve_endpoint};
