use crate::gate::defaults;
#[cfg(feature = "gateway")]
use crate::gate::jwt::JwtPolicy;
use crate::gate::spec::client::ClientSpec;
use crate::gate::spec::error::SpecError;
#[cfg(feature = "gateway")]
use crate::gate::spec::registration::RegistrationSpec;
use crate::gate::throttle::ThrottlePolicy;
use crate::oauth::public_origin::PublicOrigin;
use crate::oauth::scope::RestrictedTokens;

/// The settings of a whole gate, as a program or gateway.toml gives them.
///
/// [`GateSpec::new`] and the setters are for programs; the fields are public for reading and for tests.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GateSpec {
    /// The issuer identifier (RFC 8414 §2): the part of public URLs before the endpoint paths.
    pub issuer: String,
    /// The realm named in challenges.
    pub realm: String,
    /// The path of the token endpoint.
    pub token_endpoint: String,
    /// The path of the introspection endpoint.
    pub introspection_endpoint: String,
    /// The path of the revocation endpoint.
    pub revocation_endpoint: String,
    /// All scopes, as the metadata lists them.
    pub scopes: Vec<String>,
    /// The largest number of live tokens of one client.
    pub max_tokens_per_client: u32,
    /// The number of failed authentications after which more are refused.
    pub throttle: ThrottlePolicy,
    /// The origins under which clients know the server, besides the issuer's.
    pub public_origins: Vec<PublicOrigin>,
    /// The routes that accept a token that is restricted to a resource (RFC 8707).
    pub restricted_tokens: RestrictedTokens,
    /// How JWTs for upstreams are signed, if any are.
    #[cfg(feature = "gateway")]
    pub(crate) jwt: Option<JwtPolicy>,
    /// The clients.
    pub clients: Vec<ClientSpec>,
    /// How clients register themselves. `None` lets none of them do so.
    #[cfg(feature = "gateway")]
    pub(crate) registration: Option<Box<RegistrationSpec>>,
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
            public_origins: Vec::new(),
            restricted_tokens: RestrictedTokens::default(),
            #[cfg(feature = "gateway")]
            jwt: None,
            clients: Vec::new(),
            #[cfg(feature = "gateway")]
            registration: None,
        }
    }
}

