//! The page behind a setup link: the first user, or a new password for one who lost it.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::sign_in::{sentence, with_cookie};
use super::users::{SHORTEST, check_password};
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::sign_in::SetupPage;
use crate::admin::console::visit::{Answer, Parameters, frame_alone, show as render};
use crate::admin::console::workspace::problem;
use crate::admin::peer::Peer;
use crate::admin::problem::Problem;
use crate::admin::setup_link::SetupLinks;
use crate::admin::sign_in::sign_in;
use crate::admin::state::AdminState;
use crate::admin::user::Fields;
use crate::change::actor::{Actor, Via};
use crate::change::audit::{AuditLine, Event};
use crate::change::error::ChangeError;
use crate::change::submission::Submitted;
use crate::config::Role;
use crate::oauth::secret::Secret;

/// Shows the form. The code is checked when the form is sent: a page of another site could otherwise use up the tries.
pub(in crate::admin::console) async fn show(State(state): State<AdminState>, uri: Uri) -> Answer {
    let code = Parameters::of(&uri).value("code").to_owned();
    let (is_valid, status) = if code.is_empty() { (false, StatusCode::GONE) } else { (true, StatusCode::OK) };
    render(status, &page(&state, is_valid, code, "", Errors::default()))
}

/// Makes the user, and signs it in.
pub(in crate::admin::console) async fn submit(
    State(state): State<AdminState>,
    peer: Peer,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let (code, name, password) = (fields.value("code"), fields.value("name"), fields.raw("password"));
    let mut errors = Errors::default();
    if name.is_empty() {
        errors.add("name", "Enter a name.");
    }
    check_password(&mut errors, password);
    if !errors.is_empty() {
        let page = page(&state, true, code.to_owned(), name, errors);
        return render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let (changes, config) = (Arc::clone(state.changes()), state.config());
    let exists = config.admin.as_ref().is_some_and(|admin| admin.user(name).is_some());
    let links = SetupLinks::of(&config.server.state_dir);
    let actor = Actor {
        name: name.to_owned(),
        role: Role::Owner,
        via: Via::Console,
        address: Some(peer.client.ip().to_canonical()),
    };
    let operation = if exists {
        json!({ "op": "admin_user_password", "name": name, "password": { "text": password } })
    } else {
        json!({ "op": "admin_user_add", "name": name, "password": { "text": password }, "role": "owner" })
    };
    let comment = if exists {
        format!("New password of {name}, with a setup link")
    } else {
        format!("The user {name}, with a setup link")
    };
    let code_sent = code.to_owned();
    let made = spawn_blocking(move || {
        if !links.accepts(&code_sent, SystemTime::now()).map_err(ChangeError::State)? {
            let refused = AuditLine::now(&actor, Event::Setup, &actor.name, "refused");
            changes.audit().record(&refused).map_err(ChangeError::Audit)?;
            return Ok(false);
        }
        let submitted = Submitted::read(operation, SystemTime::now())?;
        changes.change(&actor, &[submitted.operation], &comment, None)?;
        links.end().map_err(ChangeError::State)?;
        let done = AuditLine::now(&actor, Event::Setup, &actor.name, "done");
        changes.audit().record(&done).map_err(ChangeError::Audit)?;
        Ok(true)
    });
    match made.await.map_err(|_| Problem::internal())? {
        Ok(true) => {}
        Ok(false) => return render(StatusCode::GONE, &page(&state, false, String::new(), "", errors)),
        Err(error @ (ChangeError::Conflict(..) | ChangeError::Invalid(_))) => {
            errors.add("name", sentence(error.to_string().lines().last().unwrap_or_default().trim()));
            let page = page(&state, true, code.to_owned(), name, errors);
            return render(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
        Err(error) => return Err(problem(error)),
    }
    match sign_in(&state, &peer, &headers, name, Secret::new(password)).await {
        Ok(cookie) => Ok(with_cookie(Redirect::to("/").into_response(), cookie)),
        // The user is there and can sign in with the form.
        Err(_) => Ok(Redirect::to("/sign-in").into_response()),
    }
}

fn page(state: &AdminState, is_valid: bool, code: String, name: &str, errors: Errors) -> SetupPage {
    let is_first = state.config().admin.as_ref().is_none_or(|admin| admin.users.is_empty());
    let (title, lead, button) = if is_first {
        (
            "Create the first user",
            "This user becomes an owner: it may change everything, other users included.",
            "Create the user",
        )
    } else {
        (
            "Set a password",
            "A user that exists gets this password. Another name becomes a new owner.",
            "Set the password",
        )
    };
    SetupPage {
        frame: frame_alone(title),
        is_valid,
        code,
        lead,
        button,
        hint: format!("At least {SHORTEST} characters. Only its hash is written to gateway.toml."),
        name: name.to_owned(),
        errors,
    }
}
