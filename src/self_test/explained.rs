//! What `tollgate explain` says about a request.

use std::cell::RefCell;
use std::collections::HashMap;

use http::Method;

use super::error::SelfTestError;
use crate::access::explain::{
    Credential, ExplainError, Explanation, SampleRequest, Target, Verdict, explain,
};
use crate::config::{Config, Scheme};
use crate::gateway::build;

/// The configuration that requests are explained with.
pub(super) struct Explained<'a> {
    pub(super) config: &'a Config,
    scheme: Scheme,
    /// The verdicts so far, by method, path, host and credential. The attacks are planned again for each new
    /// token.
    known: RefCell<HashMap<[String; 4], Known>>,
}

/// What is known about a request.
#[derive(Clone, Copy)]
struct Known {
    is_refused: bool,
    /// The line of the route that takes it.
    line: Option<u32>,
}

impl<'a> Explained<'a> {
    pub(super) fn new(config: &'a Config, scheme: Scheme) -> Self {
        Self { config, scheme, known: RefCell::default() }
    }

    /// Returns whether the gateway must refuse a request.
    pub(super) fn refuses(
        &self,
        method: &str,
        target: &[u8],
        host: &str,
        credential: Credential,
    ) -> Result<bool, SelfTestError> {
        let (Ok(method), Ok(target)) = (Method::from_bytes(method.as_bytes()), str::from_utf8(target)) else {
            return Ok(true);
        };
        // Only the part behind the authority of an absolute target decides, and its host.
        let (host, path) = match target.strip_prefix("http://") {
            None => (host, target),
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (authority, path)
            }
        };
        if !path.starts_with('/') {
            return Ok(true);
        }
        let path = path.split_once('#').map_or(path, |(path, _)| path);
        Ok(self.known(method, path, host, credential)?.is_refused)
    }

    /// Returns the line of the route that takes a request.
    pub(super) fn reached(&self, method: &str, path: &str, host: &str) -> Result<Option<u32>, SelfTestError> {
        let Ok(method) = Method::from_bytes(method.as_bytes()) else { return Ok(None) };
        Ok(self.known(method, path, host, Credential::None)?.line)
    }

    fn known(
        &self,
        method: Method,
        path: &str,
        host: &str,
        credential: Credential,
    ) -> Result<Known, SelfTestError> {
        let key = [method.to_string(), path.to_owned(), host.to_owned(), format!("{credential:?}")];
        if let Some(known) = self.known.borrow().get(&key) {
            return Ok(*known);
        }
        let explanation = self.explain(method, path, host, credential)?;
        let is_refused = matches!(explanation.verdict, Verdict::Refused { .. });
        let known = Known { is_refused, line: explanation.route.map(|route| route.position.line) };
        self.known.borrow_mut().insert(key, known);
        Ok(known)
    }

    fn explain(
        &self,
        method: Method,
        path: &str,
        host: &str,
        credential: Credential,
    ) -> Result<Explanation<'_>, SelfTestError> {
        let target = Target {
            scheme: Some(self.scheme),
            authority: Some(host.to_owned()),
            path: path.to_owned(),
            query: None,
        };
        let sample = SampleRequest {
            method,
            target,
            credential,
            from: None,
            origin: None,
            request_method: None,
            body: 0,
        };
        match explain(self.config, &sample, |config| build::rules(config, None)) {
            Ok(explanation) => Ok(explanation),
            Err(ExplainError::Rules(error)) => Err(SelfTestError::Usage(error.to_string())),
            Err(ExplainError::Gate(error)) => Err(SelfTestError::Failed(error.to_string())),
            Err(ExplainError::Token) => {
                Err(SelfTestError::Failed("a token for a sample cannot be made".to_owned()))
            }
        }
    }
}
