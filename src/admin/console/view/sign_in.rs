//! The data of the pages before a session, and of the error page.

use askama::Template;

use super::form::Errors;
use super::frame::Frame;
use super::parts::Link;

/// The form that opens a session.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    pub(crate) frame: Frame,
    /// The page to show afterwards.
    pub(crate) next: String,
    pub(crate) name: String,
    pub(crate) errors: Errors,
}

/// The form behind a setup link: the first user, or a new password.
#[derive(Debug, Template)]
#[template(path = "setup.html")]
pub(crate) struct SetupPage {
    pub(crate) frame: Frame,
    pub(crate) is_valid: bool,
    pub(crate) code: String,
    pub(crate) lead: &'static str,
    pub(crate) button: &'static str,
    /// The requirements for a password.
    pub(crate) hint: String,
    pub(crate) name: String,
    pub(crate) errors: Errors,
}

/// The reason why a page cannot be shown, or why a form was not accepted.
#[derive(Debug, Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage {
    pub(crate) frame: Frame,
    pub(crate) detail: String,
    pub(crate) lines: Vec<String>,
    pub(crate) back: Link,
}
