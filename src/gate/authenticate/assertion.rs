//! `private_key_jwt`: clients that sign an assertion (RFC 7523).

use std::sync::Arc;

use crate::gate::instance::{Gate, RETRY_WHEN_BUSY, RETRY_WHEN_FULL};
use crate::gate::origin::Origin;
use crate::gate::settings::{Client, Settings};
use crate::gate::throttle::network;
use crate::gate::used_once;
use crate::oauth::assertion::{self, AssertionError, Claims, Expect};
use crate::oauth::jose::JwsError;
use crate::oauth::replay::{Replay, UsedJti};
use crate::oauth::secret::Secret;
use crate::oauth::token_error::TokenError;
use crate::store::{Use, UsedName};

/// The longest lifetime of an assertion, in seconds. Its `jti` is remembered for all of it.
const MAX_LIFETIME: u64 = 3600;
/// The longest time from now to `exp` of an assertion that does not say when it was made, in seconds.
const MAX_UNDATED_LIFETIME: u64 = 60;
/// The tolerated clock difference, in seconds.
const LEEWAY: u64 = 30;

impl Gate {
    /// Authenticates the client that has signed an assertion.
    ///
    /// A signature cannot be guessed, so failed assertions are never refused because of their number. Forged
    /// ones therefore lock out neither the owner of the key nor other clients at the same address. Their cost
    /// is limited in another way: once an address has sent many of them, its signatures wait in the queue of
    /// the hashing threads, which serve the networks in turn and run at the lowest priority.
    pub(super) async fn authenticate_assertion(
        &self,
        settings: &Settings,
        client_id: Option<&str>,
        assertion: &Secret,
        origin: Origin<'_>,
    ) -> Result<Arc<Client>, TokenError> {
        let subject = assertion::peek_client(assertion.expose()).map_err(|_| TokenError::InvalidClient)?;
        // RFC 7521 §4.2: a client_id beside it "MUST identify the same client as is identified by the client
        // assertion".
        if client_id.is_some_and(|client_id| client_id != subject) {
            return Err(TokenError::InvalidClient);
        }
        let client = settings.clients.get(&*subject).cloned();
        let check = AssertionCheck {
            client: client.clone(),
            subject,
            own_urls: settings.own_urls.clone(),
            now: self.inner.clock.unix_time().as_secs(),
            earliest: self.inner.assertions.earliest(self.clock(), self.inner.store.lasting().is_some()),
            assertion: assertion.clone(),
        };
        let (address, now) = (origin.address_or_shared(), self.inner.clock.now());
        let throttle = &self.inner.throttle;
        let claims = if throttle.sends_wrong_signatures(settings.throttle, address, now) {
            let verified = self.inner.hashing.run(network(address), move || check.run()).await;
            verified.map_err(|_| TokenError::Unavailable(RETRY_WHEN_BUSY))?
        } else {
            check.run()
        };
        // The client may have new keys. This request does not wait for them, because the wait would reveal
        // that the client exists; the next request finds them.
        if let (Err(AssertionError::Signature(JwsError::UnknownKey | JwsError::Signature)), Some(keys)) =
            (&claims, client.as_ref().and_then(|client| client.keys.as_ref()))
        {
            self.call_for_keys(keys);
        }
        let (Ok(claims), Some(client)) = (claims, client.filter(|client| client.policy.enabled)) else {
            throttle.note_wrong_signature(settings.throttle, address, now);
            return Err(TokenError::InvalidClient);
        };
        // RFC 7523 §3, 7: no assertion is accepted twice.
        let jti = UsedJti { client: &claims.client_id, key: None, jti: &claims.jti };
        let (clients, assertions) = (settings.clients.len(), &self.inner.assertions);
        match assertions.use_up(jti, claims.remember_until, clients, self.clock()) {
            Ok(()) => {}
            Err(Replay::Seen | Replay::Expired) => {
                throttle.note_wrong_signature(settings.throttle, address, now);
                return Err(TokenError::ReplayedAssertion);
            }
            // There is no room to remember it, so it is refused: it could be used again.
            Err(_) => return Err(TokenError::Unavailable(RETRY_WHEN_FULL)),
        }
        // Another gateway may have accepted it, or this one before a restart.
        let name = UsedName::of_assertion(&claims.client_id, &claims.jti);
        let keep = used_once::time_to_keep(claims.remember_until, self.clock());
        match self.inner.store.use_once(name, keep).get().await {
            Ok(Use::First) => Ok(client),
            Ok(Use::Again) => {
                throttle.note_wrong_signature(settings.throttle, address, now);
                Err(TokenError::ReplayedAssertion)
            }
            Err(_) => Err(TokenError::Unavailable(RETRY_WHEN_FULL)),
        }
    }
}

/// Everything that the check of an assertion needs, to be done on any thread.
struct AssertionCheck {
    client: Option<Arc<Client>>,
    /// The client that the assertion claims to be from.
    subject: String,
    own_urls: Vec<String>,
    /// The current time, in Unix seconds.
    now: u64,
    /// When the memory of used assertions began, in Unix seconds.
    earliest: u64,
    assertion: Secret,
}

impl AssertionCheck {
    /// Verifies the assertion. A failure costs the same for every client, known or not.
    fn run(&self) -> Result<Claims, AssertionError> {
        let audiences: Vec<&str> = self.own_urls.iter().map(String::as_str).collect();
        let expect = Expect {
            client_id: &self.subject,
            audiences: &audiences,
            now: self.now,
            earliest: self.earliest,
            max_lifetime: MAX_LIFETIME,
            max_undated_lifetime: MAX_UNDATED_LIFETIME,
            leeway: LEEWAY,
        };
        let assertion = self.assertion.expose();
        let keys = self.client.as_ref().and_then(|client| client.keys.as_ref());
        let checked = keys.and_then(|keys| keys.with(|keys| assertion::check(assertion, keys, &expect)));
        checked.unwrap_or_else(|| Err(assertion::refuse(assertion)))
    }
}
