//! The pages about clients that register themselves.

use askama::Template;

use super::form::Errors;
use super::frame::Frame;
use super::parts::{Badge, Choice, Term};

/// The templates and the initial access tokens.
#[derive(Debug, Template)]
#[template(path = "registration.html")]
pub(crate) struct RegistrationPage {
    pub(crate) frame: Frame,
    pub(crate) errors: Errors,
    /// The URL where clients register.
    pub(crate) endpoint: String,
    pub(crate) templates: Vec<TemplateRow>,
    pub(crate) tokens: Vec<TokenRow>,
    pub(crate) name: String,
    pub(crate) choices: Vec<Choice>,
    pub(crate) valid_for: String,
    pub(crate) max_uses: String,
    /// Whether the user may add and remove tokens.
    pub(crate) is_owner: bool,
}

/// A template: what a client may register.
#[derive(Debug)]
pub(crate) struct TemplateRow {
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) token_lifetime: String,
    pub(crate) rate_limit: String,
    pub(crate) clients: String,
    pub(crate) unused_expiry: String,
}

/// An initial access token.
#[derive(Debug)]
pub(crate) struct TokenRow {
    pub(crate) name: String,
    pub(crate) badges: Vec<Badge>,
    pub(crate) template: String,
    pub(crate) expires: String,
    pub(crate) uses: String,
}

/// A new initial access token, shown once.
#[derive(Template)]
#[template(path = "initial_token.html")]
pub(crate) struct InitialTokenPage {
    pub(crate) frame: Frame,
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) curl: String,
}

/// One client that has registered itself.
#[derive(Debug, Template)]
#[template(path = "registered.html")]
pub(crate) struct RegisteredPage {
    pub(crate) frame: Frame,
    pub(crate) id: String,
    /// The path of this page.
    pub(crate) url: String,
    pub(crate) badges: Vec<Badge>,
    pub(crate) terms: Vec<Term>,
    pub(crate) scopes: Vec<String>,
    pub(crate) routes: Vec<String>,
    pub(crate) tokens: String,
    pub(crate) can_revoke: bool,
    pub(crate) is_disabled: bool,
    pub(crate) is_removed: bool,
    /// Whether the user may disable and remove the client.
    pub(crate) is_owner: bool,
}
