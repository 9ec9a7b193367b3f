//! `private_key_jwt`: clients that sign an assertion (RFC 7523).

use std::sync::Arc;

use crate::gate::instance::{Gate, RETRY_WHEN_FULL};
use crate::gate::origin::Origin;
use crate::gate::settings::{Client, Settings};
use crate::oauth::assertion::{self, AssertionError, Claims, Expect};
use crate::oauth::denial::TokenError;
use crate::oauth::jose::JwsError;
use crate::oauth::replay::{Replay, UsedName};
use crate::oauth::secret::Secret;

/// The longest lifetime of an assertion, in seconds. Its `jti` is remembered for all of it.
const MAX_LIFETIME: u64 = 3600;
/// The longest time from now to `exp` of an assertion that does not say when it was made, in seconds.
const MAX_UNDATED_LIFETIME: u64 = 60;
/// The tolerated clock difference, in seconds.
const LEEWAY: u64 = 30;

impl Gate {
    pub(super) fn authenticate_assertion(
        &self,
        settings: &Settings,
        client_id: Option<&str>,
        assertion: &Secret,
        origin: Origin<'_>,
    ) -> Result<Arc<Client>, TokenError> {
        let assertion = assertion.expose();
        let subject = assertion::peek_client(assertion).map_err(|_| TokenError::InvalidClient)?;
        // RFC 7521 §4.2: a client_id beside it "MUST identify the same client as is identified by the client assertion".
        if client_id.is_some_and(|client_id| client_id != subject) {
            return Err(TokenError::InvalidClient);
        }
        // The signature comes first and only failures count, so that forgeries cannot lock out the holder of the key.
        let client = settings.clients.get(&*subject);
        let claims = self.check_assertion(settings, client.map(|client| &**client), &subject, assertion);
        let (Ok(claims), Some(client)) = (claims, client.filter(|client| client.policy.enabled)) else {
            self.admit(settings, &subject, origin)?;
            return Err(TokenError::InvalidClient);
        };
        // RFC 7523 §3, 7: no assertion is accepted twice.
        let name = UsedName { client: &claims.client_id, key: None, jti: &claims.jti };
        let clients = settings.clients.len();
        match self.inner.assertions.use_up(name, claims.remember_until, clients, self.clock()) {
            Ok(()) => Ok(Arc::clone(client)),
            Err(Replay::Seen | Replay::Expired) => {
                self.admit(settings, &subject, origin)?;
                Err(TokenError::InvalidClient)
            }
            // There is no room to remember it, so it is refused: it could be used again.
            Err(_) => Err(TokenError::Unavailable(RETRY_WHEN_FULL)),
        }
    }

    /// Verifies an assertion, at the cost of one signature for every client, known or not.
    fn check_assertion(
        &self,
        settings: &Settings,
        client: Option<&Client>,
        subject: &str,
        assertion: &str,
    ) -> Result<Claims, AssertionError> {
        let audiences: Vec<&str> = settings.own_urls.iter().map(String::as_str).collect();
        let expect = Expect {
            client_id: subject,
            audiences: &audiences,
            now: self.inner.clock.unix_time().as_secs(),
            earliest: self.inner.assertions.earliest(self.clock()),
            max_lifetime: MAX_LIFETIME,
            max_undated_lifetime: MAX_UNDATED_LIFETIME,
            leeway: LEEWAY,
        };
        let Some(keys) = client.and_then(|client| client.keys.as_ref()) else {
            return Err(assertion::refuse(assertion));
        };
        let checked = keys.with(|keys| assertion::check(assertion, keys, &expect));
        match checked {
            None => Err(assertion::refuse(assertion)),
            Some(Err(error)) => {
                // It was refused before a signature was verified; an unknown client would have cost one.
                if matches!(error, AssertionError::Type | AssertionError::Signature(JwsError::UnknownKey)) {
                    let _ = assertion::refuse(assertion);
                }
                // The client may have new keys. This request does not wait for them, because the wait would reveal
                // that the client exists; the next request finds them.
                if matches!(error, AssertionError::Signature(JwsError::UnknownKey | JwsError::Signature)) {
                    self.call_for_keys(keys);
                }
                Err(error)
            }
            Some(good) => good,
        }
    }
}
