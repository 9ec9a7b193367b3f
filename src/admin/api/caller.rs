//! The caller of the API.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::admin::peer::Peer;
use crate::admin::problem::Problem;
use crate::config::Role;
use crate::config::settings::admin::WRITE_SCOPE;
use crate::oauth::decide::Permit;

/// The client whose token the request carries. It never has the role of an owner.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) client: String,
    pub(super) role: Role,
    pub(super) peer: Peer,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let peer = Peer::from_request_parts(parts, state).await?;
        // The layer in front of every handler has inserted it.
        let permit = parts.extensions.get::<Permit>().ok_or_else(Problem::internal)?;
        let client = permit.client_id().ok_or_else(Problem::internal)?.to_owned();
        let writes = permit.scopes().is_some_and(|scopes| scopes.contains(WRITE_SCOPE));
        Ok(Self { client, role: if writes { Role::Editor } else { Role::Viewer }, peer })
    }
}
