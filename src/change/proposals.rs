//! Converts the proposals of shadow mode into operations of a draft.

use super::edit::ListEdit;
use super::operation::Operation;
use super::routes::RouteAddress;
use crate::config::{Config, Mode};
use crate::shadow::Proposal;

/// Returns the operations that make the change that shadow mode proposes. The list is empty if a person has
/// to decide first, for example about a scope or about the secret of a new client.
pub(crate) fn operations(proposal: &Proposal, config: &Config) -> Vec<Operation> {
    let add = |names: &[String]| ListEdit { add: names.to_vec(), ..ListEdit::default() };
    match proposal {
        Proposal::AddScopes { client, scopes, .. } => {
            vec![Operation::ClientScopes { id: client.clone(), scopes: add(scopes) }]
        }
        Proposal::AddDefaultScopes { client, scopes, .. } => {
            vec![Operation::ClientDefaultScopes { id: client.clone(), scopes: add(scopes) }]
        }
        Proposal::AddAudience { client, audience, .. } => vec![Operation::ClientAudiences {
            id: client.clone(),
            audiences: add(std::slice::from_ref(audience)),
        }],
        Proposal::RemoveScopes { client, scopes } => {
            let scopes = ListEdit { remove: scopes.clone(), ..ListEdit::default() };
            vec![Operation::ClientScopes { id: client.clone(), scopes }]
        }
        Proposal::Enforce { route } => {
            let route = config.routes.iter().find(|known| known.label() == *route);
            let enforce =
                |route| Operation::RouteMode { route: RouteAddress::of_route(route), mode: Mode::Enforce };
            route.map(enforce).into_iter().collect()
        }
        Proposal::ChooseScope { .. } | Proposal::RequestAudience { .. } | Proposal::NewClient { .. } => {
            Vec::new()
        }
    }
}
