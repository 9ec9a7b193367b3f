//! The request to a route from which the other requests are derived.

use super::encode::encode;
use super::message::{Field, Message, Protocol, Request};
use super::settings::{Settings, authority};
use crate::config::{Access, Route, Scheme};

/// A header that no route takes tokens from, unless the configuration says so.
pub(super) const AUTHORIZATION: &str = "Authorization";

/// The request to a route from which the other requests are derived.
pub(super) struct Sample<'a> {
    pub(super) route: &'a Route,
    pub(super) protocol: Protocol,
    pub(super) scheme: Scheme,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) host: String,
    /// The header in which the route expects tokens.
    pub(super) token_header: String,
}

impl<'a> Sample<'a> {
    /// Returns the sample of a route, or `None` if the test must not send a request to it.
    pub(super) fn new(route: &'a Route, settings: &Settings, protocol: Protocol) -> Option<Self> {
        Some(Self {
            route,
            protocol,
            scheme: settings.origin.scheme,
            method: settings.method(route)?.to_string(),
            path: route.path.sample(),
            host: route.sample_host().unwrap_or_else(|| authority(&settings.origin)),
            token_header: route.token_header.as_ref().map_or(AUTHORIZATION.to_owned(), ToString::to_string),
        })
    }

    /// Returns the request with these fields, to be changed further.
    pub(super) fn request<'r>(&'r self, fields: &'r [Field]) -> Request<'r> {
        let Self { scheme, method, path, host, .. } = self;
        Request { scheme: *scheme, method, target: path.as_bytes(), host, fields }
    }

    pub(super) fn message(&self, fields: &[Field]) -> Message {
        encode(self.protocol, &self.request(fields))
    }

    pub(super) fn with_target(&self, target: &[u8], fields: &[Field]) -> Message {
        encode(self.protocol, &Request { target, ..self.request(fields) })
    }

    pub(super) fn with_method(&self, method: &str) -> Message {
        encode(self.protocol, &Request { method, ..self.request(&[]) })
    }

    pub(super) fn with_token(&self, token: &str) -> Message {
        self.message(&[Field::token(&self.token_header, token)])
    }

    pub(super) fn is_public(&self) -> bool {
        self.route.access == Access::Public
    }
}
