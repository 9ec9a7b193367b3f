//! The setup with a link that only the operator of the machine has: creates the first user of the console, or
//! sets a new password.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue};
use serde_json::json;

use super::peer::Peer;
use super::setup_link::SetupLinks;
use super::sign_in::begin_session;
use super::state::AdminState;
use crate::change::actor::{Actor, Role, Via};
use crate::change::audit::{AuditLine, Event};
use crate::change::error::ChangeError;
use crate::change::submission::Submitted;

/// The reason why the setup failed.
#[derive(Debug)]
pub(crate) enum SetupError {
    /// The link is wrong, used or too old.
    Link,
    /// There were too many attempts from this address, or too many attempts at the same time.
    Later(Duration),
    /// The change was refused: the name or the password is not accepted, or the configuration cannot be
    /// written.
    Change(ChangeError),
    /// The state folder cannot be used, or the system gives no random bytes.
    System,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link => {
                f.write_str("the link was used, or is too old: `tollgate admin link` prints a new one")
            }
            Self::Later(wait) => {
                write!(f, "there were too many attempts: try again in {} seconds", wait.as_secs().max(1))
            }
            Self::Change(error) => error.fmt(f),
            Self::System => f.write_str("the gateway's own files cannot be used; the log says why"),
        }
    }
}

/// The inputs of a setup.
pub(crate) struct Setup<'a> {
    pub(crate) code: &'a str,
    pub(crate) name: &'a str,
    pub(crate) password: &'a str,
}

/// Makes a user an owner, or gives an existing user a new password, commits that, and signs the user in.
/// Returns the header that sets the cookie. The link can be used once; until the commit has succeeded, it is
/// not used up.
///
/// # Errors
/// [`SetupError`] if nothing was changed.
pub(crate) async fn set_up(
    state: &AdminState,
    peer: &Peer,
    headers: &HeaderMap,
    setup: Setup<'_>,
) -> Result<HeaderValue, SetupError> {
    state.attempts().begin(peer.network(), state.now()).map_err(SetupError::Later)?;
    // Setups run one at a time, so that a link can be used only once.
    let _one = state.setups().lock().await;
    let config = state.config();
    let links = SetupLinks::of(&config.server.state_dir);
    let accepted = links.accepts(setup.code, SystemTime::now()).map_err(|error| failed(&error))?;
    let exists = config.admin.as_ref().is_some_and(|admin| admin.user(setup.name).is_some());
    let actor = Actor {
        name: setup.name.to_owned(),
        role: Role::Owner,
        via: Via::Console,
        address: Some(peer.client.ip().to_canonical()),
    };
    if !accepted {
        state.audit(AuditLine::now(&actor, Event::Setup, "console", "refused")).await;
        return Err(SetupError::Link);
    }
    let (operation, comment) = if exists {
        let operation = json!({ "op": "admin_user_password", "name": setup.name, "password": { "text": setup.password } });
        (operation, format!("New password of {} by a setup link", setup.name))
    } else {
        let operation = json!({ "op": "admin_user_add", "name": setup.name, "password": { "text": setup.password }, "role": "owner" });
        (operation, format!("User {} by a setup link", setup.name))
    };
    let changes = Arc::clone(state.changes());
    let committed = state.passwords().run(move || {
        let submitted = Submitted::read(operation, Role::Owner, SystemTime::now())?;
        changes.change(&actor, &[submitted.operation], &comment, None)?;
        // At once, so that nothing that fails after it leaves a link that can be used again.
        let ended = links.end();
        changes
            .audit()
            .record(&AuditLine::now(&actor, Event::Setup, "console", "ok"))
            .map_err(ChangeError::Audit)?;
        ended.map_err(ChangeError::State)
    });
    match committed.await {
        None => return Err(SetupError::Later(Duration::from_secs(2))),
        Some(Err(error)) => return Err(SetupError::Change(error)),
        Some(Ok(())) => {}
    }
    state.attempts().succeeded(peer.network());
    let config = state.config();
    let user = config.admin.as_ref().and_then(|admin| admin.user(setup.name)).ok_or(SetupError::System)?;
    begin_session(state, headers, user).map_err(|_| SetupError::System)
}

fn failed(error: &std::io::Error) -> SetupError {
    log::error!("the setup link cannot be used: {error}");
    SetupError::System
}
