//! What a gate is told by its configuration, and what it makes of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;

use super::client_secret::ClientSecret;
#[cfg(feature = "jose")]
use super::keys::{ClientKeys, KeySource, Pool, RemoteKeys};
use super::secret_hash::SecretHash;
use super::throttle::ThrottlePolicy;
use super::{defaults, offer};
#[cfg(feature = "jose")]
use crate::oauth::certificate::Subject;
use crate::oauth::client::{ClientId, ClientPolicy, ClientState};
use crate::oauth::client_auth::SecretMethod;
use crate::oauth::denial::Challenge;
use crate::oauth::endpoints::metadata::{Metadata, issuer_path};
use crate::oauth::grant::{Grant, Terms};

/// The settings of a whole gate, as a program or gateway.toml gives them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GateSpec {
    /// The issuer identifier (RFC 8414 §2): what stands before the endpoint paths in public URLs.
    pub issuer: String,
    /// The realm that challenges name.
    pub realm: String,
    /// Path of the token endpoint.
    pub token_endpoint: String,
    /// Path of the introspection endpoint.
    pub introspection_endpoint: String,
    /// Path of the revocation endpoint.
    pub revocation_endpoint: String,
    /// Every scope there is.
    pub scopes: Vec<String>,
    /// Live tokens of one client at most.
    pub max_tokens_per_client: u32,
    /// When failed authentications are too many.
    pub throttle: ThrottlePolicy,
    /// The clients.
    pub clients: Vec<ClientSpec>,
}

impl Default for GateSpec {
    fn default() -> Self {
        Self {
            issuer: "https://localhost:8443".to_owned(),
            realm: defaults::REALM.to_owned(),
            token_endpoint: defaults::TOKEN_ENDPOINT.to_owned(),
            introspection_endpoint: defaults::INTROSPECTION_ENDPOINT.to_owned(),
            revocation_endpoint: defaults::REVOCATION_ENDPOINT.to_owned(),
            scopes: Vec::new(),
            max_tokens_per_client: defaults::MAX_TOKENS_PER_CLIENT,
            throttle: ThrottlePolicy::default(),
            clients: Vec::new(),
        }
    }
}

/// One client.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientSpec {
    /// Its id.
    pub id: ClientId,
    /// What it may get.
    pub policy: ClientPolicy,
    /// Its secrets, tried in this order.
    pub secrets: Vec<SecretSpec>,
    /// The ways in which it may send a secret.
    pub secret_methods: Vec<SecretMethod>,
    /// The resources it may ask tokens for (RFC 8707).
    pub audiences: Vec<String>,
    /// The keys it may sign assertions with (`private_key_jwt`).
    #[cfg(feature = "jose")]
    pub keys: Option<KeySource>,
    /// Whom the certificate of its connections names (`tls_client_auth`).
    #[cfg(feature = "jose")]
    pub certificate_subject: Option<Subject>,
    /// SHA-256 of the one certificate that its connections may have (`self_signed_tls_client_auth`).
    #[cfg(feature = "jose")]
    pub certificate_thumbprint: Option<[u8; 32]>,
    /// Whether its tokens are bound to the certificate of the connection they are asked for on (RFC 8705 §3).
    pub certificate_bound_tokens: bool,
    /// Whether its tokens have to be bound to a key (RFC 9449 §5.2). A client that proves to hold one gets a bound token
    /// in any case.
    pub dpop_bound_tokens: bool,
}

impl ClientSpec {
    /// A client that may do what `policy` says, so far without a secret.
    #[must_use]
    pub fn new(id: ClientId, policy: ClientPolicy) -> Self {
        let secret_methods = vec![SecretMethod::Basic, SecretMethod::Post];
        Self {
            id,
            policy,
            secrets: Vec::new(),
            secret_methods,
            audiences: Vec::new(),
            #[cfg(feature = "jose")]
            keys: None,
            #[cfg(feature = "jose")]
            certificate_subject: None,
            #[cfg(feature = "jose")]
            certificate_thumbprint: None,
            certificate_bound_tokens: false,
            dpop_bound_tokens: false,
        }
    }
}

/// One secret of a client.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SecretSpec {
    /// What it is called in listings.
    pub id: String,
    /// Its hash.
    pub hash: SecretHash,
    /// When it stops working, as time since the Unix epoch.
    pub expires: Option<Duration>,
}

impl SecretSpec {
    /// A secret.
    #[must_use]
    pub fn new(id: impl Into<String>, hash: SecretHash, expires: Option<Duration>) -> Self {
        Self { id: id.into(), hash, expires }
    }
}

