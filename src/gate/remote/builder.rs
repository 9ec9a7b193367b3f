use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::clock::{Clock, SystemClock};
use crate::gate::defaults::REALM;
use crate::gate::instance::Gate;
use crate::gate::proof::ProofVerifier;
use crate::gate::remote::cache::Cache;
use crate::gate::remote::endpoint::{Credentials, Endpoint};
use crate::gate::remote::error::{IntrospectionError, RemoteGateError};
use crate::gate::remote::flights::Flights;
use crate::gate::remote::gate::{OnFailure, RemoteGate, Shared};
use crate::oauth::denial::Challenge;
use crate::oauth::jose::Algorithm;
use crate::oauth::public_origin::PublicOrigin;
use crate::oauth::scope::RestrictedTokens;

/// The default time that a request waits for the endpoint.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The default number of introspection requests in flight.
const MAX_IN_FLIGHT: usize = 64;
/// The default number of answers that are remembered.
const MAX_CACHED: usize = 10_000;

/// Configures and makes a [`RemoteGate`]. Made by [`Gate::remote`].
pub struct RemoteGateBuilder {
    url: String,
    credentials: Credentials,
    staleness: Duration,
    timeout: Duration,
    max_in_flight: usize,
    max_cached: usize,
    roots: Option<Vec<u8>>,
    challenge: Challenge,
    is_https: bool,
    origins: Vec<PublicOrigin>,
    resource: Option<String>,
    restricted_tokens: RestrictedTokens,
    clock: Option<Arc<dyn Clock>>,
    on_failure: Option<Arc<OnFailure>>,
}

impl Gate {
    /// Starts building a gate that only verifies tokens. They are issued by a gateway, or by a [`Gate`] in
    /// another process, which it asks at the introspection endpoint (RFC 7662). It has the same layer:
    /// [`RemoteGate::require`].
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use http::{Request, Response};
    /// # let orders = tower::service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// use std::time::Duration;
    /// use tollgate::Gate;
    /// use tollgate::gate::Credentials;
    /// use tower::Layer;
    ///
    /// // In gateway.toml: [clients.orders-api] with capabilities = ["introspection"].
    /// let credentials = Credentials::new("orders-api", "Password1");
    /// let gate = Gate::remote("https://gateway.example.com/oauth/v2/oauth-introspect", credentials)
    ///     .staleness(Duration::from_secs(5))
    ///     .on_failure(|error| eprintln!("cannot check tokens: {error}"))
    ///     .build()?;
    /// let orders = gate.require("read").layer(orders);
    /// # let _ = orders;
    /// # Ok::<(), tollgate::gate::RemoteGateError>(())
    /// ```
    #[must_use]
    pub fn remote(introspection_url: impl Into<String>, credentials: Credentials) -> RemoteGateBuilder {
        RemoteGateBuilder {
            url: introspection_url.into(),
            credentials,
            staleness: Duration::ZERO,
            timeout: TIMEOUT,
            max_in_flight: MAX_IN_FLIGHT,
            max_cached: MAX_CACHED,
            roots: None,
            challenge: Challenge {
                realm: REALM.to_owned(),
                dpop_algorithms: Algorithm::NAMES.join(" "),
                ..Challenge::default()
            },
            is_https: true,
            origins: Vec::new(),
            resource: None,
            restricted_tokens: RestrictedTokens::default(),
            clock: None,
            on_failure: None,
        }
    }
}

impl RemoteGateBuilder {
    /// Sets for how long the answer about an active token is reused. The default is zero: the token of every
    /// request is introspected.
    ///
    /// This is the time by which a revocation, a disabled client or a changed scope can be late. It never
    /// extends a token: an answer is not used after the token has expired. Negative answers and failures are
    /// never remembered.
    #[must_use]
    pub fn staleness(mut self, staleness: Duration) -> Self {
        self.staleness = staleness;
        self
    }

    /// Sets how long a request waits for the endpoint in total. The default is 2 s. After that, the request
    /// is answered with 503.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many introspection requests may be in flight at once. The default is 64. Other requests wait,
    /// up to 64 for each of them. Further requests are answered with 503 at once.
    #[must_use]
    pub fn max_in_flight(mut self, max: usize) -> Self {
        self.max_in_flight = max.max(1);
        self
    }

    /// Sets how many answers are remembered at most. The default is 10,000. It only matters with a
    /// [`staleness`](RemoteGateBuilder::staleness).
    #[must_use]
    pub fn max_cached(mut self, max: usize) -> Self {
        self.max_cached = max;
        self
    }

