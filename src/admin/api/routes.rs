//! The routes.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::extract::InQuery;
use super::paging::{Page, PageQuery};
use crate::access::describe;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::config::{Access, Config, Methods, Route};
use crate::oauth::scope::Requirement;

/// A route.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct RouteView {
    /// The position among the routes of the file, counted from 0.
    index: usize,
    /// The pattern of the path.
    path: String,
    /// Whether the pattern is a prefix.
    prefix: bool,
    hosts: Vec<String>,
    /// The methods. The list is empty if the route matches all methods.
    methods: Vec<String>,
    /// `token` or `public`.
    access: &'static str,
    /// The scopes that a token needs.
    scopes: Vec<String>,
    /// Whether one of the scopes is enough.
    any_scope: bool,
    /// The audience that a token needs.
    audience: Option<String>,
    upstream: String,
    /// Descriptions of the limits and other conditions.
    terms: Vec<String>,
    file: String,
    line: u32,
}

/// Lists the routes, in the order of the file.
#[cfg_attr(test, utoipa::path(get, path = "/routes", tag = "configuration", params(PageQuery), responses((status = 200, body = Page<RouteView>), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn list(
    State(state): State<AdminState>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<RouteView>>, Problem> {
    let config = state.config();
    let routes = config.routes.iter().enumerate();
    query.page(routes, |(index, _)| index.to_string(), |(index, route)| view(&config, index, route)).map(Json)
}

pub(super) fn view(config: &Config, index: usize, route: &Route) -> RouteView {
    let (access, scopes, any_scope, audience) = match &route.access {
        Access::Public => ("public", Vec::new(), false, None),
        Access::Token { requirement, audience } => {
            let scopes = requirement.scopes().into_iter().flat_map(|scopes| scopes.iter());
            let any = matches!(requirement, Requirement::Any(_));
            ("token", scopes.map(str::to_owned).collect(), any, audience.clone())
        }
    };
    let methods = match &route.methods {
        Methods::All => Vec::new(),
        Methods::Only(methods) => methods.iter().map(ToString::to_string).collect(),
    };
    RouteView {
        index,
        path: route.path.as_str().to_owned(),
        prefix: route.path.is_prefix(),
        hosts: route.hosts.iter().map(ToString::to_string).collect(),
        methods,
        access,
        scopes,
        any_scope,
        audience,
        upstream: describe::upstream(config, route).to_owned(),
        terms: describe::terms(config, route),
        file: config.file_of(route.position).display().to_string(),
        line: route.position.line,
    }
}
