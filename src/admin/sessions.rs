//! The sessions of signed-in users. They are in memory, so that they can be ended, and their number is
//! limited.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::clock::Millis;
use crate::config::{Admin, AdminUser, Role};
use crate::gate::SecretHash;
use crate::sorting::sort_by_key;

/// The maximum number of sessions of one user. A further session ends the one that was used least recently.
const MOST_OF_A_USER: usize = 16;
/// The length of a token in the cookie: 256 bits in base64url.
const TOKEN_LENGTH: usize = 43;

/// The token of a session, as it is in the cookie.
pub(super) struct SessionToken(Zeroizing<String>);

/// The key of a session: a digest of its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionKey([u8; 32]);

impl SessionToken {
    fn generate() -> Result<Self, getrandom::Error> {
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *random)?;
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*random))))
    }

    /// Reads the token in a cookie. Returns `None` if it has the wrong format.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let good = text.len() == TOKEN_LENGTH
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        good.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// Returns the token, for the cookie.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the key of the session.
    pub(super) fn key(&self) -> SessionKey {
        SessionKey(Sha256::digest(self.0.as_bytes()).into())
    }

    /// Returns the token of the session's forms. The session token cannot be derived from it, and it need not
    /// be stored.
    pub(super) fn form_token(&self) -> String {
        let digest =
            Sha256::new().chain_update(b"tollgate form\0").chain_update(self.0.as_bytes()).finalize();
        URL_SAFE_NO_PAD.encode(digest)
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(redacted)")
    }
}

/// One session.
struct Session {
    user: Box<str>,
    /// The role and the password hash of the user when the session began. A change of either ends the
    /// session.
    role: Role,
    password: SecretHash,
    begun: Millis,
    used: Millis,
}

/// All sessions. They are lost at a restart, after which users sign in again.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<SessionKey, Session>>);

impl Sessions {
    /// Begins a session. Its token is new, whatever cookie the browser had before.
    ///
    /// # Errors
    /// Fails if the system gives no random bytes.
    pub(super) fn begin(&self, user: &AdminUser, now: Millis) -> Result<SessionToken, getrandom::Error> {
        let token = SessionToken::generate()?;
        let mut all = self.lock();
        let oldest = |all: &HashMap<SessionKey, Session>| {
            let own = all.iter().filter(|(_, session)| *session.user == *user.name);
            let mut own: Vec<_> = own.map(|(key, session)| (session.used, *key)).collect();
            sort_by_key(&mut own, |(used, _)| *used);
            (own.len() >= MOST_OF_A_USER).then(|| own.first().map(|(_, key)| *key)).flatten()
        };
        if let Some(oldest) = oldest(&all) {
            all.remove(&oldest);
        }
        let session = Session {
            user: user.name.as_str().into(),
            role: user.role,
            password: user.password.clone(),
            begun: now,
            used: now,
        };
        all.insert(token.key(), session);
        Ok(token)
    }

    /// Returns the user of a session that is alive, and notes that it was used. The user must still be in the
    /// configuration, with the same password and the same role.
    pub(super) fn user<'a>(&self, key: &SessionKey, admin: &'a Admin, now: Millis) -> Option<&'a AdminUser> {
        let mut all = self.lock();
        all.retain(|_, session| {
            now.since(session.used) < admin.session_idle_timeout
                && now.since(session.begun) < admin.session_lifetime
        });
        let session = all.get_mut(key)?;
        let user = admin
            .user(&session.user)
            .filter(|user| user.role == session.role && user.password == session.password);
        match user {
            Some(_) => session.used = now,
            None => drop(all.remove(key)),
        }
        user
    }

    /// Ends a session.
    pub(super) fn end(&self, key: &SessionKey) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::config::Config;

    const PHC: &str =
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w";
    const OTHER: &str =
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$8Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w";

    fn admin(role: &str, password: &str) -> Admin {
        let text = format!(
            "[admin]\nlisten = \"http://127.0.0.1:9465\"\n[admin.users.alice]\nrole = \"{role}\"\npassword = \"{password}\""
        );
        Config::parse(&text, Path::new("gateway.toml"), Path::new("."), &|_| None).unwrap().admin.unwrap()
    }

    fn minutes(minutes: u64) -> Millis {
        Millis::new(0).after(Duration::from_secs(60 * minutes))
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
        let (admin, sessions) = (admin("owner", PHC), Sessions::default());
        let key = sessions.begin(admin.user("alice").unwrap(), minutes(0)).unwrap().key();
        let alive = |at| sessions.user(&key, &admin, minutes(at)).is_some();
        assert!(alive(29) && alive(58));
        assert!(!alive(88));
        assert!(!alive(88), "it does not come back");
        let key = sessions.begin(admin.user("alice").unwrap(), minutes(0)).unwrap().key();
        for at in (0..720).step_by(20) {
            assert!(sessions.user(&key, &admin, minutes(at)).is_some(), "{at}");
        }
        assert!(sessions.user(&key, &admin, minutes(720)).is_none());
    }

    #[test]
    fn a_changed_password_a_changed_role_and_a_removed_user_end_sessions() {
        let before = admin("owner", PHC);
        let none = Admin { users: Vec::new(), ..before.clone() };
        for after in [admin("owner", OTHER), admin("viewer", PHC), none] {
            let sessions = Sessions::default();
            let key = sessions.begin(before.user("alice").unwrap(), minutes(0)).unwrap().key();
            assert!(sessions.user(&key, &before, minutes(1)).is_some());
            assert!(sessions.user(&key, &after, minutes(2)).is_none());
            assert!(sessions.user(&key, &before, minutes(3)).is_none(), "it does not come back");
        }
    }

    #[test]
    fn a_user_has_a_bounded_number_of_sessions() {
        let (admin, sessions) = (admin("owner", PHC), Sessions::default());
        let begin = |at| sessions.begin(admin.user("alice").unwrap(), minutes(at)).unwrap().key();
        let keys: Vec<_> = (0..=MOST_OF_A_USER as u64).map(|_| begin(1)).collect();
        let last = begin(2);
        assert_eq!(sessions.lock().len(), MOST_OF_A_USER);
        assert!(sessions.user(&last, &admin, minutes(3)).is_some());
        assert_eq!(keys.iter().filter(|key| sessions.user(key, &admin, minutes(3)).is_some()).count(), 15);
    }

    #[test]
    fn tokens_do_not_print_and_forms_have_another_one() {
        let token = SessionToken::generate().unwrap();
        assert_eq!(format!("{token:?}"), "SessionToken(redacted)");
        assert_ne!(token.form_token(), token.expose());
        assert!(SessionToken::parse(token.expose()).is_some_and(|read| read.key() == token.key()));
        assert!(SessionToken::parse("short").is_none());
    }
}
