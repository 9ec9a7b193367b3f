//! The settings of a gate, compiled for requests.

use std::collections::HashMap;
#[cfg(feature = "gateway")]
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::gate::client_secret::ClientSecret;
use crate::gate::grants::Grants;
#[cfg(feature = "gateway")]
use crate::gate::jwt::JwtPolicy;
#[cfg(feature = "jose")]
use crate::gate::keys::{ClientKeys, KeyPool, RemoteKeys};
use crate::gate::metadata;
#[cfg(feature = "jose")]
use crate::gate::proof::ProofScope;
use crate::gate::registration::Registration;
use crate::gate::secret_hash::SecretHash;
#[cfg(feature = "gateway")]
use crate::gate::spec::RegistrationSpec;
use crate::gate::spec::{ClientSpec, GateSpec, SecretSpec};
use crate::gate::throttle::ThrottlePolicy;
#[cfg(feature = "jose")]
use crate::oauth::certificate::Subject;
use crate::oauth::client::{ClientPolicy, ClientState};
use crate::oauth::client_auth::SecretMethod;
use crate::oauth::denial::Challenge;
#[cfg(feature = "gateway")]
use crate::oauth::endpoints::metadata::KEY_SET;
use crate::oauth::endpoints::metadata::{AUTHORIZATION_SERVER, Metadata, PROTECTED_RESOURCE, issuer_path};
#[cfg(feature = "jose")]
use crate::oauth::public_origin::{PublicOrigin, PublicOrigins};
use crate::oauth::scope::RestrictedTokens;
use crate::store::TokenStore;

/// A [`GateSpec`] compiled for requests. A reload swaps it as a whole.
#[cfg_attr(feature = "gateway", derive(Clone))]
pub(crate) struct Settings {
    pub(crate) challenge: Challenge,
    pub(crate) issuer: String,
    /// The path of the issuer, without a trailing slash.
    pub(crate) issuer_path: String,
    /// The origins that the `htu` of a DPoP proof may name.
    #[cfg(feature = "jose")]
    pub(crate) origins: PublicOrigins,
    /// The routes that accept a token that is restricted to a resource.
    pub(crate) restricted_tokens: RestrictedTokens,
    /// The audiences that a client assertion may name: the issuer and the URLs of the endpoints.
    #[cfg(feature = "jose")]
    pub(crate) own_urls: Vec<String>,
    pub(crate) token_endpoint: String,
    pub(crate) introspection_endpoint: String,
    pub(crate) revocation_endpoint: String,
    pub(crate) authorization_server: Value,
    pub(crate) protected_resource: Value,
    /// How JWTs for upstreams are signed. With it, the gate publishes its keys.
    #[cfg(feature = "gateway")]
    pub(crate) jwt: Option<JwtPolicy>,
    pub(crate) max_tokens_per_client: u32,
    pub(crate) throttle: ThrottlePolicy,
    pub(crate) clients: HashMap<Box<str>, Arc<Client>>,
    /// The hash that the secret of an unknown client is verified against. It costs as much as all secrets of
    /// the client whose secrets cost the most.
    pub(crate) decoy: Option<SecretHash>,
    /// How clients register themselves.
    #[cfg(feature = "gateway")]
    pub(crate) registration: Option<Arc<RegistrationSpec>>,
}

/// A client as configured, with its parts that outlive a reload.
pub(crate) struct Client {
    pub(crate) state: Arc<ClientState>,
    pub(crate) policy: ClientPolicy,
    pub(crate) secrets: Vec<Arc<ClientSecret>>,
    /// Extra hashing that makes a failed attempt cost the same, if its own hashes are cheaper than others'.
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
    /// The registration data on which all tokens of the client depend.
    pub(crate) registration: Registration,
    /// The form of the registration that tokens carry.
    pub(crate) carried: Arc<[u8]>,
    /// The grants of live tokens. They outlive a reload.
    pub(crate) grants: Arc<Mutex<Grants>>,
    /// Where the last use of a client that has registered itself is noted, in Unix seconds.
    #[cfg(feature = "gateway")]
    pub(super) last_use: Option<Arc<AtomicU64>>,
    /// The name of the template of a client that has registered itself.
    #[cfg(feature = "gateway")]
    pub(super) template: Option<Arc<str>>,
}

