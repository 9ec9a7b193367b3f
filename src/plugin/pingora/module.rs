use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::http::RequestHeader;
use pingora::modules::http::{HttpModule, HttpModuleBuilder, HttpModuleCtx, Module};
use pingora::protocols::http::ServerSession;
use pingora::{Error, ErrorType};

use crate::gate::Gate;
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::{self, IntoDemand, ScopeError};
use crate::plugin::pingora::access::Access;
use crate::plugin::pingora::connection::Connection;
use crate::plugin::pingora::rule::{AccessSource, Rule};

/// The builder of the module of each request. Made by [`Gate::pingora_module`].
#[derive(Clone)]
pub struct PingoraModule {
    pub(super) rule: Rule,
}

impl Gate {
    /// Makes a module that requires a token for every request of a pingora proxy. It takes the same demands
    /// as [`Gate::require`]. Add it in `init_downstream_modules`; see [`crate::plugin::pingora`] for the rest
    /// of the proxy.
    ///
    /// ```
    /// use pingora::modules::http::HttpModules;
    /// use tollgate::{Gate, GateSpec};
    ///
    /// let gate = Gate::builder(GateSpec::default()).build()?;
    /// let mut modules = HttpModules::new();
    /// modules.add_module(Box::new(gate.pingora_module("read").with_endpoints()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If a scope is not allowed by RFC 6749 §3.3, or the list is empty. [`Gate::try_pingora_module`] returns
    /// the error instead.
    #[must_use]
    #[track_caller]
    pub fn pingora_module(&self, demand: impl IntoDemand) -> PingoraModule {
        let access = Access::Token(Arc::new(scope::expect_valid(demand)));
        PingoraModule { rule: Rule::new(self.clone(), access) }
    }

    /// Makes a module that requires a token for every request, like [`Gate::pingora_module`].
    ///
    /// # Errors
    /// A [`ScopeError`] if a scope is not allowed by RFC 6749 §3.3, or the list is empty.
    pub fn try_pingora_module(&self, demand: impl IntoDemand) -> Result<PingoraModule, ScopeError> {
        Ok(self.pingora_module(demand.into_demand()?))
    }
}

impl PingoraModule {
    /// Replaces the demand by a closure that returns one for each request, for routes that require different
    /// scopes or no token. It should decide on the path that the upstream gets, because the two could
    /// interpret another path differently. [`Access`] has an example.
    #[must_use]
    pub fn ask_by(mut self, ask: impl Fn(&RequestHeader) -> Access + Send + Sync + 'static) -> Self {
        self.rule.access = AccessSource::ByRequest(Arc::new(ask));
        self
    }

    /// Adds a closure that must accept the request too, after its token and scopes. See
    /// [`Gate::require_with`]. A second one replaces the first.
    ///
    /// ```
    /// # use tollgate::{Gate, GateSpec};
    /// use pingora::http::RequestHeader;
    /// use tollgate::{Denial, Permit};
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let module = gate.pingora_module("read").and(|permit: &Permit, head: &RequestHeader| {
    ///     match (permit.client_id(), head.uri.path().split('/').nth(1)) {
    ///         (Some(client), Some(owner)) if client == owner => Ok(()),
    ///         _ => Err(Denial::refused("this belongs to another client")),
    ///     }
    /// });
    /// # drop(module);
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn and(
        mut self,
        condition: impl Fn(&Permit, &RequestHeader) -> Result<(), Denial> + Send + Sync + 'static,
    ) -> Self {
        self.rule.condition = Some(Arc::new(condition));
        self
    }

    /// Exempts requests to the gate's own endpoints, which [`serve_endpoint`](super::serve_endpoint) answers.
    #[must_use]
    pub fn with_endpoints(mut self) -> Self {
        self.rule.endpoints = true;
        self
    }

    /// Leaves the token in `Authorization`, for upstreams that need it.
    #[must_use]
    pub fn forward_token(mut self) -> Self {
        self.rule.forward_token = true;
        self
    }
}

impl HttpModuleBuilder for PingoraModule {
    /// Runs before every other module, so that none works for a request that is refused.
    fn order(&self) -> i16 {
        i16::MAX
    }

    fn init(&self) -> Module {
        Box::new(RequireTokenModule {
            rule: self.rule.clone(),
            connection: Connection::default(),
            decision: None,
        })
    }
}

/// The gate's module of one request. [`HttpModuleCtx::get`] finds it in the session's modules.
pub struct RequireTokenModule {
    rule: Rule,
    connection: Connection,
    decision: Option<Result<Permit, Denial>>,
}

impl RequireTokenModule {
    /// Returns the permit, if the request was authorized.
    #[must_use]
    pub fn permit(&self) -> Option<&Permit> {
        self.decision.as_ref()?.as_ref().ok()
    }

    /// Returns the denial, if the request was denied.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        self.decision.as_ref()?.as_ref().err()
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.rule.gate
    }
}

#[async_trait]
impl HttpModule for RequireTokenModule {
    async fn request_header_filter(&mut self, head: &mut RequestHeader) -> pingora::Result<()> {
        if self.rule.is_endpoint(head) {
            return Ok(());
        }
        let decision = self.rule.admit(head, &self.connection).await;
        let failed = match &decision {
            Ok(_) => Ok(()),
            Err(denial) => {
                let status = ErrorType::HTTPStatus(denial.status().as_u16());
                Err(Error::explain(status, denial.description().to_owned()).into_down())
            }
        };
        self.decision = Some(decision);
        failed
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Passes the connection of a request to the gate. Call it in `early_request_filter`, because a module only
/// sees the head of a request. Tokens that are bound to a client certificate (RFC 8705 §3) are refused
/// without it.
///
/// A TLS listener keeps the SHA-256 of the client's certificate. That is enough for such tokens and for
/// clients that are identified by it (`self_signed_tls_client_auth`). Clients identified by a name
/// (`tls_client_auth`) need the certificate itself: let the `handshake_complete_callback` of the listener's
/// `TlsAccept` return a [`ClientCertificate`](crate::plugin::ClientCertificate) in an `Arc`.
///
/// ```
/// use async_trait::async_trait;
/// # use pingora::prelude::HttpPeer;
/// use pingora::proxy::{ProxyHttp, Session};
/// use tollgate::plugin::pingora::note_connection;
///
/// # struct Proxy;
/// # #[async_trait]
/// # impl ProxyHttp for Proxy {
/// #     type CTX = ();
/// #     fn new_ctx(&self) {}
/// #     async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> { unimplemented!() }
/// async fn early_request_filter(&self, session: &mut Session, _: &mut ()) -> pingora::Result<()> {
///     note_connection(&mut session.downstream_modules_ctx, &session.downstream_session);
///     Ok(())
/// }
/// # }
/// ```
pub fn note_connection(modules: &mut HttpModuleCtx, session: &ServerSession) {
    if let Some(module) = modules.get_mut::<RequireTokenModule>() {
        module.connection = Connection::of(session);
    }
}

impl fmt::Debug for PingoraModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PingoraModule").finish_non_exhaustive()
    }
}

impl fmt::Debug for RequireTokenModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireTokenModule").field("decision", &self.decision).finish_non_exhaustive()
    }
}
