//! What a route and its upstream change in the headers of a request.

use http::{HeaderName, HeaderValue};

use super::spelling::same_variable;

/// Changes to the headers of a request that goes upstream. A route without any has none of these.
#[derive(Debug, Default)]
pub(crate) struct RequestRules {
    /// The headers of the client that do not go on, in any spelling: those that are set are among them.
    removed: Vec<HeaderName>,
    /// What the gateway sets: the route's own headers, and the upstream's credentials.
    pub(crate) set: Vec<(HeaderName, HeaderValue)>,
    /// Where the client's id is said.
    pub(crate) client_id: IdentityHeader,
    /// Where the scopes of its token are said.
    pub(crate) scope: IdentityHeader,
}

/// Where something about the client is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum IdentityHeader {
    /// In the usual header.
    #[default]
    Usual,
    /// In this one instead.
    Named(HeaderName),
    /// Nowhere.
    Off,
}

impl IdentityHeader {
    /// Returns the name of the header.
    pub(super) fn name<'a>(&'a self, usual: &'a HeaderName) -> &'a HeaderName {
        if let Self::Named(name) = self { name } else { usual }
    }

    /// Returns whether there is such a header.
    pub(super) fn is_sent(&self) -> bool {
        *self != Self::Off
    }
}

impl RequestRules {
    /// Removes a header of the client.
    pub(crate) fn remove(&mut self, name: HeaderName) {
        if !self.removed.contains(&name) {
            self.removed.push(name);
        }
    }

    /// Sets a header, instead of the client's of that name.
    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.set.retain(|(other, _)| *other != name);
        self.remove(name.clone());
        self.set.push((name, value));
    }

    /// Says the client's id, or its scopes, in other headers than usual. Nobody else may say something there.
    pub(crate) fn identify(&mut self, client_id: IdentityHeader, scope: IdentityHeader) {
        for header in [&client_id, &scope] {
            if let IdentityHeader::Named(name) = header {
                self.remove(name.clone());
            }
        }
        (self.client_id, self.scope) = (client_id, scope);
    }

    /// Returns whether a header of the client does not go on.
    pub(crate) fn removes(&self, name: &[u8]) -> bool {
        self.removed.iter().any(|removed| same_variable(removed.as_str().as_bytes(), name))
    }

    /// Returns whether nothing is changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.removed.is_empty()
            && self.client_id == IdentityHeader::Usual
            && self.scope == IdentityHeader::Usual
    }
}
