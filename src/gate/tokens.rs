//! Tokens without the token endpoint: issuing for the program's own use, revoking, counting.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::gate::instance::{Gate, RETRY_WHEN_FULL};
use crate::gate::settings::Client;
use crate::gate::token_random::token_random;
use crate::oauth::client::ClientState;
use crate::oauth::grant::{Grant, Record, Terms};
use crate::oauth::scope::IntoScopes;
use crate::oauth::token::AccessToken;
use crate::oauth::token_error::TokenError;
#[cfg(feature = "gateway")]
use crate::store::Health;
use crate::store::{Pending, StoreError};

/// A token that the store has begun to keep.
struct Issue<'a> {
    token: AccessToken,
    /// The epoch in which the token counts.
    epoch: u32,
    inserted: Pending<'a, Result<(), StoreError>>,
}

/// `Retry-After` if a reload took something away from the client while its request was being answered.
const RETRY_AFTER_RELOAD: Duration = Duration::from_secs(1);

impl Gate {
    /// Issues a token to a client without asking for its secret. This is for tests, and for a program that is
    /// its own client. Everything else is as at the token endpoint: the client's scopes, lifetime and limits
    /// apply.
    ///
    /// It never waits, so it fails with a store that other gateways share; [`Gate::issue_to_async`] waits for
    /// the store.
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
    /// `invalid_client` for an unknown or disabled client, `unauthorized_client` and `invalid_scope` as at
    /// the endpoint, `temporarily_unavailable` if a token limit is reached.
    pub fn issue_to(&self, client_id: &str, scopes: impl IntoScopes) -> Result<AccessToken, TokenError> {
        let (client, terms) = self.terms_for(client_id, scopes)?;
        self.issue_now(&client, terms)
    }

    /// Issues a token as [`Gate::issue_to`] does, and waits until the store has it.
    ///
    /// # Errors
    /// The same.
    pub async fn issue_to_async(
        &self,
        client_id: &str,
        scopes: impl IntoScopes,
    ) -> Result<AccessToken, TokenError> {
        let (client, terms) = self.terms_for(client_id, scopes)?;
        self.issue_token(&client, terms).await
    }

    fn terms_for(
        &self,
        client_id: &str,
        scopes: impl IntoScopes,
    ) -> Result<(Arc<Client>, Terms), TokenError> {
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
        let terms = Terms { scopes, lifetime, audience: None, confirmation: None };
        Ok((Arc::clone(client), terms))
    }

    /// Issues a token on these terms. What the client may ask for is not checked.
    ///
    /// # Errors
    /// `invalid_client` for an unknown or disabled client, `temporarily_unavailable` if a token limit is
    /// reached.
    #[cfg(feature = "gateway")]
    pub(crate) fn issue_on(&self, client_id: &str, terms: Terms) -> Result<AccessToken, TokenError> {
        let settings = self.settings_full();
        let client = settings.clients.get(client_id).ok_or(TokenError::InvalidClient)?;
        self.issue_now(client, terms)
    }

    /// Makes a token for a client, in the form in which it authenticated.
    pub(super) async fn issue_token(&self, client: &Client, terms: Terms) -> Result<AccessToken, TokenError> {
        let Issue { token, epoch, inserted } = self.begin_issue(client, terms)?;
        finish_issue(client, token, epoch, inserted.get().await)
    }

    /// Makes a token, if the store keeps it without a wait.
    fn issue_now(&self, client: &Client, terms: Terms) -> Result<AccessToken, TokenError> {
        let Issue { token, epoch, inserted } = self.begin_issue(client, terms)?;
        finish_issue(client, token, epoch, inserted.ready().unwrap_or(Err(StoreError::Unavailable)))
    }

