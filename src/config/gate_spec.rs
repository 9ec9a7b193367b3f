//! Makes a [`GateSpec`] or a [`Gate`] of a configuration.

use std::fmt;
#[cfg(feature = "gateway")]
use std::num::NonZeroU32;
use std::path::Path;
#[cfg(feature = "gateway")]
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::error::ConfigErrors;
use super::model::{Client, ClientAuthentication, Config, ListenerProtocol};
#[cfg(feature = "gateway")]
use super::model::{Registration, RegistrationMethod};
#[cfg(feature = "gateway")]
use crate::gate::jwt::JwtPolicy;
use crate::gate::{ClientSpec, Gate, GateError, GateSpec, SecretSpec, ThrottlePolicy};
#[cfg(feature = "gateway")]
use crate::gate::{InitialToken, RegistrationSpec};
use crate::oauth::client::ClientPolicy;
use crate::oauth::client_auth::SecretMethod;
use crate::oauth::public_origin::PublicOrigin;
#[cfg(feature = "gateway")]
use crate::oauth::registration::{AuthMethod, RegistrationToken, Template};

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
            public_origins: public_origins(config),
            restricted_tokens: service.restricted_tokens,
            #[cfg(feature = "gateway")]
            jwt: service.jwt.as_ref().map(|jwt| JwtPolicy { lifetime: jwt.lifetime }),
            clients: config.clients.iter().map(client).collect(),
            #[cfg(feature = "gateway")]
            registration: service.registration.as_ref().map(|table| Box::new(registration(table))),
        }
    }
}

impl Gate {
    /// Makes a gate with the token service, the scopes and the clients of a configuration. The listeners,
    /// routes and upstreams are for the gateway and are ignored here.
    ///
    /// # Errors
    /// As [`GateBuilder::build`](crate::gate::GateBuilder::build).
    pub fn from_config(config: &Config) -> Result<Self, GateError> {
        let max_tokens = usize::try_from(config.token_service.max_tokens.get()).unwrap_or(usize::MAX);
        Self::builder(config).max_tokens(max_tokens).build()
    }

    /// Makes a gate from a gateway.toml. To apply the file again after a change, call
    /// `gate.reload(&Config::load(path)?)`.
    ///
    /// # Errors
    /// Every error of the file at once, each with its position; or an error of [`Gate::from_config`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, FromFileError> {
        let config = Config::load(path.as_ref()).map_err(FromFileError::Config)?;
        Self::from_config(&config).map_err(FromFileError::Gate)
    }
}

