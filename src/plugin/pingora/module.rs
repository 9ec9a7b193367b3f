use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::apps::http_app::ServeHttp;
use pingora::http::RequestHeader;
use pingora::modules::http::{HttpModule, HttpModuleBuilder, Module};
use pingora::{Error, ErrorType};

use super::access::Access;
use super::app::RequireTokenApp;
use super::connection::Connection;
use super::rule::{Asked, Rule};
use crate::gate::Gate;
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::Demand;

/// Makes the module of each request. Made by [`Gate::pingora_module`].
#[derive(Clone)]
pub struct PingoraModule {
    rule: Rule,
}

impl Gate {
    /// A module that asks for a token before every request of a pingora proxy: with some scopes (a
    /// [`Requirement`](crate::oauth::scope::Requirement)), or for one resource too (a [`Demand`]). It is to be added in
    /// `init_downstream_modules`; see [`crate::plugin::pingora`] for the rest of the proxy.
    ///
    /// ```
    /// use pingora::modules::http::HttpModules;
    /// use tollgate::gate::{Gate, GateSpec};
    /// use tollgate::oauth::scope::Requirement;
    ///
    /// let gate = Gate::builder(GateSpec::default()).build()?;
    /// let mut modules = HttpModules::new();
    /// modules.add_module(Box::new(gate.pingora_module(Requirement::all(["read"])?).with_endpoints()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pingora_module(&self, demand: impl Into<Demand>) -> PingoraModule {
        PingoraModule { rule: Rule::new(self.clone(), Access::token(demand)) }
    }
}

impl PingoraModule {
    /// Asks by request instead: routes of a proxy that need different scopes, or none. Decide on what the upstream gets,
    /// or the two can disagree about what a path means. [`Access`] has an example.
    #[must_use]
    pub fn ask_by(mut self, ask: impl Fn(&RequestHeader) -> Access + Send + Sync + 'static) -> Self {
        self.rule.access = Asked::ByRequest(Arc::new(ask));
        self
    }

    /// Asks a closure too, once a token and its scopes are found good: see
    /// [`Gate::require_with`](crate::gate::Gate::require_with). One at a time: another takes its place.
    ///
    /// ```
    /// # use tollgate::gate::{Gate, GateSpec};
    /// # use tollgate::oauth::scope::Requirement;
    /// use pingora::http::RequestHeader;
    /// use tollgate::oauth::decide::Permit;
    /// use tollgate::oauth::denial::Denial;
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let module = gate.pingora_module(Requirement::AnyToken).and(|permit: &Permit, head: &RequestHeader| {
    ///     match (permit.client_id(), head.uri.path().split('/').nth(1)) {
    ///         (Some(client), Some(owner)) if client == owner => Ok(()),
    ///         _ => Err(Denial::Refused("this belongs to another client")),
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

    /// Lets requests to the gate's own endpoints by, for [`serve_endpoint`](super::serve_endpoint) to answer.
    #[must_use]
    pub fn with_endpoints(mut self) -> Self {
        self.rule.endpoints = true;
        self
    }

    /// Leaves the token in `Authorization`, for upstreams that need to see it.
    #[must_use]
    pub fn forward_token(mut self) -> Self {
        self.rule.forward_token = true;
        self
    }

    /// The same rule around an HTTP app, which has no modules: an app's server drops the connection of a request that a
    /// module fails, without an answer.
    ///
    /// ```
    /// use async_trait::async_trait;
    /// use http::Response;
    /// use pingora::apps::http_app::{HttpServer, ServeHttp};
    /// use pingora::protocols::http::ServerSession;
    /// use tollgate::gate::{Gate, GateSpec};
    /// use tollgate::oauth::scope::Requirement;
    ///
    /// struct Hello;
    ///
    /// #[async_trait]
    /// impl ServeHttp for Hello {
    ///     async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
    ///         let client = session.get_header_bytes("x-client-id");
    ///         Response::new([b"hello, ", client].concat())
    ///     }
    /// }
    ///
    /// let gate = Gate::builder(GateSpec::default()).build()?;
    /// let read = gate.pingora_module(Requirement::all(["read"])?).with_endpoints();
    /// let app = HttpServer::new_app(read.around(Hello));
    /// # drop(app);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn around<A: ServeHttp>(self, app: A) -> RequireTokenApp<A> {
        RequireTokenApp { app, rule: self.rule }
    }
}

impl HttpModuleBuilder for PingoraModule {
    /// Before every other module: none should work for a request that may not pass.
    fn order(&self) -> i16 {
        i16::MAX
    }

    fn init(&self) -> Module {
        Box::new(RequireTokenModule {
            rule: self.rule.clone(),
            connection: Connection::default(),
            verdict: None,
        })
    }
}

/// The gate's part in one request. Found by
/// [`HttpModuleCtx::get`](pingora::modules::http::HttpModuleCtx::get) in the session's modules.
pub struct RequireTokenModule {
    rule: Rule,
    pub(super) connection: Connection,
    verdict: Option<Result<Permit, Denial>>,
}

impl RequireTokenModule {
    /// The leave this request has.
    #[must_use]
    pub fn permit(&self) -> Option<&Permit> {
        self.verdict.as_ref()?.as_ref().ok()
    }

    /// Why this request may not pass.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        self.verdict.as_ref()?.as_ref().err()
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
        let verdict = self.rule.admit(head, &self.connection);
        let failed = match &verdict {
            Ok(_) => Ok(()),
            Err(denial) => {
                let status = ErrorType::HTTPStatus(denial.status().as_u16());
                Err(Error::explain(status, denial.description()).into_down())
            }
        };
        self.verdict = Some(verdict);
        failed
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl fmt::Debug for PingoraModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PingoraModule").finish_non_exhaustive()
    }
}

impl fmt::Debug for RequireTokenModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireTokenModule").field("verdict", &self.verdict).finish_non_exhaustive()
    }
}
