//! The API for scripts: `/api/v1`.
//!
//! The API is an ordinary axum router behind this crate's own
//! [`RequireTokenLayer`](crate::RequireTokenLayer), which other programs use in the same way. A caller
//! presents a token from this gateway's token endpoint with the scope `tollgate:admin.read` or
//! `tollgate:admin.write`. Cookies are ignored, so a page of another site cannot use a browser's session.

mod access;
mod act;
mod audit;
mod caller;
mod clients;
mod commits;
mod drafts;
mod extract;
mod headers;
mod history;
mod idempotency;
mod live;
mod moment;
mod openapi;
mod paging;
mod prefix;
mod previews;
mod questions;
mod registered;
mod routes;
mod scopes;
mod shadow;
mod status;
mod tokens;
mod upstreams;

use std::sync::Arc;

use axum::{Router, middleware};

use self::idempotency::Outcomes;
pub(super) use self::prefix::PREFIX;
pub(super) use self::status::ready;
use super::endpoint::{delete, endpoint, get, patch, post};
use super::problem::Problem;
use super::state::AdminState;
use crate::config::settings::admin::{READ_SCOPE, WRITE_SCOPE};
use crate::gate::Gate;
use crate::oauth::scope::{Requirement, ScopeError, Scopes};

/// Makes the routes, each behind the layer that requires a token for it.
pub(super) fn router(gate: &Gate) -> Router<AdminState> {
    let read = Router::new()
        .route("/status", get(status::status))
        .route("/reload", get(status::reload))
        .route("/live", get(live::live))
        .route("/scopes", get(scopes::list))
        .route("/routes", get(routes::list))
        .route("/upstreams", get(upstreams::list))
        .route("/access", get(access::matrix_page))
        .route("/clients", get(clients::list))
        .route("/clients/{id}", get(clients::one))
        .route("/registered-clients", get(registered::list))
        .route("/clients/{id}/tokens", get(tokens::list))
        .route("/explain", post(questions::explain))
        .route("/check", post(questions::check))
        .route("/drafts", get(drafts::list))
        .route("/drafts/damaged", get(drafts::damaged))
        .route("/drafts/{id}", get(drafts::one))
        .route("/drafts/{id}/grants", get(previews::grants))
        .route("/drafts/{id}/diff", get(previews::diff))
        .route("/drafts/{id}/text", get(previews::text))
        .route("/drafts/{id}/patch", get(previews::patch))
        .route("/history", get(history::list))
        .route("/history/{number}", get(history::one))
        .route("/shadow", get(shadow::list))
        .route("/shadow/proposals", get(shadow::proposals))
        .route("/audit", get(audit::list));
    let write = Router::new()
        .route("/clients/{id}/revoke-tokens", post(tokens::revoke))
        .route("/drafts", post(drafts::begin))
        .route("/drafts/{id}", patch(drafts::rename).merge(delete(drafts::discard)))
        .route("/drafts/{id}/operations", post(drafts::add))
        .route("/drafts/{id}/operations/{index}", delete(drafts::remove_operation))
        .route("/drafts/{id}/rebase", post(drafts::rebase))
        .route("/drafts/{id}/commit", post(commits::commit))
        .route("/changes", post(commits::change))
        .route("/history/{number}/confirm", post(history::confirm))
        .route("/history/{number}/undo", post(history::undo))
        .route("/history/{number}/rollback", post(history::roll_back))
        .route_layer(middleware::from_fn_with_state(Arc::<Outcomes>::default(), idempotency::once));
    let (Ok(readers), Ok(writers)) = (readers(), Scopes::parse(WRITE_SCOPE)) else {
        // The names are constants, and a test parses them.
        return Router::new();
    };
    let read = read.route_layer(gate.require(readers));
    let write = write.route_layer(gate.require(Requirement::All(writers)));
    read.merge(write)
        .route("/openapi.json", get(openapi::document))
        .fallback(endpoint(async || {
            Problem::not_found("the API has nothing at this path: /api/v1/openapi.json describes it")
        }))
        .method_not_allowed_fallback(endpoint(async || {
            Problem::new(
                http::StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "this path has other methods",
            )
        }))
}

/// Returns the requirement for reading: one of the two scopes.
fn readers() -> Result<Requirement, ScopeError> {
    Scopes::from_tokens([READ_SCOPE, WRITE_SCOPE]).map(Requirement::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scopes_are_scopes() {
        assert!(readers().is_ok() && Scopes::parse(WRITE_SCOPE).is_ok());
    }
}