/// A [`GateSpec`] made ready for requests. Swapped whole when configuration changes.
pub(crate) struct Settings {
    pub(crate) challenge: Challenge,
    pub(crate) issuer: String,
    /// The path of the issuer, without a slash at its end.
    pub(crate) issuer_path: String,
    /// URL of the token endpoint: an `htu` that DPoP proofs may name.
    #[cfg(feature = "jose")]
    pub(crate) token_url: String,
    /// What a client assertion may name as its audience: the issuer and the URLs of the endpoints.
    #[cfg(feature = "jose")]
    pub(crate) own_urls: Vec<String>,
    pub(crate) token_endpoint: String,
    pub(crate) introspection_endpoint: String,
    pub(crate) revocation_endpoint: String,
    pub(crate) authorization_server: Value,
    pub(crate) protected_resource: Value,
    pub(crate) max_tokens_per_client: u32,
    pub(crate) throttle: ThrottlePolicy,
    pub(crate) clients: HashMap<Box<str>, Arc<Client>>,
    /// What the secret of an unknown client is tried on: as many hashes as any client has, of the dearest kind.
    pub(crate) decoys: Vec<SecretHash>,
}

/// A client as configured, with the parts of it that live on over a reload.
pub(crate) struct Client {
    pub(crate) state: Arc<ClientState>,
    pub(crate) policy: ClientPolicy,
    pub(crate) secrets: Vec<Arc<ClientSecret>>,
    /// What a try in vain costs more than its own hashes, where those are cheaper than others'.
    pub(crate) padding: Option<SecretHash>,
    pub(crate) secret_methods: Vec<SecretMethod>,
    pub(crate) audiences: Vec<String>,
    #[cfg(feature = "jose")]
    pub(crate) keys: Option<ClientKeys>,
    #[cfg(feature = "jose")]
    pub(crate) certificate_subject: Option<Subject>,
    #[cfg(feature = "jose")]
    pub(crate) certificate_thumbprint: Option<[u8; 32]>,
    pub(crate) certificate_bound_tokens: bool,
    pub(crate) dpop_bound_tokens: bool,
    /// The grants that live tokens stand on, so that tokens on the same terms share one.
    grants: Mutex<HashMap<(Terms, u32), Weak<Grant>>>,
}

/// Above this many the map of grants is cleared of dead ones before another is added.
const GRANTS_BEFORE_CLEANING: usize = 64;

impl Client {
    /// The shared grant on these terms in this epoch.
    pub(crate) fn grant(&self, terms: Terms, epoch: u32) -> Arc<Grant> {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (terms, epoch);
        if let Some(grant) = grants.get(&key).and_then(Weak::upgrade) {
            return grant;
        }
        // Cleaning when the map is full of what it can hold before it grows makes the cost of a pass amortised.
        if grants.len() >= GRANTS_BEFORE_CLEANING && grants.len() == grants.capacity() {
            grants.retain(|_, grant| grant.strong_count() > 0);
        }
        let grant = Arc::new(Grant::new(Arc::clone(&self.state), epoch, key.0.clone()));
        grants.insert(key, Arc::downgrade(&grant));
        grant
    }
}

impl Settings {
    /// Makes settings ready, taking over from `before` what outlives a reload.
    pub(crate) fn new(spec: GateSpec, before: Option<&Self>, unix_time: Duration) -> Self {
        let metadata = Metadata {
            issuer: spec.issuer.clone(),
            token_endpoint: spec.token_endpoint.clone(),
            introspection_endpoint: spec.introspection_endpoint.clone(),
            revocation_endpoint: spec.revocation_endpoint.clone(),
            scopes: spec.scopes,
            auth_methods: offer::auth_methods(&spec.clients),
            signing_algorithms: offer::signing_algorithms(&spec.clients),
            dpop_algorithms: offer::DPOP_ALGORITHMS.to_vec(),
            certificate_bound_tokens: spec.clients.iter().any(|client| client.certificate_bound_tokens),
        };
        let announce_dpop = spec.clients.iter().any(|client| client.dpop_bound_tokens);
        let decoys = decoys(&spec.clients);
        #[cfg(feature = "jose")]
        let mut pool = Pool::of(before);
        let clients = spec.clients.into_iter().map(|client| {
            let known = before.and_then(|before| before.clients.get(client.id.as_str()));
            #[cfg(feature = "jose")]
            let keys = client.keys.clone().map(|source| ClientKeys::new(source, &mut pool));
            let id = client.id.as_str().into();
            let ready = ready(client, known, &decoys, unix_time);
            #[cfg(feature = "jose")]
            let ready = Client { keys, ..ready };
            (id, Arc::new(ready))
        });
        let clients = clients.collect();
        Self {
            challenge: Challenge {
                realm: spec.realm,
                resource_metadata: Some(metadata.resource_metadata_url()),
                dpop_algorithms: metadata.dpop_algorithms.join(" "),
                announce_dpop,
            },
            #[cfg(feature = "jose")]
            token_url: metadata.url(&spec.token_endpoint),
            #[cfg(feature = "jose")]
            own_urls: {
                let paths = [&spec.token_endpoint, &spec.introspection_endpoint, &spec.revocation_endpoint];
                let endpoints = paths.into_iter().map(|path| metadata.url(path));
                std::iter::once(spec.issuer.clone()).chain(endpoints).collect()
            },
            issuer_path: issuer_path(&spec.issuer).to_owned(),
            issuer: spec.issuer,
            token_endpoint: spec.token_endpoint,
            introspection_endpoint: spec.introspection_endpoint,
            revocation_endpoint: spec.revocation_endpoint,
            authorization_server: metadata.authorization_server(),
            protected_resource: metadata.protected_resource(),
            max_tokens_per_client: spec.max_tokens_per_client,
            throttle: spec.throttle,
            decoys,
            clients,
        }
    }

