//! Decides whether a client has access to a route.

use crate::config::{Access, Client, Route};
use crate::oauth::scope::Requirement;

/// The proof that a sender must present with a token, because the token is bound to a key or a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SenderConstraint {
    /// A DPoP proof (RFC 9449).
    pub(crate) key: bool,
    /// The client certificate that the token is bound to (RFC 8705 §3).
    pub(crate) certificate: bool,
}

impl SenderConstraint {
    /// Returns the constraint on all tokens of a client. A client may bind single tokens to a key beyond
    /// this.
    pub(crate) fn of(client: &Client) -> Self {
        Self { key: client.dpop_bound_tokens, certificate: client.certificate_bound_tokens }
    }

    /// Returns the names that scripts see.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let names = [(self.key, "dpop"), (self.certificate, "certificate")];
        names.into_iter().filter_map(|(there, name)| there.then_some(name)).collect()
    }

    /// Describes the required proof, or returns `None` for a plain bearer token.
    pub(crate) fn description(self) -> Option<&'static str> {
        match (self.key, self.certificate) {
            (false, false) => None,
            (true, false) => Some("DPoP proof"),
            (false, true) => Some("client certificate"),
            (true, true) => Some("DPoP proof and client certificate"),
        }
    }
}

/// The reason why a client gets no tokens at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShutOut {
    /// The client is disabled.
    Disabled,
    /// The client lacks the `client_credentials` capability.
    NoCapability,
}

impl ShutOut {
    /// Returns why a client gets no tokens, or `None` if it does.
    pub(crate) fn of(client: &Client) -> Option<Self> {
        if !client.enabled {
            Some(Self::Disabled)
        } else if !client.capabilities.client_credentials {
            Some(Self::NoCapability)
        } else {
            None
        }
    }

    /// Returns the reason in few words.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::NoCapability => "may not get tokens",
        }
    }
}

/// Whether a client has access to a route with the best token that it may request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach<'r> {
    /// The client has access, and must present this proof with each request.
    Allowed(SenderConstraint),
    /// The client gets no tokens.
    ShutOut(ShutOut),
    /// The client may not request tokens for this audience.
    WrongAudience(&'r str),
    /// The client may not request these scopes. If `any` is set, one of them would be enough.
    MissingScopes { scopes: Vec<&'r str>, any: bool },
}

impl<'r> Reach<'r> {
    /// Returns whether `client` has access to `route`, or why not.
    pub(crate) fn of(client: &Client, route: &'r Route) -> Self {
        let Access::Token { requirement, audience } = &route.access else {
            return Self::Allowed(SenderConstraint::default());
        };
        if let Some(reason) = ShutOut::of(client) {
            return Self::ShutOut(reason);
        }
        if let Some(audience) = audience.as_deref().filter(|wanted| !may_ask_for(client, wanted)) {
            return Self::WrongAudience(audience);
        }
        match requirement.missing(&client.scopes) {
            scopes if scopes.is_empty() => Self::Allowed(SenderConstraint::of(client)),
            scopes => Self::MissingScopes { scopes, any: matches!(requirement, Requirement::Any(_)) },
        }
    }

    /// Returns whether the client has access.
    pub(crate) fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// Returns the scopes and the audience that a token needs for a route. If one of several scopes is enough,
/// the function chooses one that the client may request.
pub(crate) fn needs(route: &Route, client: Option<&Client>) -> (Option<String>, Option<String>) {
    let Access::Token { requirement, audience } = &route.access else { return (None, None) };
    let scopes = match requirement {
        Requirement::AnyToken => None,
        Requirement::All(scopes) => Some(scopes.to_string()),
        Requirement::Any(scopes) => {
            let may = |scope: &&str| client.is_none_or(|client| client.scopes.contains(scope));
            scopes.iter().find(may).map(str::to_owned)
        }
    };
    (scopes, audience.clone())
}

/// Returns whether a client may request tokens for an audience (RFC 8707).
pub(crate) fn may_ask_for(client: &Client, audience: &str) -> bool {
    client.audiences.iter().any(|known| known == audience)
}
