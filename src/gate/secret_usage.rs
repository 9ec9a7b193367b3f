//! The usage of secrets, as the gate reports and restores it.

use std::sync::Arc;

use crate::gate::client_secret::{ClientSecret, SecretUsage, SeenSecret};
use crate::gate::instance::Gate;
use crate::sorting::sort_by_key;

impl Gate {
    /// Returns the usage of a client's secrets, by secret id. It is empty for an unknown client.
    ///
    /// ```
    /// # use tollgate::{ClientSpec, Gate, GateSpec};
    /// let client = ClientSpec::with_id("server")?.plain_secret("old")?.plain_secret("new")?;
    /// let gate = Gate::builder(GateSpec::default().client(client)).build()?;
    /// for (id, usage) in gate.secret_usage("server") {
    ///     println!("secret {id}: used {} times, last from {:?}", usage.count, usage.last_address);
    /// }
    /// # assert_eq!(gate.secret_usage("server").len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn secret_usage(&self, client_id: &str) -> Vec<(String, SecretUsage)> {
        let settings = self.settings();
        let secrets = settings.clients.get(client_id).into_iter().flat_map(|client| &client.secrets);
        secrets.map(|secret| (secret.id.clone(), *secret.usage())).collect()
    }

    /// Returns the usage of all secrets of all clients, in the order of client ids.
    #[must_use]
    pub fn seen_secrets(&self) -> Vec<SeenSecret> {
        let settings = self.settings();
        let mut clients: Vec<_> = settings.clients.iter().collect();
        sort_by_key(&mut clients, |(id, _)| *id);
        let mut seen = Vec::new();
        for (client_id, client) in clients {
            seen.extend(client.secrets.iter().map(|secret| SeenSecret {
                client_id: client_id.to_string(),
                id: secret.id.clone(),
                fingerprint: Arc::clone(&secret.fingerprint),
                expires: secret.expires,
                usage: *secret.usage(),
            }));
        }
        seen
    }

    /// Adds the usage that [`Gate::seen_secrets`] returned before a restart. Secrets that no longer exist are
    /// ignored.
    pub fn restore_seen_secrets(&self, seen: &[SeenSecret]) {
        let settings = self.settings();
        for before in seen {
            let Some(client) = settings.clients.get(before.client_id.as_str()) else { continue };
            let same = |secret: &&Arc<ClientSecret>| {
                secret.id == before.id && secret.fingerprint == before.fingerprint
            };
            if let Some(secret) = client.secrets.iter().find(same) {
                secret.usage().take_over(&before.usage);
            }
        }
    }
}
