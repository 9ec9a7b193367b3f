//! Signing in and out.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

use crate::admin::console::view::form::Errors;
use crate::admin::console::view::sign_in::SignInPage;
use crate::admin::console::visit::{Answer, Form, Parameters, frame_alone, show as page};
use crate::admin::console::wording::sentence;
use crate::admin::peer::Peer;
use crate::admin::sign_in::{SignInError, sign_in, sign_out};
use crate::admin::state::AdminState;
use crate::admin::user::Fields;
use crate::oauth::secret::Secret;

/// Shows the form.
pub(in crate::admin::console) async fn show(uri: Uri) -> Answer {
    let next = Parameters::of(&uri).value("next").to_owned();
    page(StatusCode::OK, &form(next, String::new(), Errors::default()))
}

/// Opens a session.
pub(in crate::admin::console) async fn submit(
    State(state): State<AdminState>,
    peer: Peer,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let (name, next) = (fields.value("name"), fields.value("next"));
    match sign_in(&state, &peer, &headers, name, Secret::new(fields.raw("password"))).await {
        Ok(cookie) => Ok(with_cookie(Redirect::to(way_back(next)).into_response(), cookie)),
        Err(error) => {
            let mut errors = Errors::default();
            errors.add("", sentence(&error.to_string()));
            let form = form(next.to_owned(), name.to_owned(), errors);
            match error {
                SignInError::Refused => page(StatusCode::FORBIDDEN, &form),
                SignInError::Later(wait) => too_many(wait, &form),
                SignInError::NoRandomness => page(StatusCode::SERVICE_UNAVAILABLE, &form),
            }
        }
    }
}

/// Ends the session.
pub(in crate::admin::console) async fn leave(Form { visit, .. }: Form) -> Answer {
    let cookie = sign_out(&visit.admin, &visit.user);
    Ok(with_cookie(Redirect::to("/sign-in").into_response(), cookie))
}

/// Returns a page that says when the next attempt is possible.
pub(in crate::admin::console) fn too_many(wait: Duration, form: &impl Template) -> Answer {
    let mut response = page(StatusCode::TOO_MANY_REQUESTS, form)?;
    response.headers_mut().insert(RETRY_AFTER, wait.as_secs().max(1).into());
    Ok(response)
}

fn form(next: String, name: String, errors: Errors) -> SignInPage {
    SignInPage { frame: frame_alone("Sign in"), next, name, errors }
}

pub(in crate::admin::console) fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

/// Returns the page to show after signing in: a page of this console, or the first page.
fn way_back(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next[1..].starts_with(['/', '\\'])
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_in_the_console() {
        assert_eq!(way_back("/clients?q=a"), "/clients?q=a");
        for other in ["", "//evil.example", "/\\evil.example", "https://evil.example/", "/a\r\nb", "clients"]
        {
            assert_eq!(way_back(other), "/", "{other:?}");
        }
    }
}
