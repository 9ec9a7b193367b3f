//! The users of the console, for owners.

use http::StatusCode;
use serde_json::{Value as Json, json};

use crate::admin::console::view::edits::{UserRow, UsersPage};
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::Choice;
use crate::admin::console::visit::{Answer, Form, Visit, go_to, show as render};
use crate::admin::console::wording::sentence;
use crate::admin::console::workspace::problem;
use crate::change::error::ChangeError;
use crate::config::Role;

/// The minimum length of a password in the form.
pub(super) const SHORTEST: usize = 12;

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    visit.user.require(Role::Owner)?;
    let page = page(&visit, Errors::default(), "", Role::Viewer).await;
    visit.page(&page)
}

/// Adds a user to the changes.
pub(in crate::admin::console) async fn add(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Owner)?;
    let (name, password, role) = (fields.value("name"), fields.raw("password"), role(fields.value("role")));
    let mut errors = Errors::default();
    if name.is_empty() {
        errors.add("name", "Enter a name.");
    }
    check_password(&mut errors, password);
    if errors.is_empty() {
        let operation = json!({ "op": "admin_user_add", "name": name, "password": { "text": password }, "role": role.as_str() });
        match visit.add_and_notify(&format!("New user {name}"), vec![operation]).await {
            Ok(()) => return go_to("/users"),
            Err(ChangeError::Conflict(_, conflict)) => errors.add("name", sentence(&conflict.to_string())),
            Err(error) => return Err(problem(error)),
        }
    }
    render(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, errors, name, role).await)
}

/// Changes the role of a user.
pub(in crate::admin::console) async fn set_role(Form { visit, fields }: Form) -> Answer {
    let (name, role) = (fields.value("name"), role(fields.value("role")));
    let is_same = visit
        .planned()
        .await
        .admin
        .as_ref()
        .and_then(|admin| admin.user(name))
        .is_some_and(|user| user.role == role);
    let operation = json!({ "op": "admin_user_role", "name": name, "role": role.as_str() });
    change(&visit, &format!("Role of {name}"), if is_same { Vec::new() } else { vec![operation] }).await
}

/// Gives a user a new password.
pub(in crate::admin::console) async fn set_password(Form { visit, fields }: Form) -> Answer {
    let (name, password) = (fields.value("name"), fields.raw("password"));
    let mut errors = Errors::default();
    check_password(&mut errors, password);
    if !errors.is_empty() {
        visit.user.require(Role::Owner)?;
        return render(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, errors, "", Role::Viewer).await);
    }
    let operation = json!({ "op": "admin_user_password", "name": name, "password": { "text": password } });
    change(&visit, &format!("Password of {name}"), vec![operation]).await
}

/// Removes a user.
pub(in crate::admin::console) async fn remove(Form { visit, fields }: Form) -> Answer {
    let name = fields.value("name");
    let operation = json!({ "op": "admin_user_remove", "name": name });
    change(&visit, &format!("Remove the user {name}"), vec![operation]).await
}

async fn change(visit: &Visit, title: &str, operations: Vec<Json>) -> Answer {
    visit.user.require(Role::Owner)?;
    visit.add_and_notify(title, operations).await.map_err(problem)?;
    go_to("/users")
}

/// Checks a new password.
pub(super) fn check_password(errors: &mut Errors, password: &str) {
    if password.chars().count() < SHORTEST {
        errors.add("password", format!("A password has at least {SHORTEST} characters."));
    }
}

/// Returns the role with that name, or the role with the fewest permissions if there is none.
fn role(name: &str) -> Role {
    Role::ALL.into_iter().find(|(known, _)| *known == name).map_or(Role::Viewer, |(_, role)| role)
}

async fn page(visit: &Visit, errors: Errors, name: &str, chosen: Role) -> UsersPage {
    let config = visit.planned().await;
    let roles = |chosen: Role| Role::ALL.map(|(name, role)| Choice::new(name, "", role == chosen)).to_vec();
    let running = visit.config();
    let rows = config.admin.iter().flat_map(|admin| &admin.users).map(|user| UserRow {
        name: user.name.clone(),
        is_self: user.name == visit.user.name,
        is_new: running.admin.as_ref().is_none_or(|admin| admin.user(&user.name).is_none()),
        roles: roles(user.role),
    });
    UsersPage {
        errors,
        rows: rows.collect(),
        name: name.to_owned(),
        roles: roles(chosen),
        frame: visit.frame(Section::Users, "Users"),
    }
}
