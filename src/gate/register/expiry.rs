//! Removes registered clients that are unused for too long, and those that an operator has removed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::gate::instance::Gate;
use crate::gate::register::record::Registered;
use crate::gate::register::registry::{client_of_use, used_key};
use crate::gate::spec::ClientSpec;
use crate::store::{RowChange, number};

/// How often a client's last use is stored within its `unused_expiry`.
const WRITES_IN_EXPIRY: u64 = 24;

impl Gate {
    /// Removes the clients that were unused for too long or that an operator has removed, and stores when the
    /// others were last used. Returns the ids of the clients that have expired.
    pub(crate) async fn expire_registered(&self) -> Vec<String> {
        let settings = self.settings_full();
        // Without `[token_service.registration]`, there is no `unused_expiry`.
        let Some(registration) = &settings.registration else { return Vec::new() };
        let (registry, store) = (&self.inner.registry, &*self.inner.store);
        let table = registry.table(store);
        let now = self.inner.clock.unix_time().as_secs();
        let mut uses: Vec<RowChange> = Vec::new();
        let mut expired = Vec::new();
        for client in registry.all() {
            let id = client.id.as_str();
            if registration.removed.iter().any(|removed| removed == id) {
                let _ = self.remove_registered(id).await;
                continue;
            }
            let Some(template) = registration.template(&client.template) else { continue };
            if client.expires(template.unused_expiry) <= now {
                // The client may have used another gateway.
                if let Ok(Some(value)) = table.find_row(&used_key(id)).get().await {
                    client.last_use.fetch_max(number(&value), Ordering::Relaxed);
                }
                if client.expires(template.unused_expiry) <= now {
                    if self.remove_registered(id).await.is_ok() {
                        expired.push(id.to_owned());
                    }
                    continue;
                }
            }
            let written = table.known(&used_key(id)).map_or(0, |value| number(&value));
            let step = template.unused_expiry.as_secs() / WRITES_IN_EXPIRY;
            let used = client.last_use.load(Ordering::Relaxed);
            if used > written.saturating_add(step) || used > 0 && written == 0 {
                uses.push((used_key(id), Some(used.to_string().into_bytes())));
            }
        }
        // Remove the rows of clients that do not exist any more.
        for (key, _) in table.rows() {
            if client_of_use(&key).is_some_and(|id| registry.get(id).is_none()) {
                uses.push((key, None));
            }
        }
        if !uses.is_empty() {
            // If the write fails, the next call tries again.
            let _ = table.write(uses).get().await;
        }
        expired
    }

    /// Returns the registered clients, in the order of their ids.
    pub(crate) fn registered_clients(&self) -> Vec<Arc<Registered>> {
        self.inner.registry.all()
    }

    /// Returns a registered client.
    pub(crate) fn registered_client(&self, id: &str) -> Option<Arc<Registered>> {
        self.inner.registry.get(id)
    }

    /// Returns the number of registered clients.
    pub(crate) fn registered_count(&self) -> usize {
        self.inner.registry.len()
    }

    /// Returns the settings of a registered client, or `None` if its template does not exist any more or if
    /// an operator has removed the client.
    pub(crate) fn registered_spec(&self, client: &Registered) -> Option<ClientSpec> {
        client.spec(self.settings().registration.as_ref()?)
    }

    /// Returns the name of the template of a registered client, or `None` for a client of the settings.
    pub(crate) fn template_of(&self, id: &str) -> Option<Arc<str>> {
        self.settings().clients.get(id)?.template.clone()
    }

    /// Returns when a registered client is removed if it stays unused, in Unix seconds.
    pub(crate) fn registered_expiry(&self, client: &Registered) -> Option<u64> {
        let settings = self.settings();
        let template = settings.registration.as_ref()?.template(&client.template)?;
        Some(client.expires(template.unused_expiry))
    }
}