    /// Trusts the certificates of these authorities (PEM), and no others, to identify the endpoint. The
    /// default is the trust store of the system. For a gateway with a self-signed certificate, pass that
    /// certificate.
    #[must_use]
    pub fn trusted_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// Sets the realm named in challenges. The default is `tollgate`.
    #[must_use]
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.challenge.realm = realm.into();
        self
    }

    /// Sets the URL of the metadata of the protected resource, for challenges to name (RFC 9728 §5.1). The
    /// gateway has it at `/.well-known/oauth-protected-resource`.
    #[must_use]
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        self.challenge.resource_metadata = Some(url.into());
        self
    }

    /// Declares that clients reach the protected service by `http://`. The default is `https://`. DPoP proofs
    /// name the URL that the client used, and a request does not tell whether there is a TLS terminator in
    /// front of the service.
    #[must_use]
    pub fn reached_by_plain_http(mut self) -> Self {
        self.is_https = false;
        self
    }

    /// Adds an origin under which clients know the protected service. A DPoP proof has to name one of them
    /// (RFC 9449 §4.3, 9); the `Host` of the request is not believed, because the sender of a stolen proof
    /// chooses it. Without an origin, no proof is accepted, and tokens that are bound to a key are refused.
    ///
    /// # Errors
    /// [`RemoteGateError::PublicOrigin`] for anything but `https://` or `http://`, a host, and a port unless
    /// it is the scheme's own.
    pub fn public_origin(mut self, origin: &str) -> Result<Self, RemoteGateError> {
        self.origins.push(PublicOrigin::parse(origin).ok_or(RemoteGateError::PublicOrigin)?);
        Ok(self)
    }

    /// Sets the resource that the protected service is (RFC 8707). A token that is restricted to this
    /// resource is accepted where no audience is demanded. Other restricted tokens are refused there.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Sets where a token that is restricted to another resource than [`RemoteGateBuilder::resource`] is
    /// accepted.
    #[must_use]
    pub fn restricted_tokens(mut self, where_accepted: RestrictedTokens) -> Self {
        self.restricted_tokens = where_accepted;
        self
    }

    /// Sets the clock. The default is the operating system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets a function that is called for every request that cannot be decided because the endpoint gave no
    /// answer, for logs and metrics. It runs on the request path, so it should return quickly.
    #[must_use]
    pub fn on_failure(mut self, report: impl Fn(&IntrospectionError) + Send + Sync + 'static) -> Self {
        self.on_failure = Some(Arc::new(report));
        self
    }

    /// Makes the gate. It connects with the first request; [`RemoteGate::check_endpoint`] tries the
    /// connection before.
    ///
    /// # Errors
    /// [`RemoteGateError`] if the URL is not acceptable, or TLS cannot be set up.
    pub fn build(self) -> Result<RemoteGate, RemoteGateError> {
        let clock: Arc<dyn Clock> = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let tls = tls(self.roots.as_deref())?;
        let endpoint = Endpoint::new(&self.url, &self.credentials, tls, self.max_in_flight, self.timeout)?;
        Ok(RemoteGate::new(Shared {
            endpoint,
            cache: Cache::new(self.staleness, self.max_cached),
            flights: Flights::new(),
            places: tokio::sync::Semaphore::new(self.max_in_flight.min(tokio::sync::Semaphore::MAX_PERMITS)),
            max_in_flight: self.max_in_flight,
            waiting: std::sync::atomic::AtomicUsize::new(0),
            timeout: self.timeout,
            proofs: ProofVerifier::new(&*clock).map_err(RemoteGateError::Randomness)?,
            clock,
            challenge: self.challenge,
            is_https: self.is_https,
            origins: self.origins.into_iter().collect(),
            resource: self.resource,
            restricted_tokens: self.restricted_tokens,
            on_failure: self.on_failure,
        }))
    }
}

/// TLS with these trusted authorities, or with those of the system.
fn tls(roots: Option<&[u8]>) -> Result<ClientConfig, RemoteGateError> {
    let mut store = RootCertStore::empty();
    match roots {
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| RemoteGateError::Tls(error.into()))?;
                store.add(certificate).map_err(|error| RemoteGateError::Tls(error.into()))?;
            }
            if store.is_empty() {
                return Err(RemoteGateError::Tls("there is no certificate in the PEM text".into()));
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| RemoteGateError::Tls(error.into()))?;
    Ok(config.with_root_certificates(store).with_no_client_auth())
}

impl fmt::Debug for RemoteGateBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteGateBuilder").field("url", &self.url).finish_non_exhaustive()
    }
}
