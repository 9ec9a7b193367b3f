//! Proposals as operations of a draft.

use super::proposal::Proposal;
use crate::change::operation::{Operation, RouteMode};
use crate::change::{ListEdit, RouteAddress};
use crate::config::{Config, Methods, Route};

impl Proposal {
    /// Returns the operations that make the change. There are none if a person has to decide first: which scope, and the
    /// secret of a new client.
    pub(crate) fn operations(&self, config: &Config) -> Vec<Operation> {
        let add = |names: &[String]| ListEdit { add: names.to_vec(), ..ListEdit::default() };
        match self {
            Self::AddScopes { client, scopes, .. } => {
                vec![Operation::ClientScopes { id: client.clone(), scopes: add(scopes) }]
            }
            Self::AddDefaultScopes { client, scopes, .. } => {
                vec![Operation::ClientDefaultScopes { id: client.clone(), scopes: add(scopes) }]
            }
            Self::AddAudience { client, audience, .. } => vec![Operation::ClientAudiences {
                id: client.clone(),
                audiences: add(std::slice::from_ref(audience)),
            }],
            Self::RemoveScopes { client, scopes } => {
                let scopes = ListEdit { remove: scopes.clone(), ..ListEdit::default() };
                vec![Operation::ClientScopes { id: client.clone(), scopes }]
            }
            Self::Enforce { route } => {
                let route = config.routes.iter().find(|known| known.label() == *route);
                let mode = RouteMode::Enforce;
                route.map(|route| Operation::RouteMode { route: address(route), mode }).into_iter().collect()
            }
            Self::ChooseScope { .. } | Self::RequestAudience { .. } | Self::NewClient { .. } => Vec::new(),
        }
    }
}

/// Returns the address of a route in the file.
fn address(route: &Route) -> RouteAddress {
    let pattern = Some(route.path.as_str().to_owned());
    let (path, prefix) = if route.path.is_prefix() { (None, pattern) } else { (pattern, None) };
    let methods = match &route.methods {
        Methods::All => Vec::new(),
        Methods::Only(methods) => methods.iter().map(|method| method.as_str().to_owned()).collect(),
    };
    RouteAddress { hosts: route.hosts.iter().map(ToString::to_string).collect(), path, prefix, methods }
}