    /// Makes a token, and begins to insert it in the store.
    fn begin_issue(&self, client: &Client, terms: Terms) -> Result<Issue<'_>, TokenError> {
        let (grant, at_most) = self.grant(client, terms)?;
        let epoch = grant.epoch();
        let random = token_random().map_err(|_| TokenError::Unavailable(RETRY_WHEN_FULL))?;
        let token = AccessToken::from_random(&random);
        if !client.state.take_place(epoch, at_most) {
            return Err(TokenError::Unavailable(RETRY_WHEN_FULL));
        }
        let record = Record::new(grant, self.inner.clock.now());
        let inserted = self.inner.store.insert(token.digest(), record);
        Ok(Issue { token, epoch, inserted })
    }

    /// Returns the grant of a new token, and the largest number of tokens of the client.
    ///
    /// Authentication may have taken a while, and a reload may have changed the client since. A reload first
    /// swaps the settings, then ends epochs, and then restricts the grants that it finds. So the epoch is
    /// read before the settings, and both under the lock of the grants: what the settings read here still
    /// permit, and a later reload does not, ends with that reload.
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
        Ok((grants.on(&client.state, terms, epoch, &now.carried), settings.max_tokens_per_client))
    }

    /// Revokes all tokens of a client at once. Returns whether there is such a client.
    ///
    /// The tokens are refused from now on by this gate. [`Gate::revoke_all_async`] waits until the store has
    /// ended them everywhere and for good.
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
        // The store has begun to end the epoch. This call does not wait for it.
        drop(self.end_epoch(&client.state));
        true
    }

    /// Revokes all tokens of a client at once, as [`Gate::revoke_all`] does, and waits until the store has
    /// ended them everywhere and for good. Returns whether there is such a client.
    ///
    /// # Errors
    /// A [`StoreError`] if the store cannot promise that. The tokens are refused here already.
    pub async fn revoke_all_async(&self, client_id: &str) -> Result<bool, StoreError> {
        let client = self.settings().clients.get(client_id).map(|client| Arc::clone(&client.state));
        let Some(client) = client else { return Ok(false) };
        let epoch = self.end_epoch(&client).get().await?;
        client.advance_to(epoch);
        Ok(true)
    }

    /// Ends the epoch of a client: here at once, and in the store as soon as it can.
    pub(super) fn end_epoch(&self, client: &ClientState) -> Pending<'_, Result<u32, StoreError>> {
        let epoch = client.revoke_all();
        self.inner.store.end_epoch(client.id(), epoch)
    }

    /// Returns whether the store can currently fulfil its contract.
    #[cfg(feature = "gateway")]
    pub(crate) fn is_store_healthy(&self) -> bool {
        self.inner.store.health() == Health::Good
    }

    /// Returns how many tokens the store keeps, including expired ones that are not swept yet.
    #[must_use]
    pub fn tokens_kept(&self) -> usize {
        self.inner.store.len()
    }

    /// Returns how many tokens are valid, without those that were revoked together with all of their
    /// client's. It visits every client, so it is for occasional use.
    #[cfg(feature = "gateway")]
    pub(crate) fn tokens_live(&self) -> u64 {
        self.settings().clients.values().map(|client| client.state.live_tokens()).sum()
    }

    /// Returns how many tokens of a client are valid, or `None` if the client is not known.
    #[cfg(feature = "gateway")]
    pub(crate) fn tokens_live_of(&self, client_id: &str) -> Option<u64> {
        self.settings().clients.get(client_id).map(|client| client.state.live_tokens())
    }

    /// Returns the work spent on verifying secrets so far, in KiB of memory filled by argon2id, counted once
    /// per pass. Each kind of refusal takes the same amount of it.
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

fn finish_issue(
    client: &Client,
    token: AccessToken,
    epoch: u32,
    inserted: Result<(), StoreError>,
) -> Result<AccessToken, TokenError> {
    match inserted {
        Ok(()) => Ok(token),
        Err(StoreError::Full | StoreError::Unavailable) => {
            client.state.release_place(epoch);
            Err(TokenError::Unavailable(RETRY_WHEN_FULL))
        }
    }
}
