//! The scopes.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::extract::InQuery;
use super::paging::{Page, PageQuery};
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::config::{Access, Config, Scope};

/// A scope, with the clients and routes that name it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct ScopeView {
    name: String,
    description: String,
    /// The clients that may ask for it.
    clients: Vec<String>,
    /// The number of routes that need the scope.
    routes: usize,
    line: u32,
}

/// Lists the scopes.
#[cfg_attr(test, utoipa::path(get, path = "/scopes", tag = "configuration", params(PageQuery), responses((status = 200, body = Page<ScopeView>), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn list(
    State(state): State<AdminState>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<ScopeView>>, Problem> {
    let config = state.config();
    query.page(&config.scopes, |scope| scope.name.clone(), |scope| view(&config, scope)).map(Json)
}

fn view(config: &Config, scope: &Scope) -> ScopeView {
    let clients = config.clients.iter().filter(|client| client.scopes.contains(&scope.name));
    let needs = |access: &Access| match access {
        Access::Public => false,
        Access::Token { requirement, .. } => {
            requirement.missing(&crate::oauth::scope::Scopes::none()).contains(&scope.name.as_str())
        }
    };
    ScopeView {
        name: scope.name.clone(),
        description: scope.description.clone(),
        clients: clients.map(|client| client.id.to_string()).collect(),
        routes: config.routes.iter().filter(|route| needs(&route.access)).count(),
        line: scope.position.line,
    }
}
