//! The changes that a route and its upstream make to the headers of a request.

use http::{HeaderName, HeaderValue};

use super::spelling::same_variable;

/// The changes to the headers of a forwarded request. A route without changes has no rules.
#[derive(Debug, Default)]
pub(crate) struct RequestRules {
    /// The client's headers that are removed, in any spelling. They include the headers that are set.
    removed: Vec<HeaderName>,
    /// The headers that the gateway sets: those of the route, and the credentials of the upstream.
    pub(crate) set: Vec<(HeaderName, HeaderValue)>,
    /// The header for the client id.
    pub(crate) client_id: IdentityHeader,
    /// Whether the gateway sends a trace context.
    traced: bool,
    /// The header for the JWT, if the gateway sends one.
    jwt: Option<HeaderName>,
    /// The header for the scopes of the token.
    pub(crate) scope: IdentityHeader,
}

/// The header for a part of the client's identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum IdentityHeader {
    /// The default header.
    #[default]
    Usual,
    /// Another header.
    Named(HeaderName),
    /// No header.
    Off,
}

impl IdentityHeader {
    /// Returns the name of the header, given its default.
    pub(super) fn name<'a>(&'a self, usual: &'a HeaderName) -> &'a HeaderName {
        if let Self::Named(name) = self { name } else { usual }
    }

    /// Returns whether this is the header for that part of the identity.
    pub(super) fn is_sent(&self) -> bool {
        *self != Self::Off
    }
}

impl RequestRules {
    /// Adds a header of the client to remove.
    pub(crate) fn remove(&mut self, name: HeaderName) {
        if !self.removed.contains(&name) {
            self.removed.push(name);
        }
    }

    /// Adds a header to set. It replaces the client's header of that name.
    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.set.retain(|(other, _)| *other != name);
        self.remove(name.clone());
        self.set.push((name, value));
    }

    /// Sets the headers for the client id and the scopes. The client's own headers of these names are
    /// removed.
    pub(crate) fn identify(&mut self, client_id: IdentityHeader, scope: IdentityHeader) {
        for header in [&client_id, &scope] {
            if let IdentityHeader::Named(name) = header {
                self.remove(name.clone());
            }
        }
        (self.client_id, self.scope) = (client_id, scope);
    }

    /// Sends a JWT in this header. The client's own headers of this name are removed.
    pub(crate) fn send_jwt(&mut self, name: HeaderName) {
        self.remove(name.clone());
        self.jwt = Some(name);
    }

    /// Returns the header for the JWT, if the gateway sends one.
    pub(crate) fn jwt(&self) -> Option<&HeaderName> {
        self.jwt.as_ref()
    }

    /// Removes the trace context of the client. The gateway sends another one, or the client's again.
    pub(crate) fn trace(&mut self) {
        self.traced = true;
        self.remove(HeaderName::from_static("traceparent"));
        self.remove(HeaderName::from_static("tracestate"));
    }

    /// Returns whether the gateway sends a trace context.
    pub(crate) fn is_traced(&self) -> bool {
        self.traced
    }

    /// Returns whether a header of the client is removed.
    pub(crate) fn removes(&self, name: &[u8]) -> bool {
        self.removed.iter().any(|removed| same_variable(removed.as_str().as_bytes(), name))
    }

    /// Returns whether there are no changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.removed.is_empty()
            && self.client_id == IdentityHeader::Usual
            && self.scope == IdentityHeader::Usual
    }
}
