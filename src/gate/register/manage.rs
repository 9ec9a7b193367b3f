//! The client configuration endpoint: a client reads, replaces and removes its registration (RFC 7592 §2).

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, request};
use http_body_util::Full;

use crate::gate::endpoint::{EndpointOutcome, FormBody, Success};
use crate::gate::hashing::Candidate;
use crate::gate::instance::{Gate, RETRY_WHEN_BUSY, RETRY_WHEN_FULL};
use crate::gate::origin::Origin;
use crate::gate::register::endpoint::{answer, json_body, presented, template_of};
use crate::gate::register::record::Registered;
use crate::gate::register::registry::used_key;
use crate::gate::register::swap::Changed;
use crate::gate::settings::Settings;
use crate::gate::throttle::network;
use crate::oauth::registration::{RegistrationToken, TokenKind, Update, removed};
use crate::oauth::secret::Secret;
use crate::oauth::token_error::TokenError;
use crate::store::client_key;

const UNAVAILABLE: TokenError = TokenError::Unavailable(RETRY_WHEN_FULL);

impl Gate {
    pub(super) async fn read_registration(
        &self,
        settings: &Settings,
        id: &str,
        parts: &request::Parts,
        outcome: &mut EndpointOutcome,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        let (client, token) = self.manager(id, parts, outcome).await?;
        let client = self.retire_earlier_token(client, token).await?;
        outcome.success = Some(Success::RegistrationRead);
        Ok(answer(settings, StatusCode::OK, &client, None, &sent_token(parts)))
    }

    /// Replaces everything that is registered. The client gets a new registration access token, and a new
    /// secret if it has one: it must have discarded the old ones (RFC 7592 §3).
    pub(super) async fn update_registration(
        &self,
        settings: &Settings,
        id: &str,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
        outcome: &mut EndpointOutcome,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        let (client, token) = self.manager(id, parts, outcome).await?;
        self.admit_update(settings, id, origin)?;
        let body = json_body(parts, body)?;
        let template = template_of(settings, &client).ok_or(TokenError::InvalidRegistrationToken)?;
        let update = Update::read(&body, template)?;
        if update.client_id != id {
            return Err(TokenError::InvalidClientMetadata("client_id is not the id of this registration"));
        }
        if let Some(secret) = update.client_secret {
            self.check_own_secret(&client, secret, origin).await?;
        }
        let secret = self.new_secret(&update.metadata, origin).await?;
        let (access_token, access) = self.new_token()?;
        let changed = Registered {
            metadata: update.metadata,
            secret: secret.as_ref().map(|(_, hash)| hash.clone()),
            access: vec![access, token],
            renewed_at: self.inner.clock.unix_time().as_secs(),
            ..Registered::clone(&client)
        };
        let response = answer(settings, StatusCode::OK, &changed, secret.as_ref(), &access_token);
        self.replace_registered(&client, changed).await?;
        outcome.success = Some(Success::RegistrationUpdated);
        Ok(response)
    }

    /// Removes a client. Its tokens end at once.
    pub(super) async fn delete_registration(
        &self,
        id: &str,
        parts: &request::Parts,
        outcome: &mut EndpointOutcome,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        self.manager(id, parts, outcome).await?;
        self.remove_registered(id).await?;
        outcome.success = Some(Success::RegistrationDeleted);
        Ok(removed())
    }

    /// Removes a client and everything that is known about it.
    pub(super) async fn remove_registered(&self, id: &str) -> Result<(), TokenError> {
        let registry = &self.inner.registry;
        let rows = vec![(client_key(id), None), (used_key(id), None)];
        let managing = registry.managing.lock().await;
        let forgotten = registry.forget(id);
        let (ended, written) =
            (self.refresh_client(id, Changed::Here), registry.table(&*self.inner.store).write(rows));
        let written = written.get().await;
        if written.is_err() {
            // The client cannot authenticate here any more. Its record stays, so that the caller can try
            // again.
            forgotten.map(|client| registry.keep(Registered::clone(&client)));
        }
        drop(managing);
        let ended = ended.get().await;
        written.map_err(|_| UNAVAILABLE)?;
        ended.map(|_| ()).map_err(|_| UNAVAILABLE)
    }

