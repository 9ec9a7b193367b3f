//! A [`GateSpec`] in code: constructors and setters, for programs that have no gateway.toml.

use std::fmt;
use std::time::Duration;

use super::defaults::TOKEN_LIFETIME;
use super::secret_hash::{SecretHash, SecretHashError};
use super::settings::{ClientSpec, GateSpec, SecretSpec};
use super::throttle::ThrottlePolicy;
use crate::oauth::client::{Capabilities, ClientId, ClientPolicy};
use crate::oauth::scope::{ScopeError, Scopes};
use crate::oauth::secret::Secret;

/// What is wrong with a client as the program describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecError {
    /// Its id is empty, has bytes other than visible ASCII, or a space at an end.
    ClientId,
    /// One of its scopes is not what RFC 6749 §3.3 allows.
    Scope(ScopeError),
    /// Its secret's hash is not one.
    SecretHash(SecretHashError),
    /// The operating system gives no randomness for a salt.
    Randomness,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientId => f.write_str("a client id is visible ASCII, with spaces at most inside"),
            Self::Scope(error) => write!(f, "scope: {error}"),
            Self::SecretHash(error) => write!(f, "the secret {error}"),
            Self::Randomness => f.write_str("no randomness for the salt of a secret"),
        }
    }
}

impl std::error::Error for SpecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Scope(error) => Some(error),
            Self::SecretHash(error) => Some(error),
            Self::ClientId | Self::Randomness => None,
        }
    }
}

impl From<ScopeError> for SpecError {
    fn from(error: ScopeError) -> Self {
        Self::Scope(error)
    }
}

impl From<SecretHashError> for SpecError {
    fn from(error: SecretHashError) -> Self {
        Self::SecretHash(error)
    }
}

impl GateSpec {
    /// Settings with this issuer: what stands before the endpoint paths in public URLs. The rest is as the
    /// tutorial has it.
    ///
    /// ```
    /// use tollgate::gate::{ClientSpec, Gate, GateSpec};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let spec = GateSpec::new("https://api.example.com")
    ///     .client(ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes(["read"])?);
    /// let gate = Gate::builder(spec).build()?;
    /// # drop(gate);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), ..Self::default() }
    }

    /// Names the protection space in challenges; `tollgate` unless set.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// use tollgate::oauth::denial::Denial;
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

    /// Path of the token endpoint; `/oauth/v2/oauth-token` unless set.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// use tollgate::gate::Endpoint;
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

    /// Path of the introspection endpoint; `/oauth/v2/oauth-introspect` unless set.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// use tollgate::gate::Endpoint;
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

    /// Path of the revocation endpoint; `/oauth/v2/oauth-revoke` unless set.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// use tollgate::gate::Endpoint;
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

    /// Live tokens of one client at most; 100,000 unless set.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    /// let gate = Gate::builder(GateSpec::default().client(client).max_tokens_per_client(1)).build()?;
    /// gate.issue_to("server", ["read"])?;
    /// assert!(gate.issue_to("server", ["read"]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn max_tokens_per_client(mut self, max: u32) -> Self {
        self.max_tokens_per_client = max;
        self
    }

    /// When failed authentications are too many: 10 a minute unless set.
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

    /// Adds a client. Its scopes join those that the metadata lists. Of two clients with one id the later counts.
    ///
    /// ```
    /// use tollgate::gate::{ClientSpec, GateSpec, SpecError};
    ///
    /// let spec = GateSpec::default()
    ///     .client(ClientSpec::with_id("shop")?.scopes(["read", "write"])?)
    ///     .client(ClientSpec::with_id("report")?.scopes(["read"])?);
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