impl GateSpec {
    /// Makes settings with this issuer, which is the part of public URLs before the endpoint paths.
    /// Everything else has its default.
    ///
    /// ```
    /// use tollgate::{ClientSpec, Gate, GateSpec};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let spec = GateSpec::new("https://api.example.com")
    ///     .client(ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes("read")?);
    /// let gate = Gate::builder(spec).build()?;
    /// # drop(gate);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), ..Self::default() }
    }

    /// Sets the realm named in challenges. The default is `tollgate`.
    ///
    /// ```
    /// use tollgate::{Denial, Gate, GateSpec};
    ///
    /// let gate = Gate::builder(GateSpec::new("https://api.example.com").realm("orders")).build()?;
    /// let answer = gate.refuse(&Denial::Missing);
    /// assert!(answer.headers()["www-authenticate"].to_str()?.contains("realm=\"orders\""));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// Sets the path of the token endpoint. The default is `/oauth/v2/oauth-token`.
    ///
    /// ```
    /// use tollgate::gate::Endpoint;
    /// use tollgate::{Gate, GateSpec};
    ///
    /// let gate = Gate::builder(GateSpec::default().token_endpoint("/token")).build()?;
    /// assert_eq!(gate.endpoint("/token"), Some(Endpoint::Token));
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn token_endpoint(mut self, path: impl Into<String>) -> Self {
        self.token_endpoint = path.into();
        self
    }

    /// Sets the path of the introspection endpoint. The default is `/oauth/v2/oauth-introspect`.
    ///
    /// ```
    /// use tollgate::gate::Endpoint;
    /// use tollgate::{Gate, GateSpec};
    ///
    /// let gate = Gate::builder(GateSpec::default().introspection_endpoint("/introspection")).build()?;
    /// assert_eq!(gate.endpoint("/introspection"), Some(Endpoint::Introspection));
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn introspection_endpoint(mut self, path: impl Into<String>) -> Self {
        self.introspection_endpoint = path.into();
        self
    }

    /// Sets the path of the revocation endpoint. The default is `/oauth/v2/oauth-revoke`.
    ///
    /// ```
    /// use tollgate::gate::Endpoint;
    /// use tollgate::{Gate, GateSpec};
    ///
    /// let gate = Gate::builder(GateSpec::default().revocation_endpoint("/revocation")).build()?;
    /// assert_eq!(gate.endpoint("/revocation"), Some(Endpoint::Revocation));
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn revocation_endpoint(mut self, path: impl Into<String>) -> Self {
        self.revocation_endpoint = path.into();
        self
    }

    /// Sets the largest number of live tokens of one client. The default is 100,000.
    ///
    /// ```
    /// # use tollgate::{ClientSpec, Gate, GateSpec};
    /// let client = ClientSpec::with_id("server")?.scopes("read")?;
    /// let gate = Gate::builder(GateSpec::default().client(client).max_tokens_per_client(1)).build()?;
    /// gate.issue_to("server", "read")?;
    /// assert!(gate.issue_to("server", "read").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn max_tokens_per_client(mut self, max: u32) -> Self {
        self.max_tokens_per_client = max;
        self
    }

    /// Sets the number of failed authentications after which more are refused. The default is 10 a minute.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tollgate::gate::{GateSpec, ThrottlePolicy};
    ///
    /// let policy = ThrottlePolicy { failures: 3, per: Duration::from_secs(300) };
    /// let spec = GateSpec::default().throttle(policy);
    /// assert_eq!(spec.throttle, policy);
    /// ```
    #[must_use]
    pub fn throttle(mut self, policy: ThrottlePolicy) -> Self {
        self.throttle = policy;
        self
    }

    /// Adds an origin under which clients know the server, besides that of the issuer. A DPoP proof has to
    /// name one of them (RFC 9449 §4.3, 9); the `Host` of the request is not believed, because the sender of
    /// a stolen proof chooses it.
    ///
    /// ```
    /// use tollgate::GateSpec;
    ///
    /// let spec = GateSpec::new("https://login.example.com").public_origin("https://api.example.com")?;
    /// assert_eq!(spec.public_origins.len(), 1);
    /// assert!(spec.public_origin("https://api.example.com/orders").is_err(), "it has a path");
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError::PublicOrigin`] for anything but `https://` or `http://`, a host, and a port unless it is
    /// the scheme's own.
    pub fn public_origin(mut self, origin: &str) -> Result<Self, SpecError> {
        self.public_origins.push(PublicOrigin::parse(origin).ok_or(SpecError::PublicOrigin)?);
        Ok(self)
    }

    /// Sets where a token that is restricted to a resource is accepted (RFC 8707). By default, it is accepted
    /// on routes that demand its resource, and a token for the issuer itself also on routes that demand none.
    ///
    /// ```
    /// use tollgate::GateSpec;
    /// use tollgate::oauth::RestrictedTokens;
    ///
    /// let spec = GateSpec::default().restricted_tokens(RestrictedTokens::AnyRoute);
    /// assert_eq!(spec.restricted_tokens, RestrictedTokens::AnyRoute);
    /// ```
    #[must_use]
    pub fn restricted_tokens(mut self, where_accepted: RestrictedTokens) -> Self {
        self.restricted_tokens = where_accepted;
        self
    }

    /// Adds a client. Its scopes are added to those that the metadata lists. If two clients have one id, the
    /// later one counts.
    ///
    /// ```
    /// use tollgate::gate::SpecError;
    /// use tollgate::{ClientSpec, GateSpec};
    ///
    /// let spec = GateSpec::default()
    ///     .client(ClientSpec::with_id("shop")?.scopes(["read", "write"])?)
    ///     .client(ClientSpec::with_id("report")?.scopes("read")?);
    /// assert_eq!(spec.scopes, ["read", "write"]);
    /// # Ok::<(), SpecError>(())
    /// ```
    #[must_use]
    pub fn client(mut self, client: ClientSpec) -> Self {
        for scope in client.policy.scopes.iter() {
            if !self.scopes.iter().any(|known| known == scope) {
                self.scopes.push(scope.to_owned());
            }
        }
        self.clients.push(client);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_clients_are_listed_once() {
        let client = |id, scopes: [&'static str; 2]| ClientSpec::with_id(id).unwrap().scopes(scopes).unwrap();
        let spec = GateSpec::new("https://a").client(client("a", ["x", "y"])).client(client("b", ["y", "z"]));
        assert_eq!(spec.scopes, ["x", "y", "z"]);
    }
}