    /// Finds the client that a registration access token manages. The answer is the same for a client that
    /// does not exist and for another client's token (RFC 7592 §2).
    async fn manager(
        &self,
        id: &str,
        parts: &request::Parts,
        outcome: &mut EndpointOutcome,
    ) -> Result<(Arc<Registered>, RegistrationToken), TokenError> {
        let token = presented(TokenKind::Registration, parts)?;
        self.ask_for_registered(id).await?;
        let now = self.inner.clock.unix_time().as_secs();
        let find = || self.inner.registry.get(id).filter(|client| client.is_managed_with(&token, now));
        let client = match find() {
            Some(client) => client,
            None => {
                // Another gateway may have given the client another token a moment ago.
                self.catch_up().await?;
                find().ok_or(TokenError::InvalidRegistrationToken)?
            }
        };
        // A client that an operator has disabled or removed cannot manage its registration.
        let settings = self.settings();
        let in_force =
            settings.clients.get(id).filter(|client| client.policy.enabled && client.last_use.is_some());
        let in_force = in_force.ok_or(TokenError::InvalidRegistrationToken)?;
        outcome.client = Some(Arc::clone(&in_force.state));
        Ok((client, token))
    }

    /// Drops the previous registration access token, if the request used the current one.
    async fn retire_earlier_token(
        &self,
        client: Arc<Registered>,
        used: RegistrationToken,
    ) -> Result<Arc<Registered>, TokenError> {
        if client.access.len() < 2 || client.access.first() != Some(&used) {
            return Ok(client);
        }
        let changed = Registered { access: vec![used], ..Registered::clone(&client) };
        self.replace_registered(&client, changed.clone()).await?;
        Ok(Arc::new(changed))
    }

    /// Stores a changed client and puts it into force. Fails if the client has changed since it was read. A
    /// caller that closes its connection does not interrupt it.
    async fn replace_registered(
        &self,
        before: &Arc<Registered>,
        after: Registered,
    ) -> Result<(), TokenError> {
        let (gate, before) = (self.clone(), Arc::clone(before));
        let replaced = tokio::spawn(async move { gate.replace(&before, after).await });
        replaced.await.unwrap_or(Err(UNAVAILABLE))
    }

    async fn replace(&self, before: &Arc<Registered>, after: Registered) -> Result<(), TokenError> {
        let (registry, id) = (&self.inner.registry, before.id.as_str());
        let (table, key) = (registry.table(&*self.inner.store), client_key(id));
        let managing = registry.managing.lock().await;
        let is_current = registry.get(id).is_some_and(|now| Arc::ptr_eq(&now, before));
        // Another version of this program may have written the row, in another form. The comparison is
        // therefore with the stored bytes.
        let row = table.known(&key).filter(|_| is_current).ok_or(TokenError::InvalidRegistrationToken)?;
        let written = after.to_bytes();
        match table.replace(&key, row, written.clone()).get().await {
            Ok(true) => {}
            Ok(false) => return Err(TokenError::InvalidRegistrationToken),
            Err(_) => return Err(UNAVAILABLE),
        }
        registry.keep(after);
        let ended = self.refresh_client(id, Changed::Here);
        self.follow_known(&key, Some(written));
        drop(managing);
        ended.get().await.map(|_| ()).map_err(|_| UNAVAILABLE)
    }

    /// Checks the secret in an update, which "MUST match the currently issued client secret" (RFC 7592 §2.2).
    async fn check_own_secret(
        &self,
        client: &Registered,
        secret: Secret,
        origin: Origin<'_>,
    ) -> Result<(), TokenError> {
        const WRONG: TokenError =
            TokenError::InvalidClientMetadata("client_secret is not the client's secret");
        let hash = client.secret.clone().ok_or(WRONG)?;
        let network = network(origin.address_or_shared());
        let candidates = vec![Candidate { hash, suffices: true }];
        match self.inner.hashing.verify(network, secret, candidates).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(WRONG),
            Err(_) => Err(TokenError::Unavailable(RETRY_WHEN_BUSY)),
        }
    }
}

/// Returns the token that authorized a request. The response repeats it (RFC 7592 §3).
fn sent_token(parts: &request::Parts) -> Secret {
    let token =
        crate::oauth::bearer::presented(&parts.headers).map(|presented| presented.token).unwrap_or_default();
    Secret::new(String::from_utf8_lossy(token))
}
