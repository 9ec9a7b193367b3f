//! The pages about clients.

use askama::Template;

use super::form::Errors;
use super::frame::Frame;
use super::parts::{Badge, Choice, Link};

/// The list of clients.
#[derive(Debug, Template)]
#[template(path = "clients.html")]
pub(crate) struct ClientsPage {
    pub(crate) frame: Frame,
    pub(crate) query: String,
    pub(crate) count: String,
    pub(crate) rows: Vec<ClientRow>,
    pub(crate) next: Option<String>,
    /// Whether clients can register themselves.
    pub(crate) can_register: bool,
    /// The number of registered clients that match the search.
    pub(crate) registered_count: usize,
    pub(crate) registered: Vec<RegisteredRow>,
}

/// A client in the list.
#[derive(Debug)]
pub(crate) struct ClientRow {
    pub(crate) url: String,
    pub(crate) id: String,
    pub(crate) badges: Vec<Badge>,
    pub(crate) scopes: Vec<String>,
    pub(crate) tokens: String,
    pub(crate) last_used: String,
}

/// A client that has registered itself.
#[derive(Debug)]
pub(crate) struct RegisteredRow {
    pub(crate) url: String,
    pub(crate) id: String,
    /// The name that it has given itself.
    pub(crate) name: String,
    pub(crate) badges: Vec<Badge>,
    pub(crate) template: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) tokens: String,
    pub(crate) last_used: String,
}

/// The form of a new client.
#[derive(Debug, Template)]
#[template(path = "new_client.html")]
pub(crate) struct NewClientPage {
    pub(crate) frame: Frame,
    pub(crate) errors: Errors,
    pub(crate) id: String,
    pub(crate) client_credentials: bool,
    pub(crate) introspection: bool,
    pub(crate) own_secret: bool,
    pub(crate) scopes: Vec<Choice>,
    pub(crate) open_scope: bool,
    pub(crate) new_scope: String,
    pub(crate) new_scope_description: String,
}

/// A new secret, shown once.
#[derive(Template)]
#[template(path = "secret.html")]
pub(crate) struct SecretPage {
    pub(crate) frame: Frame,
    pub(crate) warnings: Vec<String>,
    pub(crate) client: String,
    pub(crate) client_url: String,
    pub(crate) secret: String,
    pub(crate) curl_token: String,
    pub(crate) curl_call: Option<String>,
}

/// One client.
#[derive(Debug, Template)]
#[template(path = "client.html")]
pub(crate) struct ClientPage {
    pub(crate) frame: Frame,
    pub(crate) errors: Errors,
    pub(crate) id: String,
    /// The path of this page.
    pub(crate) url: String,
    pub(crate) badges: Vec<Badge>,
    /// How the client authenticates besides with a secret.
    pub(crate) methods: Vec<String>,
    pub(crate) secrets: Vec<SecretRow>,
    pub(crate) capabilities: Vec<Choice>,
    pub(crate) scopes: Vec<Choice>,
    pub(crate) default_scopes: Vec<Choice>,
    pub(crate) held_capabilities: Vec<String>,
    pub(crate) held_scopes: Vec<String>,
    pub(crate) token_lifetime: String,
    pub(crate) token_lifetime_hint: String,
    pub(crate) rate_limit: String,
    pub(crate) enabled: bool,
    pub(crate) routes: Vec<Link>,
    pub(crate) tokens: String,
    pub(crate) can_revoke: bool,
}

/// A secret of a client.
#[derive(Debug)]
pub(crate) struct SecretRow {
    pub(crate) id: String,
    pub(crate) ends: String,
    pub(crate) last_used: String,
    pub(crate) from: String,
    pub(crate) refused: String,
    pub(crate) can_drop: bool,
}
