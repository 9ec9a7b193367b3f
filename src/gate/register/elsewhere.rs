//! Clients that another gateway has registered.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::gate::instance::Gate;
use crate::gate::register::swap::Changed;
use crate::gate::settings::Settings;
use crate::oauth::client_auth::ClientAuth;
use crate::oauth::registration::is_client_id;
use crate::oauth::token_error::TokenError;
use crate::store::client_key;

/// `Retry-After` of a refusal because this gateway has sent too many queries to the store.
const RETRY: Duration = Duration::from_secs(1);

impl Gate {
    /// Looks up the client of a request in the store, if another gateway may have registered it. Returns the
    /// settings after the lookup, or `None` if no lookup was needed.
    ///
    /// # Errors
    /// `temporarily_unavailable` if the store cannot answer, or after too many queries in this second.
    pub(in crate::gate) async fn find_registered(
        &self,
        settings: &Settings,
        auth: &ClientAuth,
    ) -> Result<Option<Arc<Settings>>, TokenError> {
        if settings.registration.is_none() || !self.shares_registered() {
            return Ok(None);
        }
        let Some(id) = client_of(auth).filter(|id| !settings.clients.contains_key(&**id)) else {
            return Ok(None);
        };
        self.ask_for_registered(&id).await?;
        Ok(Some(self.settings_full()))
    }

    /// Catches up with the store, if the client that was refused is one that other gateways can change.
    /// Returns the settings afterwards, or `None` if they have the client that was refused.
    ///
    /// # Errors
    /// `temporarily_unavailable` if the store cannot answer.
    #[cold]
    pub(in crate::gate) async fn find_changed(
        &self,
        settings: &Settings,
        auth: &ClientAuth,
    ) -> Result<Option<Arc<Settings>>, TokenError> {
        if !self.shares_registered() {
            return Ok(None);
        }
        let Some(id) = client_of(auth) else { return Ok(None) };
        let Some(refused) = settings.clients.get(&*id).filter(|client| client.last_use.is_some()) else {
            return Ok(None);
        };
        self.catch_up().await?;
        let now = self.settings_full();
        let changed = now.clients.get(&*id).is_some_and(|client| !Arc::ptr_eq(client, refused));
        Ok(changed.then_some(now))
    }

    /// Returns whether other gateways register, replace and remove the clients of this one.
    fn shares_registered(&self) -> bool {
        self.inner.registry.table(&*self.inner.store).has_others()
    }

    /// Waits until this gate has applied what other gateways have written before the call. The store limits how
    /// often that costs a query: all requests that wait share the next one.
    pub(super) async fn catch_up(&self) -> Result<(), TokenError> {
        let table = self.inner.registry.table(&*self.inner.store);
        table.catch_up().get().await.map_err(|_| TokenError::Unavailable(RETRY))
    }

    /// Asks the store for a client that this gateway does not know.
    pub(super) async fn ask_for_registered(&self, id: &str) -> Result<(), TokenError> {
        let registry = &self.inner.registry;
        let table = registry.table(&*self.inner.store);
        if !is_client_id(id) || !table.has_others() {
            return Ok(());
        }
        if registry.get(id).is_none() {
            if !registry.questions.admit(self.inner.clock.unix_time().as_secs()) {
                return Err(TokenError::Unavailable(RETRY));
            }
            let key = client_key(id);
            let found = table.find_row(&key).get().await.map_err(|_| TokenError::Unavailable(RETRY))?;
            if let Some(value) = found {
                self.adopt_registered(&key, Some(&value));
                self.follow_known(&key, Some(value));
            }
        }
        // Another thread adds the client to the registry first, and to the settings a moment later.
        if registry.get(id).is_some() && !self.settings().clients.contains_key(id) {
            drop(self.refresh_client(id, Changed::Elsewhere));
        }
        Ok(())
    }

    /// Subscribes this gate to the rows that other processes write.
    pub(in crate::gate) fn watch_registered(&self) {
        if let Some(table) = self.inner.store.client_table() {
            let inner = Arc::downgrade(&self.inner);
            table.on_change(Box::new(move |key, value| {
                if let Some(inner) = inner.upgrade() {
                    Self { inner }.adopt_registered(key, value);
                }
            }));
        }
    }

    /// Applies what the table knows of a row now, if that is not what was just applied. Another process may have
    /// removed or changed the client in the meantime, and this gate may have heard of it before.
    pub(super) fn follow_known(&self, key: &str, applied: Option<Vec<u8>>) {
        let known = self.inner.registry.table(&*self.inner.store).known(key);
        if known != applied {
            self.adopt_registered(key, known.as_deref());
        }
    }

    /// Applies a row that another process has written.
    pub(super) fn adopt_registered(&self, key: &str, value: Option<&[u8]>) {
        if let Some(id) = self.inner.registry.apply(key, value) {
            drop(self.refresh_client(id, Changed::Elsewhere));
        }
    }
}

/// Returns the client that a request claims to be from.
fn client_of(auth: &ClientAuth) -> Option<Cow<'_, str>> {
    match auth {
        ClientAuth::Secret { client_id, .. } | ClientAuth::Id(client_id) => Some(Cow::Borrowed(client_id)),
        ClientAuth::Assertion { assertion, .. } => {
            crate::oauth::assertion::peek_client(assertion.expose()).ok().map(Cow::Owned)
        }
    }
}
