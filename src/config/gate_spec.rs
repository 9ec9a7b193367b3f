//! The part of gateway.toml that is the gate's.

use std::fmt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::model;
use super::{Config, ConfigErrors};
use crate::gate::{ClientSpec, Gate, GateError, GateSpec, SecretSpec, ThrottlePolicy};
use crate::oauth::client::{Capabilities, ClientId, ClientPolicy};
use crate::oauth::client_auth::SecretMethod;

impl From<&Config> for GateSpec {
    fn from(config: &Config) -> Self {
        let service = &config.token_service;
        Self {
            issuer: service.issuer.to_string(),
            realm: service.realm.clone(),
            token_endpoint: service.token_endpoint.clone(),
            introspection_endpoint: service.introspection_endpoint.clone(),
            revocation_endpoint: service.revocation_endpoint.clone(),
            scopes: config.scopes.iter().map(|scope| scope.name.clone()).collect(),
            max_tokens_per_client: service.max_tokens_per_client.get(),
            throttle: ThrottlePolicy { failures: service.throttle.failures.get(), per: service.throttle.per },
            clients: config.clients.iter().filter_map(client).collect(),
        }
    }
}

impl Gate {
    /// A gate with the token service, the scopes and the clients of a configuration. Its listeners, routes and
    /// upstreams are for the gateway and count for nothing here.
    ///
    /// # Errors
    /// As [`GateBuilder::build`](crate::gate::GateBuilder::build).
    pub fn from_config(config: &Config) -> Result<Self, GateError> {
        let max_tokens = usize::try_from(config.token_service.max_tokens.get()).unwrap_or(usize::MAX);
        Self::builder(config).max_tokens(max_tokens).build()
    }

    /// The same from a gateway.toml. To read the file again when it changes:
    /// `gate.reload(&Config::load(path)?)`.
    ///
    /// # Errors
    /// Every error of the file at once, each with its place; or what [`Gate::from_config`] fails with.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, FromFileError> {
        let config = Config::load(path.as_ref()).map_err(FromFileError::Config)?;
        Self::from_config(&config).map_err(FromFileError::Gate)
    }
}

/// Why no gate could be made from a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum FromFileError {
    /// What is wrong with the file.
    Config(ConfigErrors),
    /// The file is good, and the system gives no threads or no randomness.
    Gate(GateError),
}

impl fmt::Display for FromFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => errors.fmt(f),
            Self::Gate(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FromFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(errors) => Some(errors),
            Self::Gate(error) => Some(error),
        }
    }
}

fn client(client: &model::Client) -> Option<ClientSpec> {
    let policy = ClientPolicy {
        capabilities: Capabilities {
            client_credentials: client.capabilities.client_credentials,
            introspection: client.capabilities.introspection,
        },
        scopes: client.scopes.clone(),
        default_scopes: client.default_scopes.clone(),
        token_lifetime: client.token_lifetime,
        enabled: client.enabled,
    };
    // The configuration holds ids to the same grammar.
    let mut spec = ClientSpec::new(ClientId::new(&client.id)?, policy);
    spec.audiences = client.audiences.clone();
    spec.secret_methods.clear();
    if let Some(secret) = &client.authentication.secret {
        spec.secret_methods.extend(secret.basic.then_some(SecretMethod::Basic));
        spec.secret_methods.extend(secret.post.then_some(SecretMethod::Post));
        spec.secrets = secret
            .secrets
            .iter()
            .map(|secret| SecretSpec {
                id: secret.id.clone(),
                hash: secret.hash.clone(),
                expires: secret.expires.map(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default()),
            })
            .collect();
    }
    Some(spec)
}
