#[cfg(feature = "gateway")]
use std::sync::{Arc, atomic::AtomicU64};
use std::time::Duration;

use crate::gate::defaults::TOKEN_LIFETIME;
#[cfg(feature = "jose")]
use crate::gate::keys::KeySource;
use crate::gate::secret_hash::SecretHash;
use crate::gate::spec::error::SpecError;
use crate::gate::spec::secret::SecretSpec;
#[cfg(feature = "jose")]
use crate::oauth::certificate::Subject;
use crate::oauth::client::{Capabilities, ClientId, ClientPolicy};
use crate::oauth::client_auth::SecretMethod;
use crate::oauth::scope::{Audience, IntoScopes, Scopes};
use crate::oauth::secret::Secret;

/// The settings of one client.
///
/// [`ClientSpec::with_id`] and the setters are for programs; the fields are public for reading and for tests.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientSpec {
    /// The client id.
    pub id: ClientId,
    /// The tokens it may get.
    pub policy: ClientPolicy,
    /// The secrets, in the order in which they are tried.
    pub secrets: Vec<SecretSpec>,
    /// The ways in which it may send a secret.
    pub secret_methods: Vec<SecretMethod>,
    /// The resources it may request tokens for (RFC 8707).
    pub audiences: Vec<String>,
    /// The keys that it signs assertions with (`private_key_jwt`).
    #[cfg(feature = "jose")]
    pub keys: Option<KeySource>,
    /// The name in the certificate of its connections (`tls_client_auth`).
    #[cfg(feature = "jose")]
    pub certificate_subject: Option<Subject>,
    /// The SHA-256 of the only certificate that its connections may have (`self_signed_tls_client_auth`).
    #[cfg(feature = "jose")]
    pub certificate_thumbprint: Option<[u8; 32]>,
    /// Whether the client's tokens are bound to the certificate of the connection that requested them (RFC
    /// 8705 §3).
    pub certificate_bound_tokens: bool,
    /// Whether the client's tokens must be bound to a key (RFC 9449 §5.2). A client that sends a proof gets a
    /// bound token in any case.
    pub dpop_bound_tokens: bool,
    /// Ends the client's tokens when it changes, whatever it changes to.
    pub token_generation: u64,
    /// Where the last use of a client that has registered itself is noted, in Unix seconds.
    #[cfg(feature = "gateway")]
    pub(crate) last_use: Option<Arc<AtomicU64>>,
    /// The name of the template of a client that has registered itself.
    #[cfg(feature = "gateway")]
    pub(crate) template: Option<Arc<str>>,
}

