//! Who is this client?

#[cfg(feature = "jose")]
mod assertion;
#[cfg(feature = "jose")]
mod certificate;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Gate;
use super::client_secret::ClientSecret;
use super::hashing::Candidate;
use super::settings::{Client, Settings};
use super::throttle::Try;
use crate::oauth::client_auth::{ClientAuth, SecretMethod};
use crate::oauth::denial::TokenError;
use crate::oauth::evidence::PeerCertificate;
use crate::oauth::secret::Secret;

/// What to tell a client that came while hashing was busy.
const BUSY: Duration = Duration::from_secs(1);

/// Where a request to the OAuth endpoints came from.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Origin<'a> {
    /// The client's address; without it, failures count against one address that all share.
    pub address: Option<IpAddr>,
    /// The client certificate of the connection.
    pub certificate: Option<PeerCertificate<'a>>,
    /// Whether the client speaks TLS, where that is known: part of the URL that a DPoP proof may name.
    pub https: Option<bool>,
}

impl Origin<'_> {
    /// A request from this address.
    #[must_use]
    pub fn from_address(address: IpAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }
}

impl Gate {
    /// Verifies what a request offers as client authentication.
    pub(crate) async fn authenticate(
        &self,
        settings: &Settings,
        auth: ClientAuth,
        origin: Origin<'_>,
    ) -> Result<Arc<Client>, TokenError> {
        match auth {
            ClientAuth::Secret { client_id, secret, method } => {
                self.authenticate_secret(settings, &client_id, secret, method, origin).await
            }
            #[cfg(feature = "jose")]
            ClientAuth::Assertion { client_id, assertion } => {
                self.authenticate_assertion(settings, client_id.as_deref(), &assertion, origin)
            }
            #[cfg(feature = "jose")]
            ClientAuth::Id(client_id) => self.authenticate_certificate(settings, &client_id, origin),
            // No client has these methods, so whoever uses them is not one.
            #[cfg(not(feature = "jose"))]
            ClientAuth::Assertion { .. } | ClientAuth::Id(_) => Err(TokenError::InvalidClient),
        }
    }

    /// Lets a try to authenticate in, unless there were too many failures.
    fn admit(&self, settings: &Settings, client_id: &str, origin: Origin<'_>) -> Result<Try, TokenError> {
        let address = origin.address.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let now = self.inner.clock.now();
        self.inner.throttle.admit(settings.throttle, client_id, address, now).map_err(TokenError::Throttled)
    }

    async fn authenticate_secret(
        &self,
        settings: &Settings,
        client_id: &str,
        secret: Secret,
        method: SecretMethod,
        origin: Origin<'_>,
    ) -> Result<Arc<Client>, TokenError> {
        let unix_time = self.inner.clock.unix_time();
        let digest = self.keyed_digest(client_id, &secret);
        let client = settings.clients.get(client_id);
        // A client that may not authenticate this way is as good as unknown, but costs what a known one costs.
        let admissible =
            client.filter(|client| client.policy.enabled && client.secret_methods.contains(&method));
        let secrets = client.map_or(&[][..], |client| &client.secrets);

        // A secret remembered as good costs no hash and is never throttled.
        let remembered = |secret: &&Arc<ClientSecret>| {
            secret.is_valid(unix_time)
                && secret.remembered.get().is_some_and(|known| bool::from(known.ct_eq(&digest)))
        };
        let known = || Some((admissible?, secrets.iter().find(remembered)?));
        if let Some((client, known)) = known() {
            known.note_use(unix_time, origin.address);
            return Ok(Arc::clone(client));
        }
        // Held to the end: by then it is remembered, or known to be wrong.
        let _first = self.inner.under_way.first(digest).await;
        if let Some((client, known)) = known() {
            known.note_use(unix_time, origin.address);
            return Ok(Arc::clone(client));
        }

        let admitted = self.admit(settings, client_id, origin)?;
        let candidates = candidates(settings, client, admissible.is_some(), unix_time);
        let Ok(found) = self.inner.hashing.verify(secret, candidates).await else {
            self.inner.throttle.forgive(&admitted, false);
            return Err(TokenError::Unavailable(BUSY));
        };
        let found = found.and_then(|at| secrets.get(at));
        match (admissible, found) {
            (Some(client), Some(good)) if good.is_valid(unix_time) => {
                self.inner.throttle.forgive(&admitted, true);
                // Set already only if another request was quicker, with the same digest.
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

    /// What a secret is remembered by: useless outside this process, whose random key it needs.
    fn keyed_digest(&self, client_id: &str, secret: &Secret) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.inner.process_key);
        hash.update(u64::try_from(client_id.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(client_id);
        hash.update(secret.expose());
        hash.finalize().into()
    }
}

/// What to try a secret on: the client's own hashes first, and then what makes every failure cost the same, whoever the
/// client is and however many secrets it has.
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
    let decoys = settings.decoys.iter().skip(secrets.len());
    let padding = client.and_then(|client| client.padding.as_ref());
    let in_vain = decoys.chain(padding).map(|hash| Candidate { hash: hash.clone(), suffices: false });
    own.chain(in_vain).collect()
}
