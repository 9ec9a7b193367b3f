//! The API for scripts: `/api/v1`.
//!
//! It is an ordinary axum router behind this crate's own [`RequireTokenLayer`](crate::RequireTokenLayer), as the plugin is
//! used in other programs. A caller has a token of this gateway's own token endpoint with the scope `tollgate:admin.read`
//! or `tollgate:admin.write`. Cookies count for nothing here, so a page of another site cannot use a browser's session.

mod access;
mod caller;
mod clients;
mod extract;
mod moment;
mod openapi;
mod paging;
mod routes;
mod scopes;
mod status;
mod tokens;
mod upstreams;

use axum::Router;
use axum::routing::{get, post};

pub(super) use self::status::ready;
use super::problem::Problem;
use super::state::AdminState;
use crate::config::settings::admin::{READ_SCOPE, WRITE_SCOPE};
use crate::gate::Gate;
use crate::oauth::scope::{Requirement, ScopeError, Scopes};

/// Where the API is.
pub(super) const PREFIX: &str = "/api/v1";

/// Makes the routes, each behind the layer that requires a token for it.
pub(super) fn router(gate: &Gate) -> Router<AdminState> {
    let read = Router::new()
        .route("/status", get(status::status))
        .route("/reload", get(status::reload))
        .route("/scopes", get(scopes::list))
        .route("/routes", get(routes::list))
        .route("/upstreams", get(upstreams::list))
        .route("/access", get(access::matrix_page))
        .route("/clients", get(clients::list))
        .route("/clients/{id}", get(clients::one))
        .route("/clients/{id}/tokens", get(tokens::list));
    let write = Router::new().route("/clients/{id}/revoke-tokens", post(tokens::revoke));
    let (Ok(readers), Ok(writers)) = (readers(), Scopes::parse(WRITE_SCOPE)) else {
        // The names are constants, and a test reads them.
        return Router::new();
    };
    let read = read.route_layer(gate.require(readers));
    let write = write.route_layer(gate.require(Requirement::All(writers)));
    read.merge(write)
        .route("/openapi.json", get(openapi::document))
        .fallback(async || {
            Problem::not_found("the API has nothing at this path: /api/v1/openapi.json describes it")
        })
        .method_not_allowed_fallback(async || {
            Problem::new(
                http::StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "this path has other methods",
            )
        })
}

/// Returns what a token needs to read: one of the two scopes.
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