    /// Ends the tokens of clients that these settings disable or no longer have.
    pub(crate) fn revoke_departed(&self, before: &Self) {
        for (id, old) in &before.clients {
            if !self.clients.get(id).is_some_and(|client| client.policy.enabled) {
                old.state.revoke_all();
            }
        }
    }
}

#[cfg(feature = "jose")]
impl Settings {
    /// Key sets at URLs; one that two clients share comes twice.
    pub(crate) fn remote_keys(&self) -> impl Iterator<Item = &Arc<RemoteKeys>> {
        self.clients.values().filter_map(|client| match &client.keys {
            Some(ClientKeys::Remote(keys)) => Some(keys),
            _ => None,
        })
    }
}

fn ready(
    spec: ClientSpec,
    known: Option<&Arc<Client>>,
    decoys: &[SecretHash],
    unix_time: Duration,
) -> Client {
    let padding = padding(&spec.secrets, decoys);
    let secrets = spec.secrets.into_iter().map(|secret| {
        let same = |old: &&Arc<ClientSecret>| old.id == secret.id && old.hash == secret.hash;
        match known.and_then(|known| known.secrets.iter().find(same)) {
            Some(old) if old.expires == secret.expires => Arc::clone(old),
            Some(old) => Arc::new(old.until(secret.expires)),
            None => Arc::new(ClientSecret::new(secret, unix_time)),
        }
    });
    Client {
        state: known.map_or_else(|| ClientState::new(spec.id), |known| Arc::clone(&known.state)),
        secrets: secrets.collect(),
        padding,
        policy: spec.policy,
        secret_methods: spec.secret_methods,
        audiences: spec.audiences,
        #[cfg(feature = "jose")]
        keys: None,
        #[cfg(feature = "jose")]
        certificate_subject: spec.certificate_subject,
        #[cfg(feature = "jose")]
        certificate_thumbprint: spec.certificate_thumbprint,
        certificate_bound_tokens: spec.certificate_bound_tokens,
        dpop_bound_tokens: spec.dpop_bound_tokens,
        grants: Mutex::default(),
    }
}

/// A hash of the recommended cost, for gates whose clients have none.
const DEFAULT_DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$dG9sbGdhdGUgZGVjb3kh$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn decoys(clients: &[ClientSpec]) -> Vec<SecretHash> {
    let hashes = || clients.iter().flat_map(|client| &client.secrets).map(|secret| &secret.hash);
    let dearest = hashes().max_by_key(|hash| hash.cost()).map(SecretHash::decoy);
    let most = clients.iter().map(|client| client.secrets.len()).max().unwrap_or(0).max(1);
    dearest.or_else(|| SecretHash::parse(DEFAULT_DECOY).ok()).map(|hash| vec![hash; most]).unwrap_or_default()
}

/// What a client's hashes cost less than as many decoys, as one more decoy: clients whose secrets were hashed
/// at another cost would be known from unknown ones by the time a refusal takes.
fn padding(secrets: &[SecretSpec], decoys: &[SecretHash]) -> Option<SecretHash> {
    let decoy = decoys.first()?;
    let missing = secrets.iter().map(|secret| decoy.cost().saturating_sub(secret.hash.cost())).sum();
    decoy.costing(missing)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_default_decoy_is_a_hash() {
        assert_eq!(super::decoys(&[]).len(), 1);
    }
}
