//! The signed-in user, as an argument of page handlers.

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::Method;
use http::request::Parts;
use subtle::ConstantTimeEq as _;

use super::peer::Peer;
use super::problem::Problem;
use super::sessions::SessionKey;
use super::state::AdminState;
use crate::config::Role;

/// The path of the page on which users sign in.
pub(crate) const SIGN_IN: &str = "/sign-in";
/// The name of the form field with the token of the session.
pub(crate) const FORM_TOKEN: &str = "form_token";

/// The user of the session that the request's cookie identifies.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// The value of the form field [`FORM_TOKEN`].
    pub(crate) form_token: String,
    pub(crate) peer: Peer,
    pub(super) session: SessionKey,
}

impl User {
    /// Checks that the user has a role, or one with more permissions.
    ///
    /// # Errors
    /// Returns 403 if the user does not.
    pub(crate) fn require(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        Err(Problem::forbidden(
            "role",
            format!("this is for the role {role}, and {} has {}", self.name, self.role),
        ))
    }
}

/// The reason why a page is not shown.
pub(crate) enum NotSignedIn {
    /// The browser is redirected to the page on which users sign in, and then back to this path.
    GoTo(String),
    Problem(Problem),
}

impl IntoResponse for NotSignedIn {
    fn into_response(self) -> Response {
        match self {
            Self::GoTo(path) => Redirect::to(&path).into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

impl From<Problem> for NotSignedIn {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl FromRequestParts<AdminState> for User {
    type Rejection = NotSignedIn;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, NotSignedIn> {
        let peer = Peer::from_request_parts(parts, state).await?;
        let go_to_sign_in = || {
            let back = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            NotSignedIn::GoTo(match parts.method {
                Method::GET if back != "/" => format!("{SIGN_IN}?next={}", encode(back)),
                _ => SIGN_IN.to_owned(),
            })
        };
        let token = state.cookie().find(&parts.headers).ok_or_else(go_to_sign_in)?;
        let (config, key) = (state.config(), token.key());
        let admin = config.admin.as_ref().ok_or_else(go_to_sign_in)?;
        let user = state.sessions().user(&key, admin, state.now()).ok_or_else(go_to_sign_in)?;
        let (name, role) = (user.name.clone(), user.role);
        Ok(Self { name, role, form_token: token.form_token(), peer, session: key })
    }
}

/// Encodes a path for a query.
fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(byte.into())
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The fields of a form, in the order in which the browser sent them.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Returns the value of a field without the spaces around it, or an empty text.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// Returns the value of a field exactly as it was sent, or an empty text. It is used for passwords and
    /// texts.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// Returns all values of a field, such as those of a group of checkboxes.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether a field was sent: whether a checkbox is checked, or which of several buttons was used.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Form(fields) = Form::from_request(request, state).await?;
        Ok(Self(fields))
    }
}

/// A form that a signed-in user has submitted from a page of their session.
#[derive(Debug)]
pub(crate) struct Submitted {
    pub(crate) fields: Fields,
}

impl FromRequest<AdminState> for Submitted {
    type Rejection = NotSignedIn;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, NotSignedIn> {
        let (mut parts, body) = request.into_parts();
        let user = User::from_request_parts(&mut parts, state).await?;
        let fields = Fields::from_request(Request::from_parts(parts, body), state).await?;
        if !bool::from(fields.raw(FORM_TOKEN).as_bytes().ct_eq(user.form_token.as_bytes())) {
            let detail = "the form belongs to another session: open the page again and repeat";
            return Err(Problem::forbidden("form-token", detail).into());
        }
        Ok(Self { fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_form_are_found_by_name() {
        let fields =
            [("a", " 1 "), ("b", "2"), ("a", "3")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let fields = Fields(fields.into());
        assert_eq!((fields.value("a"), fields.raw("a"), fields.value("c")), ("1", " 1 ", ""));
        assert_eq!(fields.all("a").collect::<Vec<_>>(), [" 1 ", "3"]);
        assert!(fields.has("b") && !fields.has("c"));
    }

    #[test]
    fn the_way_back_is_encoded() {
        assert_eq!(encode("/clients/a b?x=1&y=é"), "/clients/a%20b%3Fx%3D1%26y%3D%C3%A9");
    }
}