/// Why a file makes no gate.
#[derive(Debug)]
#[non_exhaustive]
pub enum FromFileError {
    /// The file has errors.
    Config(ConfigErrors),
    /// The file is good, but the system refused threads or randomness.
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

/// Lists the origins under which clients know the gateway, besides the issuer's: those that the file lists,
/// and the hosts of routes, at the ports of the listeners, of the issuer and of their schemes.
fn public_origins(config: &Config) -> Vec<PublicOrigin> {
    let service = &config.token_service;
    let mut sites: Vec<(bool, Option<u16>)> = vec![(true, None)];
    sites.extend(
        PublicOrigin::of_url(service.issuer.as_str()).map(|origin| (origin.is_https(), Some(origin.port()))),
    );
    for listener in &config.server.listen {
        let https = match listener.protocol {
            ListenerProtocol::Https => true,
            ListenerProtocol::Http { behind_tls, .. } => behind_tls,
            // It serves nothing but redirects.
            ListenerProtocol::Redirect => continue,
        };
        sites.extend([(https, None), (https, Some(listener.address.port()))]);
    }
    let hosts = config.routes.iter().flat_map(|route| &route.hosts);
    let of_routes = hosts.flat_map(|host| {
        sites.iter().filter_map(move |(https, port)| match port {
            Some(port) => PublicOrigin::of_authority(*https, &format!("{host}:{port}")),
            None => PublicOrigin::of_authority(*https, &host.to_string()),
        })
    });
    service.public_origins.iter().cloned().chain(of_routes).collect()
}

#[cfg(feature = "gateway")]
fn registration(table: &Registration) -> RegistrationSpec {
    let count = |number: NonZeroU32| usize::try_from(number.get()).unwrap_or(usize::MAX);
    RegistrationSpec {
        endpoint: table.endpoint.clone(),
        max_clients: count(table.max_clients),
        max_per_minute: table.max_per_minute.get(),
        templates: table
            .templates
            .iter()
            .map(|template| {
                Arc::new(Template {
                    name: template.name.as_str().into(),
                    scopes: template.scopes.clone(),
                    default_scopes: template.default_scopes.clone(),
                    token_lifetime: template.token_lifetime,
                    methods: template
                        .methods
                        .iter()
                        .map(|method| match method {
                            RegistrationMethod::SecretBasic => AuthMethod::Basic,
                            RegistrationMethod::SecretPost => AuthMethod::Post,
                            RegistrationMethod::PrivateKeyJwt => AuthMethod::PrivateKeyJwt,
                        })
                        .collect(),
                    audiences: template.audiences.clone(),
                    dpop_bound_tokens: template.dpop_bound_tokens,
                    max_clients: count(template.max_clients),
                    unused_expiry: template.unused_expiry,
                })
            })
            .collect(),
        tokens: table
            .tokens
            .iter()
            .map(|token| InitialToken {
                name: token.name.clone(),
                digest: RegistrationToken::from_digest(token.digest),
                template: token.template.clone(),
                expires: token.expires.map(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default()),
                max_uses: token.max_uses.map(|uses| u64::from(uses.get())),
            })
            .collect(),
        disabled: table.disabled_clients.clone(),
        removed: table.removed_clients.clone(),
    }
}

fn client(client: &Client) -> ClientSpec {
    let policy = ClientPolicy {
        capabilities: client.capabilities,
        scopes: client.scopes.clone(),
        default_scopes: client.default_scopes.clone(),
        token_lifetime: client.token_lifetime,
        enabled: client.enabled,
    };
    let mut spec = ClientSpec::new(client.id.clone(), policy);
    spec.audiences = client.audiences.clone();
    spec.secret_methods.clear();
    let ClientAuthentication { secret, private_key_jwt, tls_client_auth, self_signed_tls_client_auth } =
        &client.authentication;
    if let Some(secret) = secret {
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
    spec.keys = private_key_jwt.clone();
    spec.certificate_subject = tls_client_auth.clone();
    spec.certificate_thumbprint = *self_signed_tls_client_auth;
    spec.certificate_bound_tokens = client.certificate_bound_tokens;
    spec.dpop_bound_tokens = client.dpop_bound_tokens;
    spec.token_generation = client.token_generation;
    spec
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::gate::KeySource;
    use crate::oauth::certificate::Subject;

    #[test]
    fn the_credentials_of_a_client_are_taken_over() {
        let text = r#"
            [scopes]
            [server.tls]
            client_ca = "src/config/tests/authority.pem"
            [clients.inline]
            token_endpoint_auth_methods = ["private_key_jwt"]
            jwks = [{ kty = "OKP", crv = "Ed25519", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid = "1" }]
            dpop_bound_tokens = true
            [clients.url]
            token_endpoint_auth_methods = ["private_key_jwt"]
            jwks_uri = "https://client.example.com/keys"
            [clients.named]
            token_endpoint_auth_methods = ["tls_client_auth"]
            tls_subject_dn = "CN=named,O=Example"
            certificate_bound_tokens = true
            [clients.self]
            token_endpoint_auth_methods = ["self_signed_tls_client_auth"]
            tls_thumbprint = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "#;
        let config = Config::parse(text, Path::new("gateway.toml"), Path::new("."), &|_| None).unwrap();
        let spec = GateSpec::from(&config);
        let of = |id: &str| spec.clients.iter().find(|client| client.id.as_str() == id).unwrap();
        assert!(matches!(&of("inline").keys, Some(KeySource::Inline(keys)) if keys.keys().len() == 1));
        assert!(of("inline").dpop_bound_tokens && !of("inline").certificate_bound_tokens);
        assert_eq!(of("url").keys, Some(KeySource::Uri("https://client.example.com/keys".to_owned())));
        assert_eq!(of("named").certificate_subject, Subject::dn("CN=named,O=Example").ok());
        assert!(of("named").certificate_bound_tokens && of("named").certificate_subject.is_some());
        assert_eq!(of("self").certificate_thumbprint, Some([0; 32]));
        assert!(spec.clients.iter().all(|client| client.secret_methods.is_empty()));
    }
}
