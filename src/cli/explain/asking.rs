//! The request that is to be explained.

use std::net::IpAddr;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderValue, Method, Request, request};

use super::Arguments;
use super::holder::Holder;
use super::target::Target;
use crate::cli::failure::Failure;
use crate::config::{Config, parse_size};

/// All that is known of the request and of who makes it.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) holder: Holder,
    /// The address that it comes from.
    pub(super) from: Option<IpAddr>,
    /// The page that makes it.
    pub(super) origin: Option<HeaderValue>,
    /// What a preflight is for.
    pub(super) request_method: Option<HeaderValue>,
    /// The size of its body, in bytes.
    pub(super) body: u64,
}

impl Asking {
    pub(super) fn read(config: &Config, arguments: Arguments) -> Result<Self, Failure> {
        let target = Target::parse(&arguments.url).map_err(Failure::config)?;
        let method = method(&arguments.method)?;
        let body = match &arguments.body {
            None => 0,
            Some(text) => parse_size(text).map_err(|error| Failure::config(format!("--body: {error}")))?,
        };
        let header = |text: &Option<String>, name: &str| match text.as_deref().map(HeaderValue::from_str) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(Failure::config(format!("{name} cannot stand in a header"))),
        };
        let origin = header(&arguments.origin, "--origin")?;
        if let Some(text) = &arguments.request_method {
            self::method(text)?;
        }
        let request_method = header(&arguments.request_method, "--request-method")?;
        let from = arguments.from;
        let holder = Holder::find(config, arguments)?;
        Ok(Self { method, target, holder, from, origin, request_method, body })
    }

    /// The head, as far as a browser's questions go.
    pub(super) fn head(&self) -> request::Parts {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = self.method.clone();
        let fields = [(ORIGIN, &self.origin), (ACCESS_CONTROL_REQUEST_METHOD, &self.request_method)];
        parts.headers.extend(fields.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        parts
    }
}

fn method(text: &str) -> Result<Method, Failure> {
    Method::from_bytes(text.as_bytes()).map_err(|_| Failure::config(format!("{text:?} is no method")))
}
