//! Signing in and out.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::peer::Peer;
use super::state::AdminState;
use super::user::User;
use crate::change::actor::{Actor, Via};
use crate::change::audit::{AuditLine, Event};
use crate::config::{Admin, AdminUser, Role};
use crate::gate::SecretHash;
use crate::oauth::secret::Secret;

/// The delay before the next attempt if too many attempts wait.
const RETRY_WHEN_BUSY: Duration = Duration::from_secs(2);
/// The maximum length of a password.
pub(crate) const LONGEST_PASSWORD: usize = 1_024;
/// The hash that the password of an unknown user is compared with if there are no users. It matches no
/// password.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The reason why a user could not sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInError {
    /// The user does not exist, or the password is wrong. The error does not say which.
    Refused,
    /// There were too many attempts from this address, or too many attempts at the same time.
    Later(Duration),
    /// The system gives no random bytes.
    NoRandomness,
}

impl fmt::Display for SignInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the user name or the password is wrong"),
            Self::Later(wait) => {
                write!(f, "there were too many attempts: try again in {} seconds", wait.as_secs().max(1))
            }
            Self::NoRandomness => f.write_str("the system gives no random bytes: try again"),
        }
    }
}

/// Signs a user in, and returns the header that sets the cookie. An earlier session of the browser ends.
///
/// # Errors
/// [`SignInError`] if the user is not signed in.
pub(crate) async fn sign_in(
    state: &AdminState,
    peer: &Peer,
    headers: &HeaderMap,
    name: &str,
    password: Secret,
) -> Result<HeaderValue, SignInError> {
    let network = peer.network();
    state.attempts().begin(network, state.now()).map_err(SignInError::Later)?;
    let config = state.config();
    let user = config.admin.as_ref().and_then(|admin| admin.user(name));
    let hash = match (user, &config.admin) {
        (Some(user), _) => Some(user.password.clone()),
        (None, admin) => decoy(admin.as_ref()),
    };
    let fits = password.expose().len() <= LONGEST_PASSWORD;
    let matches = match hash {
        Some(hash) => {
            let checked = state.passwords().matches(hash, password).await;
            checked.ok_or(SignInError::Later(RETRY_WHEN_BUSY))?
        }
        None => false,
    };
    let user = user.filter(|_| matches && fits);
    let role = user.map_or(Role::Viewer, |user| user.role);
    let address = Some(peer.client.ip().to_canonical());
    let actor = Actor { name: name.to_owned(), role, via: Via::Console, address };
    let outcome = if user.is_some() { "ok" } else { "refused" };
    state.audit(AuditLine::now(&actor, Event::SignIn, "console", outcome)).await;
    let user = user.ok_or(SignInError::Refused)?;
    state.attempts().succeeded(network);
    begin_session(state, headers, user)
}

/// Starts a session, and returns the header that sets the cookie. An earlier session of the browser ends.
pub(super) fn begin_session(
    state: &AdminState,
    headers: &HeaderMap,
    user: &AdminUser,
) -> Result<HeaderValue, SignInError> {
    if let Some(before) = state.cookie().find(headers) {
        state.sessions().end(&before.key());
    }
    let token = state.sessions().begin(user, state.now()).map_err(|_| SignInError::NoRandomness)?;
    Ok(state.cookie().set(&token))
}

/// Ends the session of a user, and returns the header that removes the cookie.
pub(crate) fn sign_out(state: &AdminState, user: &User) -> HeaderValue {
    state.sessions().end(&user.session);
    state.cookie().remove()
}

/// Returns a hash that costs as much to check as that of a user, and matches no password.
fn decoy(admin: Option<&Admin>) -> Option<SecretHash> {
    let costliest = admin.and_then(|admin| admin.users.iter().max_by_key(|user| user.password.cost()));
    match costliest {
        Some(user) => Some(user.password.decoy()),
        None => SecretHash::parse(DECOY).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoy_is_a_hash() {
        assert!(decoy(None).is_some_and(|hash| !hash.verify(&Secret::new("Password1"))));
    }
}
