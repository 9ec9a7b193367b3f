//! The access matrix.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::extract::InQuery;
use super::paging::{Page, PageQuery};
use super::routes::{self, RouteView};
use crate::access::matrix::{Row, matrix};
use crate::access::reach::Reach;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::config::{Client, Config};

/// A route of the matrix.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct RowView {
    route: RouteView,
    /// The clients, in the order of the file.
    clients: Vec<CellView>,
}

/// The access of a client to a route.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct CellView {
    client: String,
    allowed: bool,
    /// The reason why the route refuses the client.
    reason: Option<&'static str>,
    /// The scopes that the client lacks.
    missing: Vec<String>,
    /// The proof that the client must send with its token: `dpop` or `certificate`.
    sender_constraint: Vec<&'static str>,
}

/// Shows which client has access to which route. The most specific route comes first.
#[cfg_attr(test, utoipa::path(get, path = "/access", tag = "configuration", params(PageQuery), responses((status = 200, body = Page<RowView>), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn matrix_page(
    State(state): State<AdminState>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<RowView>>, Problem> {
    let config = state.config();
    let index =
        |row: &Row<'_>| config.routes.iter().position(|route| std::ptr::eq(route, row.route)).unwrap_or(0);
    query
        .page(matrix(&config), |row| index(row).to_string(), |row| view(&config, index(&row), &row))
        .map(Json)
}

fn view(config: &Config, index: usize, row: &Row<'_>) -> RowView {
    let cells = row.cells.iter().map(|(client, reach)| cell(client, reach));
    RowView { route: routes::view(config, index, row.route), clients: cells.collect() }
}

fn cell(client: &Client, reach: &Reach<'_>) -> CellView {
    let (reason, missing, constraint) = match reach {
        Reach::Allowed(constraint) => (None, Vec::new(), constraint.names()),
        Reach::ShutOut(reason) => (Some(reason.as_str()), Vec::new(), Vec::new()),
        Reach::WrongAudience(_) => (Some("audience"), Vec::new(), Vec::new()),
        Reach::MissingScopes { scopes, .. } => {
            (Some("scope missing"), scopes.iter().map(|scope| (*scope).to_owned()).collect(), Vec::new())
        }
    };
    CellView {
        client: client.id.to_string(),
        allowed: reach.is_allowed(),
        reason,
        missing,
        sender_constraint: constraint,
    }
}
