//! The part of gateway.toml that is the gate's.

use std::time::UNIX_EPOCH;

use super::Config;
use super::model;
use crate::gate::{ClientSpec, GateSpec, SecretSpec, ThrottlePolicy};
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
