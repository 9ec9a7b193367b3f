//! The scopes.

use crate::admin::console::view::edits::{ScopeRow, ScopesPage};
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::Section;
use crate::admin::console::visit::{Answer, Visit};
use crate::admin::console::wording;
use crate::config::{Access, Config};

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    page(&visit, Errors::default(), "", "")
}

fn page(visit: &Visit, errors: Errors, scope: &str, description: &str) -> Answer {
    let config = visit.config();
    let page = ScopesPage {
        errors,
        rows: rows(&config),
        scope: scope.to_owned(),
        description: description.to_owned(),
        frame: visit.frame(Section::Scopes, "Scopes"),
    };
    visit.page(&page)
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
