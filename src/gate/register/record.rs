//! A registered client, and its stored form.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::gate::keys::KeySource;
use crate::gate::secret_hash::SecretHash;
use crate::gate::spec::{ClientSpec, RegistrationSpec, SecretSpec};
use crate::oauth::client::{Capabilities, ClientId, ClientPolicy};
use crate::oauth::client_auth::SecretMethod;
use crate::oauth::registration::{AuthMethod, ClientMetadata, RegistrationToken, is_client_id};
use crate::oauth::scope::Scopes;

/// The version of the stored form.
const VERSION: u8 = 1;
/// The id of a registered client's secret.
const SECRET_ID: &str = "registered";
/// How long the registration access token before the current one is good, in seconds: for a client that has
/// not received the answer to its update.
const EARLIER_TOKEN: u64 = 600;

/// A registered client.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) id: ClientId,
    /// The name of the template that bounds it.
    pub(crate) template: String,
    /// The name of the initial access token with which it was registered.
    pub(crate) token: String,
    /// When it registered, in Unix seconds.
    pub(crate) issued_at: u64,
    pub(crate) metadata: ClientMetadata,
    pub(crate) secret: Option<SecretHash>,
    /// The current registration access token, followed by the previous one until the current one is used.
    /// A client that has not received the response to its update is thus not locked out.
    pub(crate) access: Vec<RegistrationToken>,
    /// When the registration access token was replaced, in Unix seconds.
    pub(crate) renewed_at: u64,
    /// When the client last authenticated, in Unix seconds, or 0. All versions of the client share it.
    pub(super) last_use: Arc<AtomicU64>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    template: String,
    token: String,
    issued_at: u64,
    secret: Option<String>,
    access: Vec<String>,
    #[serde(default)]
    renewed_at: u64,
    metadata: Map<String, Value>,
}

impl Registered {
    /// Returns when the client last authenticated, or else when it registered.
    pub(crate) fn last_used(&self) -> u64 {
        self.last_use.load(Ordering::Relaxed).max(self.issued_at)
    }

    /// Returns whether a registration access token manages this client. The token before the current one does
    /// so for a short time.
    pub(super) fn is_managed_with(&self, token: &RegistrationToken, now: u64) -> bool {
        match self.access.iter().position(|known| known == token) {
            Some(0) => true,
            Some(_) => now < self.renewed_at.saturating_add(EARLIER_TOKEN),
            None => false,
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let stored = Stored {
            version: VERSION,
            template: self.template.clone(),
            token: self.token.clone(),
            issued_at: self.issued_at,
            secret: self.secret.as_ref().map(SecretHash::to_phc),
            access: self.access.iter().map(|token| token.to_text()).collect(),
            renewed_at: self.renewed_at,
            metadata: self.metadata.members(),
        };
        // A struct of strings, numbers and JSON can always be serialized.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Reads a stored client. Returns `None` if this version of the program cannot read it.
    pub(super) fn from_bytes(id: &str, bytes: &[u8], last_use: Arc<AtomicU64>) -> Option<Self> {
        let id = ClientId::new(id).filter(|id| is_client_id(id.as_str()))?;
        let stored: Stored =
            serde_json::from_slice(bytes).ok().filter(|stored: &Stored| stored.version == VERSION)?;
        Some(Self {
            id,
            template: stored.template,
            token: stored.token,
            issued_at: stored.issued_at,
            metadata: ClientMetadata::from_members(&stored.metadata)?,
            secret: stored.secret.map(|phc| SecretHash::parse(&phc)).transpose().ok()?,
            access: stored
                .access
                .iter()
                .map(|text| RegistrationToken::from_text(text))
                .collect::<Option<_>>()?,
            renewed_at: stored.renewed_at,
            last_use,
        })
    }

    /// Returns the settings of the client: its metadata, within the current bounds of its template. Returns
    /// `None` if the template does not exist any more, or if an operator has removed the client.
    pub(crate) fn spec(&self, registration: &RegistrationSpec) -> Option<ClientSpec> {
        let is_in = |ids: &[String]| ids.iter().any(|id| id == self.id.as_str());
        if is_in(&registration.removed) {
            return None;
        }
        let template = registration.template(&self.template)?;
        let metadata = &self.metadata;
        let within = |scopes: &Scopes, bounds: &Scopes| {
            let allowed = scopes.iter().filter(|scope| bounds.contains(scope));
            Scopes::from_tokens(allowed).unwrap_or_default()
        };
        let scopes = within(&metadata.scopes, &template.scopes);
        let policy = ClientPolicy {
            capabilities: Capabilities { client_credentials: true, introspection: false },
            default_scopes: within(&template.default_scopes, &scopes),
            scopes,
            token_lifetime: metadata.token_lifetime.min(template.token_lifetime),
            enabled: !is_in(&registration.disabled) && template.methods.contains(&metadata.method),
        };
        let mut spec = ClientSpec::new(self.id.clone(), policy);
        spec.secret_methods = match metadata.method {
            AuthMethod::Basic => vec![SecretMethod::Basic],
            AuthMethod::Post => vec![SecretMethod::Post],
            AuthMethod::PrivateKeyJwt => Vec::new(),
        };
        spec.secrets =
            self.secret.iter().map(|hash| SecretSpec::new(SECRET_ID, hash.clone(), None)).collect();
        // A client with a secret does not authenticate with its keys.
        let signs = metadata.method == AuthMethod::PrivateKeyJwt;
        spec.keys = metadata.keys.as_ref().filter(|_| signs).map(|(_, keys)| KeySource::Inline(keys.clone()));
        let audiences = metadata.audiences.iter().filter(|audience| template.audiences.contains(audience));
        spec.audiences = audiences.cloned().collect();
        spec.dpop_bound_tokens = metadata.dpop_bound_tokens || template.dpop_bound_tokens;
        spec.last_use = Some(Arc::clone(&self.last_use));
        spec.template = Some(Arc::clone(&template.name));
        Some(spec)
    }

    /// Returns when the client is removed if it stays unused, in Unix seconds.
    pub(crate) fn expires(&self, unused_expiry: Duration) -> u64 {
        self.last_used().saturating_add(unused_expiry.as_secs())
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("id", &self.id)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}
