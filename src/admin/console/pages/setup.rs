//! The page of a setup link: it creates the first user, or sets a new password for a user who lost it.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use http::{HeaderMap, StatusCode, Uri};

use super::sign_in::{too_many, with_cookie};
use super::users::{SHORTEST, check_password};
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::sign_in::SetupPage;
use crate::admin::console::visit::{Answer, Parameters, frame_alone, show as render};
use crate::admin::console::wording::sentence;
use crate::admin::console::workspace::problem;
use crate::admin::peer::Peer;
use crate::admin::problem::Problem;
use crate::admin::setup::{Setup, SetupError, set_up};
use crate::admin::state::AdminState;
use crate::admin::user::Fields;
use crate::change::error::ChangeError;

/// Shows the form. The code is checked only when the form is submitted. Otherwise, a page of another site
/// could use up the attempts.
pub(in crate::admin::console) async fn show(State(state): State<AdminState>, uri: Uri) -> Answer {
    let code = Parameters::of(&uri).value("code").to_owned();
    let (is_valid, status) = if code.is_empty() { (false, StatusCode::GONE) } else { (true, StatusCode::OK) };
    render(status, &page(&state, is_valid, code, "", Errors::default()))
}

/// Creates the user, and signs the user in.
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
    if errors.is_empty() {
        match set_up(&state, &peer, &headers, Setup { code, name, password }).await {
            Ok(cookie) => return Ok(with_cookie(Redirect::to("/").into_response(), cookie)),
            Err(SetupError::Link) => {
                return render(StatusCode::GONE, &page(&state, false, String::new(), "", errors));
            }
            Err(error @ SetupError::Later(wait)) => {
                errors.add("", sentence(&error.to_string()));
                return too_many(wait, &page(&state, true, code.to_owned(), name, errors));
            }
            Err(SetupError::Change(error @ (ChangeError::Conflict(..) | ChangeError::Invalid(_)))) => {
                errors.add("name", sentence(error.to_string().lines().last().unwrap_or_default().trim()));
            }
            Err(SetupError::Change(error)) => return Err(problem(error)),
            Err(SetupError::System) => return Err(Problem::internal()),
        }
    }
    render(StatusCode::UNPROCESSABLE_ENTITY, &page(&state, true, code.to_owned(), name, errors))
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
