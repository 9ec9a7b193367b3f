//! Client authentication.

#[cfg(feature = "jose")]
mod assertion;
#[cfg(feature = "jose")]
mod certificate;

use std::sync::Arc;
use std::time::Duration;

use crate::gate::client_secret::ClientSecret;
use crate::gate::hashing::Candidate;
use crate::gate::instance::{Gate, RETRY_WHEN_BUSY};
use crate::gate::origin::Origin;
use crate::gate::secret_digest::is_same;
use crate::gate::settings::{Client, Settings};
use crate::gate::throttle::{Attempt, network};
use crate::oauth::client_auth::{ClientAuth, SecretMethod};
use crate::oauth::secret::Secret;
use crate::oauth::token_error::TokenError;

impl Gate {
    /// Verifies the client authentication of a request.
    pub(crate) async fn authenticate(
        &self,
        settings: &Settings,
        auth: &ClientAuth,
        origin: Origin<'_>,
    ) -> Result<Arc<Client>, TokenError> {
        #[cfg(not(feature = "gateway"))]
        {
            self.authenticate_by(settings, auth, origin).await
        }
        #[cfg(feature = "gateway")]
        {
            let found = self.find_registered(settings, auth).await?;
            let settings = found.as_deref().unwrap_or(settings);
            let client = match self.authenticate_by(settings, auth, origin).await {
                // Another gateway may have given the client another secret or key a moment ago.
                Err(TokenError::InvalidClient) => match self.find_changed(settings, auth).await? {
                    Some(settings) => Box::pin(self.authenticate_by(&settings, auth, origin)).await?,
                    None => return Err(TokenError::InvalidClient),
                },
                client => client?,
            };
            client.note_use(self.inner.clock.unix_time());
            Ok(client)
        }
    }

    async fn authenticate_by(
        &self,
        settings: &Settings,
        auth: &ClientAuth,
        origin: Origin<'_>,
    ) -> Result<Arc<Client>, TokenError> {
        match auth {
            ClientAuth::Secret { client_id, secret, method } => {
                self.authenticate_secret(settings, client_id, secret, *method, origin).await
            }
            #[cfg(feature = "jose")]
            ClientAuth::Assertion { client_id, assertion } => {
                self.authenticate_assertion(settings, client_id.as_deref(), assertion, origin).await
            }
            #[cfg(feature = "jose")]
            ClientAuth::Id(client_id) => self.authenticate_certificate(settings, client_id, origin),
            // Without the feature `jose` no client has these methods.
            #[cfg(not(feature = "jose"))]
            ClientAuth::Assertion { .. } | ClientAuth::Id(_) => Err(TokenError::InvalidClient),
        }
    }

    /// Admits an attempt with a secret, unless there were too many failures.
    fn admit(&self, settings: &Settings, client_id: &str, origin: Origin<'_>) -> Result<Attempt, TokenError> {
        let (address, now) = (origin.address_or_shared(), self.inner.clock.now());
        self.inner.throttle.admit(settings.throttle, client_id, address, now).map_err(TokenError::Throttled)
    }

    async fn authenticate_secret(
        &self,
        settings: &Settings,
        client_id: &str,
        secret: &Secret,
        method: SecretMethod,
        origin: Origin<'_>,
    ) -> Result<Arc<Client>, TokenError> {
        let unix_time = self.inner.clock.unix_time();
        let digest = self.inner.secret_digester.digest(client_id, secret);
        let client = settings.clients.get(client_id);
        // A client that may not authenticate this way is treated as unknown, at the cost of a known one.
        let admissible =
            client.filter(|client| client.policy.enabled && client.secret_methods.contains(&method));
        let secrets = client.map_or(&[][..], |client| &client.secrets);

        // A secret remembered as correct costs no hash and is never throttled.
        let remembered = |secret: &&Arc<ClientSecret>| {
            secret.is_valid(unix_time) && secret.remembered.get().is_some_and(|known| is_same(known, &digest))
        };
        let known = || Some((admissible?, secrets.iter().find(remembered)?));
        if let Some((client, known)) = known() {
            known.note_use(unix_time, origin.address);
            return Ok(Arc::clone(client));
        }
        // Held until the secret is either remembered or known to be wrong.
        let _first = self.inner.single_flight.first(digest).await;
        if let Some((client, known)) = known() {
            known.note_use(unix_time, origin.address);
            return Ok(Arc::clone(client));
        }

        let admitted = self.admit(settings, client_id, origin)?;
        let candidates = candidates(settings, client, admissible.is_some(), unix_time);
        let network = network(origin.address_or_shared());
        let Ok(found) = self.inner.hashing.verify(network, secret.clone(), candidates).await else {
            self.inner.throttle.forgive(&admitted, false);
            return Err(TokenError::Unavailable(RETRY_WHEN_BUSY));
        };
        let found = found.and_then(|at| secrets.get(at));
        match (admissible, found) {
            (Some(client), Some(good)) if good.is_valid(unix_time) => {
                self.inner.throttle.forgive(&admitted, true);
                // It is set already only if another request was faster, and then to the same digest.
                let _ = good.remembered.set(digest);
                good.note_use(unix_time, origin.address);
                Ok(Arc::clone(client))
            }
            _ => {
                if let Some(expired) = found.filter(|secret| !secret.is_valid(unix_time)) {
                    expired.note_refused(unix_time, origin.address);
                }
                Err(TokenError::InvalidClient)
            }
        }
    }
}

/// Lists the hashes to verify a secret against: those of the client, and then a decoy that costs as much as
/// the difference to the most expensive client. Every failure therefore costs the same for every client,
/// known or not.
fn candidates(
    settings: &Settings,
    client: Option<&Arc<Client>>,
    is_admissible: bool,
    unix_time: Duration,
) -> Vec<Candidate> {
    let secrets = client.map_or(&[][..], |client| &client.secrets);
    let own = secrets.iter().map(|secret| Candidate {
        hash: secret.hash.clone(),
        suffices: is_admissible && secret.is_valid(unix_time),
    });
    let decoy = match client {
        Some(client) => client.padding.as_ref(),
        None => settings.decoy.as_ref(),
    };
    own.chain(decoy.map(|hash| Candidate { hash: hash.clone(), suffices: false })).collect()
}