impl ClientSpec {
    /// Makes a client with this policy and without a secret.
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
            token_generation: 0,
            #[cfg(feature = "gateway")]
            last_use: None,
            #[cfg(feature = "gateway")]
            template: None,
        }
    }

    /// Makes a client that may get tokens, without a secret and without scopes. Its tokens live for 299 s.
    ///
    /// ```
    /// use tollgate::ClientSpec;
    /// use tollgate::gate::SpecError;
    ///
    /// assert!(ClientSpec::with_id("server")?.secrets.is_empty());
    /// assert_eq!(ClientSpec::with_id("").unwrap_err(), SpecError::ClientId);
    /// # Ok::<(), SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError::ClientId`] for a malformed id.
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

    /// Adds a secret by its argon2id PHC string, `$argon2id$v=19$…`. A client may have several, so that they
    /// can be rotated.
    ///
    /// ```
    /// use tollgate::ClientSpec;
    /// use tollgate::gate::SpecError;
    ///
    /// // As in gateway.toml, where `tollgate client add` writes it.
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

    /// Adds a plaintext secret, for example from an environment variable. Only its hash is kept. Hashing
    /// takes some 30 ms.
    ///
    /// ```
    /// use tollgate::ClientSpec;
    /// use tollgate::gate::SpecError;
    ///
    /// let client = ClientSpec::with_id("server")?.plain_secret("Password1")?;
    /// assert!(client.secrets[0].hash.to_phc().starts_with("$argon2id$"));
    /// # Ok::<(), SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError::Randomness`] if the operating system provides none for a salt.
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

    /// Adds a secret with its own id and expiry.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tollgate::ClientSpec;
    /// use tollgate::gate::{SecretHash, SecretSpec};
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

    /// Sets the scopes that it may request: one string, or an array, slice or vector of strings.
    ///
    /// ```
    /// use tollgate::ClientSpec;
    ///
    /// let client = ClientSpec::with_id("server")?.scopes(["read", "write"])?;
    /// assert_eq!(client.policy.scopes.as_str(), "read write");
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError::Scope`] for a scope that RFC 6749 §3.3 does not allow.
    pub fn scopes(mut self, scopes: impl IntoScopes) -> Result<Self, SpecError> {
        self.policy.scopes = scopes.into_scopes()?;
        Ok(self)
    }

    /// Sets the scopes that it gets if it requests none.
    ///
    /// ```
    /// use tollgate::ClientSpec;
    ///
    /// let client = ClientSpec::with_id("server")?.scopes(["read", "write"])?.default_scopes("read")?;
    /// assert_eq!(client.policy.default_scopes.as_str(), "read");
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError::Scope`] for a scope that RFC 6749 §3.3 does not allow.
    pub fn default_scopes(mut self, scopes: impl IntoScopes) -> Result<Self, SpecError> {
        self.policy.default_scopes = scopes.into_scopes()?;
        Ok(self)
    }

    /// Sets how long its tokens live.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tollgate::ClientSpec;
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

    /// Sets the resources that it may request tokens for (RFC 8707).
    ///
    /// ```
    /// use tollgate::ClientSpec;
    ///
    /// let client = ClientSpec::with_id("server")?.audiences(["https://orders.example.com"])?;
    /// assert_eq!(client.audiences.len(), 1);
    /// assert!(client.audiences(["https://orders.example.com/#top"]).is_err(), "it has a fragment");
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpecError::Audience`] for one that RFC 8707 §2 does not allow.
    pub fn audiences<A: AsRef<str>>(
        mut self,
        audiences: impl IntoIterator<Item = A>,
    ) -> Result<Self, SpecError> {
        let audiences = audiences.into_iter().map(|audience| Audience::new(audience.as_ref()));
        self.audiences = audiences.map(|audience| audience.map(String::from)).collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Binds its tokens to the certificate of the connection that requested them (RFC 8705 §3). On a
    /// connection with another certificate they are refused. The server has to pass the certificate to the
    /// gate; see [`ClientCertificate`](crate::plugin::ClientCertificate).
    ///
    /// ```
    /// use tollgate::ClientSpec;
    ///
    /// assert!(ClientSpec::with_id("server")?.bind_to_certificate().certificate_bound_tokens);
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    #[must_use]
    pub fn bind_to_certificate(mut self) -> Self {
        self.certificate_bound_tokens = true;
        self
    }

    /// Requires that its tokens are bound to a key by a DPoP proof (RFC 9449 §5.2; feature `jose`). A client
    /// that sends a proof gets a bound token in any case.
    ///
    /// ```
    /// use tollgate::ClientSpec;
    ///
    /// assert!(ClientSpec::with_id("server")?.bind_to_key().dpop_bound_tokens);
    /// # Ok::<(), tollgate::gate::SpecError>(())
    /// ```
    #[must_use]
    pub fn bind_to_key(mut self) -> Self {
        self.dpop_bound_tokens = true;
        self
    }

    /// Sets a number that ends the client's tokens when it changes, whatever it changes to. A program that
    /// keeps it with the client can end the tokens by a reload, also if it misses the state in between: a
    /// client that was removed and added again begins with another number.
    ///
    /// ```
    /// # use http::{HeaderMap, header::AUTHORIZATION};
    /// # use tollgate::{ClientSpec, Gate, GateSpec, Requirement};
    /// let spec = |generation| -> Result<_, tollgate::gate::SpecError> {
    ///     let client = ClientSpec::with_id("server")?.scopes("read")?.token_generation(generation);
    ///     Ok(GateSpec::new("https://api.example.com").client(client))
    /// };
    /// let gate = Gate::builder(spec(1)?).build()?;
    /// let bearer = format!("Bearer {}", gate.issue_to("server", "read")?.expose());
    /// let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.parse()?)]);
    /// gate.reload(spec(1)?);
    /// assert!(gate.authorize(&headers, &Requirement::AnyToken).is_ok());
    /// gate.reload(spec(2)?);
    /// assert!(gate.authorize(&headers, &Requirement::AnyToken).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn token_generation(mut self, generation: u64) -> Self {
        self.token_generation = generation;
        self
    }

    /// Allows it to introspect any token (RFC 7662).
    ///
    /// ```
    /// use tollgate::ClientSpec;
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

    /// Disables it: it is treated as unknown.
    ///
    /// ```
    /// # use tollgate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes("read")?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// // A reload revokes the tokens of a client that it disables.
    /// let disabled = ClientSpec::with_id("server")?.scopes("read")?.disabled();
    /// gate.reload(GateSpec::new("https://api.example.com").client(disabled));
    /// assert!(gate.issue_to("server", "read").is_err());
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
    use crate::gate::secret_hash::SecretHashError;
    use crate::oauth::scope::{AudienceError, ScopeError};

    fn client() -> ClientSpec {
        ClientSpec::with_id("a").unwrap()
    }

    #[test]
    fn a_client_in_code_follows_the_same_grammar_as_in_the_file() {
        assert_eq!(ClientSpec::with_id(" a").err(), Some(SpecError::ClientId));
        assert_eq!(client().secret_hash("Password1").err(), Some(SecretHashError::Plaintext.into()));
        assert_eq!(client().scopes(["a b"]).err(), Some(ScopeError::Forbidden(b' ').into()));
        assert_eq!(client().audiences(["https://a/#b"]).err(), Some(AudienceError::Fragment.into()));
        let twice = client().plain_secret("one").unwrap().plain_secret("two").unwrap();
        let ids: Vec<&str> = twice.secrets.iter().map(|secret| secret.id.as_str()).collect();
        assert_eq!(ids, ["1", "2"]);
        assert!(!format!("{twice:?}").contains("one\""));
    }

    #[test]
    fn scopes_and_audiences_come_as_any_list_of_strings() {
        let owned = vec!["read".to_owned(), "write".to_owned()];
        let lists = [
            client().scopes("read write"),
            client().scopes("read write".to_owned()),
            client().scopes(["read", "write"]),
            client().scopes(["read", "write"].as_slice()),
            client().scopes(vec!["read", "write"]),
            client().scopes(&owned),
            client().scopes(&owned[..]),
            client().scopes(owned.clone()),
            client().scopes(Scopes::parse("read write").unwrap()),
        ];
        for list in lists {
            assert_eq!(list.unwrap().policy.scopes.as_str(), "read write");
        }
        let lists = [client().audiences(["https://a"]), client().audiences(["https://a".to_owned()].iter())];
        for list in lists {
            assert_eq!(list.unwrap().audiences, ["https://a"]);
        }
    }
}
