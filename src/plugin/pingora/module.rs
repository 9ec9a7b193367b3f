use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::http::RequestHeader;
use pingora::modules::http::{HttpModule, HttpModuleBuilder, Module};
use pingora::{Error, ErrorType};

use super::rule::Rule;
use crate::gate::Gate;
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::Requirement;

/// Makes the module of each request. Made by [`Gate::pingora_module`].
#[derive(Clone)]
pub struct PingoraModule {
    rule: Rule,
}

impl Gate {
    /// A module that asks for a token with these scopes before every request of a pingora proxy.
    #[must_use]
    pub fn pingora_module(&self, requirement: Requirement) -> PingoraModule {
        PingoraModule { rule: Rule::new(self.clone(), requirement) }
    }
}

impl PingoraModule {
    /// Asks by request instead: routes of a proxy that need different scopes. Decide on what the upstream gets, or
    /// the two can disagree about what a path means.
    #[must_use]
    pub fn ask_by(
        mut self,
        ask: impl Fn(&RequestHeader) -> Arc<Requirement> + Send + Sync + 'static,
    ) -> Self {
        self.rule.ask_by(Arc::new(ask));
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
}

impl HttpModuleBuilder for PingoraModule {
    /// Before every other module: none should work for a request that may not pass.
    fn order(&self) -> i16 {
        i16::MAX
    }

    fn init(&self) -> Module {
        Box::new(RequireTokenModule { rule: self.rule.clone(), verdict: None })
    }
}

/// The gate's part in one request. Found by
/// [`HttpModuleCtx::get`](pingora::modules::http::HttpModuleCtx::get) in the session's modules.
pub struct RequireTokenModule {
    rule: Rule,
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
        let verdict = self.rule.admit(head);
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
