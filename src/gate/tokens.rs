//! Tokens without the token endpoint: issuing for the program's own use, revoking, counting.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::gate::instance::{Gate, RETRY_WHEN_FULL};
use crate::gate::settings::Client;
use crate::oauth::denial::TokenError;
use crate::oauth::grant::{Grant, Record, Terms};
use crate::oauth::scope::IntoScopes;
use crate::oauth::token::AccessToken;
use crate::store::StoreError;

/// `Retry-After` if a reload took something away from the client while its request was being answered.
const RETRY_AFTER_RELOAD: Duration = Duration::from_secs(1);

impl Gate {
    /// Issues a token to a client without asking for its secret. This is for tests, and for a program that is its own
    /// client. Everything else is as at the token endpoint: the client's scopes, lifetime and limits apply.
    ///
    /// ```
    /// use tollgate::{ClientSpec, Gate, GateSpec};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = ClientSpec::with_id("server")?.scopes(["read", "list"])?;
    /// let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// let token = gate.issue_to("server", "read")?;
    /// assert!(token.expose().starts_with("tg_"));
    /// assert!(gate.issue_to("server", ["read", "write"]).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `invalid_client` for an unknown or disabled client, `unauthorized_client` and `invalid_scope` as at the
    /// endpoint, `temporarily_unavailable` if a token limit is reached.
    pub fn issue_to(&self, client_id: &str, scopes: impl IntoScopes) -> Result<AccessToken, TokenError> {
        let settings = self.settings_full();
        let client = settings.clients.get(client_id).ok_or(TokenError::InvalidClient)?;
        let scopes = scopes.into_scopes().map_err(|_| TokenError::InvalidScope)?;
        if !client.policy.capabilities.client_credentials {
            return Err(TokenError::UnauthorizedClient);
        }
        if !client.policy.scopes.contains_all(&scopes) {
            return Err(TokenError::InvalidScope);
        }
        let lifetime = client.policy.token_lifetime;
        self.issue_token(client, Terms { scopes, lifetime, audience: None, confirmation: None })
    }

    /// Issues a token on these terms. What the client may ask for is not checked.
    ///
    /// # Errors
    /// `invalid_client` for an unknown or disabled client, `temporarily_unavailable` if a token limit is reached.
    #[cfg(feature = "gateway")]
    pub(crate) fn issue_on(&self, client_id: &str, terms: Terms) -> Result<AccessToken, TokenError> {
        let settings = self.settings_full();
        let client = settings.clients.get(client_id).ok_or(TokenError::InvalidClient)?;
        self.issue_token(client, terms)
    }

    /// Makes a token for a client, in the form in which it authenticated.
    pub(super) fn issue_token(&self, client: &Client, terms: Terms) -> Result<AccessToken, TokenError> {
        let (grant, at_most) = self.grant(client, terms)?;
        let epoch = grant.epoch();
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| TokenError::Unavailable(RETRY_WHEN_FULL))?;
        let token = AccessToken::from_random(&random);
        if !client.state.take_place(epoch, at_most) {
            return Err(TokenError::Unavailable(RETRY_WHEN_FULL));
        }
        let record = Record::new(grant, self.inner.clock.now());
        match self.inner.store.insert(token.digest(), record) {
            Ok(()) => Ok(token),
            Err(StoreError::Full | StoreError::Unavailable) => {
                client.state.release_place(epoch);
                Err(TokenError::Unavailable(RETRY_WHEN_FULL))
            }
        }
    }

    /// Returns the grant of a new token, and the largest number of tokens of the client.
    ///
    /// Authentication may have taken a while, and a reload may have changed the client since. A reload first swaps the
    /// settings, then ends epochs, and then restricts the grants that it finds. So the epoch is read before the settings, and
    /// both under the lock of the grants: what the settings read here still permit, and a later reload does not, ends with
    /// that reload.
    fn grant(&self, client: &Client, terms: Terms) -> Result<(Arc<Grant>, u32), TokenError> {
        let mut grants = client.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = client.state.epoch();
        let settings = self.settings();
        let same = |now: &&Arc<Client>| now.policy.enabled && Arc::ptr_eq(&now.state, &client.state);
        let now = settings.clients.get(client.state.id().as_str()).filter(same);
        let now = now.ok_or(TokenError::InvalidClient)?;
        let reloaded = !std::ptr::eq(&**now, client);
        let longer = terms.lifetime > now.policy.token_lifetime;
        if reloaded && (longer || now.ends_tokens_of(client) || !now.allows(&terms)) {
            return Err(TokenError::Unavailable(RETRY_AFTER_RELOAD));
        }
        Ok((grants.on(&client.state, terms, epoch), settings.max_tokens_per_client))
    }

    /// Revokes all tokens of a client at once. Returns whether there is such a client.
    ///
    /// ```
    /// # use tollgate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes("read")?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// assert!(gate.revoke_all("server"));
    /// assert!(!gate.revoke_all("nobody"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn revoke_all(&self, client_id: &str) -> bool {
        let settings = self.settings();
        let Some(client) = settings.clients.get(client_id) else { return false };
        client.state.revoke_all();
        true
    }

    /// Returns how many tokens the store keeps, including expired ones that are not swept yet.
    #[must_use]
    pub fn tokens_kept(&self) -> usize {
        self.inner.store.len()
    }

    /// Returns how many tokens are valid, without those that were revoked together with all of their client's. It
    /// visits every client, so it is for occasional use.
    #[cfg(feature = "gateway")]
    pub(crate) fn tokens_live(&self) -> u64 {
        self.settings().clients.values().map(|client| client.state.live_tokens()).sum()
    }

    /// Returns the work spent on verifying secrets so far, in KiB of memory filled by argon2id, counted once per pass.
    /// Each kind of refusal takes the same amount of it.
    #[must_use]
    pub fn hashing_work(&self) -> u64 {
        self.inner.hashing.work_done()
    }

    /// Returns how many secrets wait for a hashing thread.
    #[cfg(feature = "gateway")]
    pub(crate) fn hashing_queue(&self) -> usize {
        self.inner.hashing.waiting()
    }
}
