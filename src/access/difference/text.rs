//! Differences in access, in words.

use std::fmt;

use super::Change;
use crate::access::reach::SenderConstraint;

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms = |terms: &[String]| if terms.is_empty() { "none".to_owned() } else { terms.join("; ") };
        let shown = |constraint: &SenderConstraint| constraint.description().unwrap_or("nothing");
        match self {
            Self::BecomesPublic { route } => write!(f, "{route} becomes public: it needs no token"),
            Self::BecomesProtected { route, needs } => {
                write!(f, "{route} is no longer public: it needs {needs}")
            }
            Self::BecomesShadow { route } => {
                write!(f, "{route} is in shadow mode: it forwards requests without a valid token")
            }
            Self::BecomesEnforced { route, needs } => {
                write!(f, "{route} leaves shadow mode: it refuses requests without {needs}")
            }
            Self::RouteRemoved { route } => write!(f, "{route} is removed"),
            Self::Redirected { route, before, after } => {
                write!(f, "{route} goes to {after} instead of {before}")
            }
            Self::ClientTermsChanged { client, added, removed, .. } => {
                write!(
                    f,
                    "client \"{client}\" has other terms: {} instead of {}",
                    terms(added),
                    terms(removed)
                )
            }
            Self::GatewayTermsChanged { added, removed, .. } => {
                write!(f, "the gateway has other terms: {} instead of {}", terms(added), terms(removed))
            }
            Self::TermsChanged { route, added, removed, .. } => {
                write!(f, "{route} has other terms: {} instead of {}", terms(added), terms(removed))
            }
            Self::Gained { client, route } => write!(f, "client \"{client}\" gets through {route}"),
            Self::Lost { client, route } => write!(f, "client \"{client}\" no longer gets through {route}"),
            Self::SenderConstraint { client, before, after } => {
                let (after, before) = (shown(after), shown(before));
                write!(f, "client \"{client}\" has to show {after} with its tokens instead of {before}")
            }
            Self::MayIntrospect { client } => {
                write!(f, "client \"{client}\" may ask about the tokens of all clients (introspection)")
            }
            Self::MayNotIntrospect { client } => {
                write!(f, "client \"{client}\" may no longer ask about tokens (introspection)")
            }
            Self::CredentialAdded { client, credential } => {
                write!(f, "client \"{client}\" can authenticate with a new {credential}")
            }
            Self::CredentialRemoved { client, credential } => {
                write!(f, "client \"{client}\" can no longer authenticate with its {credential}")
            }
            Self::Registration(change) => write!(f, "{change}"),
        }
    }
}