impl ClientSpec {
    /// A client that may get tokens, so far without a secret and without scopes; its tokens live 299 s.
    ///
    /// ```
    /// use tollgate::gate::{ClientSpec, SpecError};
    ///
    /// assert!(ClientSpec::with_id("server")?.secrets.is_empty());
    /// assert_eq!(ClientSpec::with_id("").unwrap_err(), SpecError::ClientId);
    /// # Ok::<(), SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError::ClientId`].
    pub fn with_id(id: &str) -> Result<Self, SpecError> {
        let id = ClientId::new(id).ok_or(SpecError::ClientId)?;
        let capabilities = Capabilities { client_credentials: true, introspection: false };
        let policy = ClientPolicy {
            capabilities,
            scopes: Scopes::none(),
            default_scopes: Scopes::none(),
            token_lifetime: TOKEN_LIFETIME,
            enabled: true,
        };
        Ok(Self::new(id, policy))
    }

    /// Adds a secret by its argon2id PHC string, `$argon2id$v=19$…`. A client may have several: that is how they
    /// are rotated.
    ///
    /// ```
    /// use tollgate::gate::{ClientSpec, SpecError};
    ///
    /// // What `tollgate client add` prints, or `plain_secret` keeps: never the secret itself.
    /// let phc = "$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8";
    /// let client = ClientSpec::with_id("server")?.secret_hash(phc)?;
    /// assert!(ClientSpec::with_id("server")?.secret_hash("Password1").is_err());
    /// # drop(client);
    /// # Ok::<(), SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError::SecretHash`] for any other text, the secret itself included.
    pub fn secret_hash(self, phc: &str) -> Result<Self, SpecError> {
        Ok(self.add_secret(SecretHash::parse(phc)?))
    }