impl Settings {
    /// Compiles settings. What outlives a reload is carried over from `before`.
    pub(crate) fn new(
        spec: GateSpec,
        before: Option<&Self>,
        unix_time: Duration,
        store: &dyn TokenStore,
    ) -> Self {
        let documents = Metadata {
            issuer: spec.issuer.clone(),
            token_endpoint: spec.token_endpoint.clone(),
            introspection_endpoint: spec.introspection_endpoint.clone(),
            revocation_endpoint: spec.revocation_endpoint.clone(),
            scopes: spec.scopes.clone(),
            #[cfg(feature = "gateway")]
            registration_endpoint: spec
                .registration
                .as_ref()
                .map(|registration| registration.endpoint.clone()),
            #[cfg(not(feature = "gateway"))]
            registration_endpoint: None,
            auth_methods: metadata::auth_methods(&spec),
            signing_algorithms: metadata::signing_algorithms(&spec),
            dpop_algorithms: metadata::DPOP_ALGORITHMS.to_vec(),
            certificate_bound_tokens: spec.clients.iter().any(|client| client.certificate_bound_tokens),
            #[cfg(feature = "gateway")]
            key_set: spec.jwt.is_some(),
            #[cfg(not(feature = "gateway"))]
            key_set: false,
        };
        let announce_dpop = metadata::binds_to_keys(&spec);
        let decoy = decoy(&spec);
        #[cfg(feature = "jose")]
        let mut key_pool = KeyPool::new(before.into_iter().flat_map(Self::remote_keys));
        let clients = spec.clients.into_iter().map(|client| {
            let carryover = Carryover {
                known: before.and_then(|before| before.clients.get(client.id.as_str())),
                store,
                #[cfg(feature = "jose")]
                key_pool: &mut key_pool,
            };
            let id = client.id.as_str().into();
            (id, Arc::new(compile_client(client, carryover, decoy.as_ref(), unix_time)))
        });
        let clients = clients.collect();
        Self {
            challenge: Challenge {
                realm: spec.realm,
                resource_metadata: Some(documents.resource_metadata_url()),
                dpop_algorithms: documents.dpop_algorithms.join(" "),
                announce_dpop,
            },
            #[cfg(feature = "jose")]
            origins: PublicOrigin::of_url(&spec.issuer).into_iter().chain(spec.public_origins).collect(),
            restricted_tokens: spec.restricted_tokens,
            #[cfg(feature = "jose")]
            own_urls: {
                let paths = [&spec.token_endpoint, &spec.introspection_endpoint, &spec.revocation_endpoint];
                let endpoints = paths.into_iter().map(|path| documents.url(path));
                std::iter::once(spec.issuer.clone()).chain(endpoints).collect()
            },
            issuer_path: issuer_path(&spec.issuer).to_owned(),
            issuer: spec.issuer,
            token_endpoint: spec.token_endpoint,
            introspection_endpoint: spec.introspection_endpoint,
            revocation_endpoint: spec.revocation_endpoint,
            authorization_server: documents.authorization_server(),
            protected_resource: documents.protected_resource(),
            #[cfg(feature = "gateway")]
            jwt: spec.jwt,
            max_tokens_per_client: spec.max_tokens_per_client,
            throttle: spec.throttle,
            #[cfg(feature = "gateway")]
            registration: spec.registration.map(|registration| Arc::new(*registration)),
            decoy,
            clients,
        }
    }

    /// Lists the paths of the endpoints.
    pub(super) fn endpoint_paths(&self) -> Vec<String> {
        let own = [&self.token_endpoint, &self.introspection_endpoint, &self.revocation_endpoint];
        let mut paths: Vec<String> = own.into_iter().cloned().collect();
        #[cfg(feature = "gateway")]
        paths.extend(self.registration.as_ref().map(|registration| registration.endpoint.clone()));
        for document in [AUTHORIZATION_SERVER, PROTECTED_RESOURCE] {
            paths.push(document.to_owned());
            if !self.issuer_path.is_empty() {
                paths.push(format!("{document}{}", self.issuer_path));
            }
        }
        #[cfg(feature = "gateway")]
        if self.jwt.is_some() {
            paths.push(KEY_SET.to_owned());
        }
        paths
    }

    /// Returns whether a token for `resource` opens a route that names no audience. Such a route belongs to
    /// the gate's own resource, which its metadata (RFC 9728 §2) names.
    pub(crate) fn opens_unnamed(&self, resource: &str) -> bool {
        match self.restricted_tokens {
            RestrictedTokens::OwnRoutes => resource == self.issuer,
            RestrictedTokens::AnyRoute => true,
        }
    }

    /// Returns what a DPoP proof is checked against.
    #[cfg(feature = "jose")]
    pub(super) fn proof_scope(&self) -> ProofScope<'_> {
        ProofScope { origins: &self.origins, clients: self.clients.len() }
    }
}

#[cfg(feature = "jose")]
impl Settings {
    /// Iterates over the key sets at URLs. A set that two clients share comes twice.
    pub(crate) fn remote_keys(&self) -> impl Iterator<Item = &Arc<RemoteKeys>> {
        self.clients.values().filter_map(|client| match &client.keys {
            Some(ClientKeys::Remote(keys)) => Some(keys),
            _ => None,
        })
    }
}

