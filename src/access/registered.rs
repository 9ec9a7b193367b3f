//! Registered clients as clients of a configuration, so that what they reach is shown like that of all others.

use crate::config::{Client, ClientAuthentication, ClientSecret, Config, Position, SecretAuthentication};
use crate::gate::{ClientSpec, GateSpec, Registered};
use crate::oauth::client_auth::SecretMethod;

/// Adds registered clients to the clients of a configuration, as far as their templates allow. They have no
/// position in the file.
pub(crate) fn add_to<'c>(config: &mut Config, clients: impl IntoIterator<Item = &'c Registered>) {
    let Some(registration) = GateSpec::from(&*config).registration else { return };
    let specs = clients.into_iter().filter_map(|client| client.spec(&registration));
    let mut added: Vec<Client> = specs
        .filter(|spec| config.client(spec.id.as_str()).is_none())
        .map(|spec| client(config, spec))
        .collect();
    config.clients.append(&mut added);
}

/// Converts the settings of a registered client into a client of the configuration.
pub(crate) fn client(config: &Config, spec: ClientSpec) -> Client {
    let mut templates =
        config.token_service.registration.iter().flat_map(|registration| &registration.templates);
    let template = templates.find(|template| spec.template.as_deref() == Some(&template.name));
    let position = Position::new(0, 0);
    let secrets: Vec<ClientSecret> = spec
        .secrets
        .into_iter()
        .map(|secret| ClientSecret { id: secret.id, hash: secret.hash, expires: None, position })
        .collect();
    let allows = |method| spec.secret_methods.contains(&method);
    let secret = (!secrets.is_empty()).then(|| SecretAuthentication {
        basic: allows(SecretMethod::Basic),
        post: allows(SecretMethod::Post),
        secrets,
    });
    let authentication =
        ClientAuthentication { secret, private_key_jwt: spec.keys, ..ClientAuthentication::default() };
    Client {
        id: spec.id,
        enabled: spec.policy.enabled,
        capabilities: spec.policy.capabilities,
        scopes: spec.policy.scopes,
        default_scopes: spec.policy.default_scopes,
        token_lifetime: spec.policy.token_lifetime,
        rate_limit: template.and_then(|template| template.rate_limit),
        authentication,
        certificate_bound_tokens: spec.certificate_bound_tokens,
        dpop_bound_tokens: spec.dpop_bound_tokens,
        token_generation: spec.token_generation,
        audiences: spec.audiences,
        position,
    }
}
