//! The data of the page with the user's changes, and of pages that list scopes, upstreams and users.

use askama::Template;

use super::form::Errors;
use super::frame::Frame;
use super::parts::{Badge, Choice, DiffLine, Grant};

/// The draft of the user: its operations, what they grant, and the form that commits it.
#[derive(Debug, Template)]
#[template(path = "changes.html")]
pub(crate) struct ChangesPage {
    pub(crate) frame: Frame,
    pub(crate) errors: Errors,
    /// The draft that the address names; empty for the user's own.
    pub(crate) draft: String,
    /// The owner of the draft, if it is not the user's own.
    pub(crate) owner: String,
    /// Whether the user may change and commit it.
    pub(crate) can_commit: bool,
    /// The conflict that occurred if the file changed after the draft was created.
    pub(crate) stale: Option<String>,
    pub(crate) revision: String,
    pub(crate) operations: Vec<OperationLine>,
    pub(crate) problems: Vec<String>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) restart: Vec<String>,
    pub(crate) diff: Vec<DiffLine>,
    pub(crate) owner_only: Vec<String>,
    /// The reason why nothing can be committed at the moment.
    pub(crate) blocked: Option<String>,
    pub(crate) comment: String,
    pub(crate) windows: Vec<Choice>,
    pub(crate) others: Vec<OtherDraft>,
    /// The ids of drafts whose files cannot be read.
    pub(crate) damaged: Vec<String>,
}

/// An operation of a draft.
#[derive(Debug)]
pub(crate) struct OperationLine {
    pub(crate) index: usize,
    pub(crate) text: String,
}

/// The draft of another user.
#[derive(Debug)]
pub(crate) struct OtherDraft {
    pub(crate) owner: String,
    pub(crate) url: String,
    pub(crate) title: String,
    pub(crate) detail: String,
}

/// The scopes.
#[derive(Debug, Template)]
#[template(path = "scopes.html")]
pub(crate) struct ScopesPage {
    pub(crate) frame: Frame,
    pub(crate) errors: Errors,
    pub(crate) rows: Vec<ScopeRow>,
    pub(crate) scope: String,
    pub(crate) description: String,
}

/// A scope.
#[derive(Debug)]
pub(crate) struct ScopeRow {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) held_by: String,
    pub(crate) needed_by: String,
    pub(crate) can_remove: bool,
}

/// The upstreams with the state of their servers.
#[derive(Debug, Template)]
#[template(path = "upstreams.html")]
pub(crate) struct UpstreamsPage {
    pub(crate) frame: Frame,
    pub(crate) upstreams: Vec<UpstreamCard>,
}

/// An upstream.
#[derive(Debug)]
pub(crate) struct UpstreamCard {
    pub(crate) anchor: String,
    pub(crate) name: String,
    pub(crate) state: Badge,
    pub(crate) detail: String,
    pub(crate) servers: Vec<ServerRow>,
    pub(crate) used_by: String,
    /// The address of its form.
    pub(crate) edit: String,
}

/// The form of a new upstream, or of one that exists.
#[derive(Debug, Template)]
#[template(path = "upstream_form.html")]
pub(crate) struct UpstreamFormPage {
    pub(crate) frame: Frame,
    pub(crate) errors: Errors,
    pub(crate) is_new: bool,
    pub(crate) name: String,
    pub(crate) servers: String,
    pub(crate) balances: Vec<Choice>,
    pub(crate) protocols: Vec<Choice>,
    pub(crate) host: String,
    pub(crate) connect_timeout: String,
    pub(crate) read_timeout: String,
    /// The other keys, as TOML.
    pub(crate) rest: String,
    pub(crate) can_remove: bool,
}

/// A server of an upstream.
#[derive(Debug)]
pub(crate) struct ServerRow {
    pub(crate) url: String,
    pub(crate) state: Badge,
    /// The last fault; empty if there was none.
    pub(crate) fault: String,
}

/// The users of the console.
#[derive(Debug, Template)]
#[template(path = "users.html")]
pub(crate) struct UsersPage {
    pub(crate) frame: Frame,
    pub(crate) errors: Errors,
    pub(crate) rows: Vec<UserRow>,
    pub(crate) name: String,
    pub(crate) roles: Vec<Choice>,
}

/// A user.
#[derive(Debug)]
pub(crate) struct UserRow {
    pub(crate) name: String,
    pub(crate) is_self: bool,
    /// Whether the user exists only in the changes that are not committed.
    pub(crate) is_new: bool,
    pub(crate) roles: Vec<Choice>,
}