#[cfg(feature = "gateway")]
impl Settings {
    /// Returns the same settings with a client that has registered itself.
    pub(super) fn with_client(&self, spec: ClientSpec, unix_time: Duration, store: &dyn TokenStore) -> Self {
        let mut after = self.clone();
        let mut key_pool = KeyPool::new(std::iter::empty());
        let carryover =
            Carryover { known: self.clients.get(spec.id.as_str()), store, key_pool: &mut key_pool };
        let id = spec.id.as_str().into();
        let client = compile_client(spec, carryover, self.decoy.as_ref(), unix_time);
        after.clients.insert(id, Arc::new(client));
        after
    }
}

#[cfg(feature = "gateway")]
impl Client {
    /// Notes that a client that has registered itself was used.
    pub(super) fn note_use(&self, unix_time: Duration) {
        if let Some(last_use) = &self.last_use {
            last_use.fetch_max(unix_time.as_secs(), Ordering::Relaxed);
        }
    }
}

/// The state of a client that a reload keeps.
struct Carryover<'a> {
    /// The client as it was in the settings before.
    known: Option<&'a Arc<Client>>,
    /// The store, which knows the states of clients from before a restart.
    store: &'a dyn TokenStore,
    #[cfg(feature = "jose")]
    key_pool: &'a mut KeyPool,
}

fn compile_client(
    spec: ClientSpec,
    carryover: Carryover<'_>,
    decoy: Option<&SecretHash>,
    unix_time: Duration,
) -> Client {
    let known = carryover.known;
    let padding = padding(&spec.secrets, decoy);
    let registration = Registration::of(&spec);
    let secrets = spec.secrets.into_iter().map(|secret| {
        let same = |old: &&Arc<ClientSecret>| old.id == secret.id && old.hash == secret.hash;
        match known.and_then(|known| known.secrets.iter().find(same)) {
            Some(old) if old.expires == secret.expires => Arc::clone(old),
            Some(old) => Arc::new(old.until(secret.expires)),
            None => Arc::new(ClientSecret::new(secret, unix_time)),
        }
    });
    Client {
        state: known.map_or_else(|| carryover.store.client(&spec.id), |known| Arc::clone(&known.state)),
        secrets: secrets.collect(),
        padding,
        policy: spec.policy,
        secret_methods: spec.secret_methods,
        audiences: spec.audiences,
        #[cfg(feature = "jose")]
        keys: spec.keys.map(|source| ClientKeys::new(source, carryover.key_pool)),
        #[cfg(feature = "jose")]
        certificate_subject: spec.certificate_subject,
        #[cfg(feature = "jose")]
        certificate_thumbprint: spec.certificate_thumbprint,
        certificate_bound_tokens: spec.certificate_bound_tokens,
        dpop_bound_tokens: spec.dpop_bound_tokens,
        carried: registration.carried(),
        registration,
        #[cfg(feature = "gateway")]
        last_use: spec.last_use,
        #[cfg(feature = "gateway")]
        template: spec.template,
        grants: known.map(|known| Arc::clone(&known.grants)).unwrap_or_default(),
    }
}

/// A decoy of the recommended cost, for gates whose clients have no secrets.
const DEFAULT_DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$dG9sbGdhdGUgZGVjb3kh$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Returns a decoy that costs as much as the secrets of the most expensive client, or the recommended cost if
/// no client has a secret.
fn decoy(spec: &GateSpec) -> Option<SecretHash> {
    let clients = &spec.clients;
    let cost = |client: &ClientSpec| client.secrets.iter().map(|secret| secret.hash.cost()).sum();
    let highest_cost = clients.iter().map(cost).max().unwrap_or(0);
    let hashes = clients.iter().flat_map(|client| &client.secrets).map(|secret| &secret.hash);
    let usual = SecretHash::parse(DEFAULT_DECOY).ok();
    // Clients that register get hashes of the recommended cost.
    #[cfg(feature = "gateway")]
    if let Some(usual) =
        usual.as_ref().filter(|usual| spec.registration.is_some() && usual.cost() > highest_cost)
    {
        return Some(usual.clone());
    }
    match hashes.max_by_key(|hash| hash.cost()) {
        Some(dearest) => dearest.costing(highest_cost),
        None => usual,
    }
}

/// Returns a decoy that costs as much as `decoy` costs more than the hashes of a client. Without it, the time
/// that a refusal takes would distinguish clients with cheaper or fewer hashes from unknown ones.
fn padding(secrets: &[SecretSpec], decoy: Option<&SecretHash>) -> Option<SecretHash> {
    let decoy = decoy?;
    let own = secrets.iter().map(|secret| secret.hash.cost()).sum();
    decoy.costing(decoy.cost().saturating_sub(own))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_default_decoy_is_a_valid_hash() {
        assert!(super::decoy(&crate::gate::GateSpec::default()).is_some());
    }
}