    /// Adds a secret in the clear, as a test or an environment variable has it; only its hash is kept. Hashing takes
    /// some 30 ms.
    ///
    /// ```
    /// use tollgate::gate::{ClientSpec, SpecError};
    ///
    /// let client = ClientSpec::with_id("server")?.plain_secret("Password1")?;
    /// assert!(client.secrets[0].hash.to_phc().starts_with("$argon2id$"));
    /// # Ok::<(), SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError::Randomness`] where there is none for a salt.
    pub fn plain_secret(self, secret: impl Into<String>) -> Result<Self, SpecError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| SpecError::Randomness)?;
        let hash = SecretHash::of(&Secret::new(secret), &salt)?;
        Ok(self.add_secret(hash))
    }

    fn add_secret(mut self, hash: SecretHash) -> Self {
        let id = (self.secrets.len() + 1).to_string();
        self.secrets.push(SecretSpec::new(id, hash, None));
        self
    }

    /// Adds a secret with a name and an expiry of its own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tollgate::gate::{ClientSpec, SecretHash, SecretSpec};
    ///
    /// let phc = "$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8";
    /// let end_of_2026 = Some(Duration::from_secs(1_798_761_600));
    /// let client = ClientSpec::with_id("server")?.secret(SecretSpec::new("2026", SecretHash::parse(phc)?, end_of_2026));
    /// assert_eq!(client.secrets[0].id, "2026");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn secret(mut self, secret: SecretSpec) -> Self {
        self.secrets.push(secret);
        self
    }

    /// The scopes it may ask for.
    ///
    /// ```
    /// use tollgate::gate::ClientSpec;
    ///
    /// let client = ClientSpec::with_id("server")?.scopes(["read", "write"])?;
    /// assert_eq!(client.policy.scopes.as_str(), "read write");
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError::Scope`].
    pub fn scopes<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, SpecError> {
        self.policy.scopes = Scopes::from_tokens(scopes)?;
        Ok(self)
    }

    /// The scopes it gets when it asks for none.
    ///
    /// ```
    /// use tollgate::gate::ClientSpec;
    ///
    /// let client = ClientSpec::with_id("server")?.scopes(["read", "write"])?.default_scopes(["read"])?;
    /// assert_eq!(client.policy.default_scopes.as_str(), "read");
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError::Scope`].
    pub fn default_scopes<'a>(
        mut self,
        scopes: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, SpecError> {
        self.policy.default_scopes = Scopes::from_tokens(scopes)?;
        Ok(self)
    }

    /// How long its tokens live.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tollgate::gate::ClientSpec;
    ///
    /// let client = ClientSpec::with_id("server")?.token_lifetime(Duration::from_secs(60));
    /// assert_eq!(client.policy.token_lifetime.as_secs(), 60);
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    #[must_use]
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.policy.token_lifetime = lifetime;
        self
    }

    /// The resources it may ask tokens for (RFC 8707).
    ///
    /// ```
    /// use tollgate::gate::ClientSpec;
    ///
    /// let client = ClientSpec::with_id("server")?.audiences(["https://orders.example.com".to_owned()]);
    /// assert_eq!(client.audiences.len(), 1);
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    #[must_use]
    pub fn audiences(mut self, audiences: impl IntoIterator<Item = String>) -> Self {
        self.audiences = audiences.into_iter().collect();
        self
    }

    /// Binds its tokens to the certificate of the connection they are asked for on (RFC 8705 §3): over another one they are
    /// good for nothing. A server has to show the gate its connections; see
    /// [`ClientCertificate`](crate::plugin::ClientCertificate).
    ///
    /// ```
    /// use tollgate::gate::ClientSpec;
    ///
    /// assert!(ClientSpec::with_id("server")?.bind_to_certificate().certificate_bound_tokens);
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    #[must_use]
    pub fn bind_to_certificate(mut self) -> Self {
        self.certificate_bound_tokens = true;
        self
    }

    /// Refuses it tokens that are not bound to a key by a DPoP proof (RFC 9449 §5.2; feature `jose`). A client that sends a
    /// proof gets a bound token in any case.
    ///
    /// ```
    /// use tollgate::gate::ClientSpec;
    ///
    /// assert!(ClientSpec::with_id("server")?.bind_to_key().dpop_bound_tokens);
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    #[must_use]
    pub fn bind_to_key(mut self) -> Self {
        self.dpop_bound_tokens = true;
        self
    }

    /// Lets it ask about any token (RFC 7662).
    ///
    /// ```
    /// use tollgate::gate::ClientSpec;
    ///
    /// let api = ClientSpec::with_id("api")?.may_introspect();
    /// assert!(api.policy.capabilities.introspection);
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    #[must_use]
    pub fn may_introspect(mut self) -> Self {
        self.policy.capabilities.introspection = true;
        self
    }

    /// Refuses it everything, as if it were unknown.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// // A reload ends the tokens of a client that it disables.
    /// let disabled = ClientSpec::with_id("server")?.scopes(["read"])?.disabled();
    /// gate.reload(GateSpec::new("https://api.example.com").client(disabled));
    /// assert!(gate.issue_to("server", ["read"]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.policy.enabled = false;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_in_code_is_held_to_the_same_grammar_as_in_the_file() {
        assert_eq!(ClientSpec::with_id(" a").err(), Some(SpecError::ClientId));
        let client = || ClientSpec::with_id("a").unwrap();
        assert_eq!(client().secret_hash("Password1").err(), Some(SecretHashError::Plaintext.into()));
        assert_eq!(client().scopes(["a b"]).err(), Some(ScopeError::Forbidden(b' ').into()));
        let twice = client().plain_secret("one").unwrap().plain_secret("two").unwrap();
        let ids: Vec<&str> = twice.secrets.iter().map(|secret| secret.id.as_str()).collect();
        assert_eq!(ids, ["1", "2"]);
        assert!(!format!("{twice:?}").contains("one\""));
    }

    #[test]
    fn scopes_of_clients_are_listed_once() {
        let client = |id, scopes: [&'static str; 2]| ClientSpec::with_id(id).unwrap().scopes(scopes).unwrap();
        let spec = GateSpec::new("https://a").client(client("a", ["x", "y"])).client(client("b", ["y", "z"]));
        assert_eq!(spec.scopes, ["x", "y", "z"]);
    }
}
