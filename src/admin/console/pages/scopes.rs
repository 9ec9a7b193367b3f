//! The scopes.

use http::StatusCode;
use serde_json::json;

use super::new_client::check_scope;
use crate::admin::console::view::edits::{ScopeRow, ScopesPage};
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::Section;
use crate::admin::console::visit::{Answer, Form, Visit, go_to, show as render};
use crate::admin::console::wording::{self, sentence};
use crate::admin::console::workspace::problem;
use crate::change::error::ChangeError;
use crate::config::{Access, Config, Role};

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    page(&visit, StatusCode::OK, Errors::default(), "", "").await
}

async fn page(visit: &Visit, status: StatusCode, errors: Errors, scope: &str, description: &str) -> Answer {
    let config = visit.planned().await;
    let page = ScopesPage {
        errors,
        rows: rows(&config),
        scope: scope.to_owned(),
        description: description.to_owned(),
        frame: visit.frame(Section::Scopes, "Scopes"),
    };
    render(status, &page)
}

fn rows(config: &Config) -> Vec<ScopeRow> {
    let rows = config.scopes.iter().map(|scope| {
        let held = config.clients.iter().filter(|client| client.scopes.contains(&scope.name)).count();
        let needed = config.routes.iter().filter(|route| match &route.access {
            Access::Public => false,
            Access::Token { requirement, .. } => {
                requirement.scopes().is_some_and(|scopes| scopes.contains(&scope.name))
            }
        });
        let needed = needed.count();
        let shown = |count: usize, none: &str, noun: &str| match count {
            0 => none.to_owned(),
            _ => wording::count(count as u64, noun),
        };
        ScopeRow {
            name: scope.name.clone(),
            description: scope.description.clone(),
            held_by: shown(held, "nobody", "client"),
            needed_by: shown(needed, "no route", "route"),
            can_remove: held == 0 && needed == 0,
        }
    });
    rows.collect()
}

/// Adds a scope to the changes.
pub(in crate::admin::console) async fn add(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let (scope, description) = (fields.value("scope"), fields.value("description"));
    let mut errors = Errors::default();
    if scope.is_empty() {
        errors.add("scope", "Enter the scope.");
    } else {
        check_scope(&mut errors, "scope", scope);
    }
    if errors.is_empty() {
        let operation = json!({ "op": "scope_add", "name": scope, "description": description });
        match visit.add_and_notify(&format!("New scope {scope}"), vec![operation]).await {
            Ok(()) => return go_to("/scopes"),
            Err(ChangeError::Conflict(_, conflict)) => errors.add("scope", sentence(&conflict.to_string())),
            Err(error) => return Err(problem(error)),
        }
    }
    page(&visit, StatusCode::UNPROCESSABLE_ENTITY, errors, scope, description).await
}

/// Changes the description of a scope.
pub(in crate::admin::console) async fn describe(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let (name, description) = (fields.value("name"), fields.value("description"));
    let planned = visit.planned().await;
    let is_same = planned.scopes.iter().any(|scope| scope.name == name && scope.description == description);
    let operation = json!({ "op": "scope_describe", "name": name, "description": description });
    let operations = if is_same { Vec::new() } else { vec![operation] };
    visit.add_and_notify(&format!("Describe the scope {name}"), operations).await.map_err(problem)?;
    go_to("/scopes")
}

/// Removes a scope.
pub(in crate::admin::console) async fn remove(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let name = fields.value("name");
    let operation = json!({ "op": "scope_remove", "name": name });
    visit.add_and_notify(&format!("Remove the scope {name}"), vec![operation]).await.map_err(problem)?;
    go_to("/scopes")
}
