//! The gate, and the state that all of its clones share.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
#[cfg(feature = "gateway")]
use std::sync::PoisonError;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use crate::clock::Clock;
use crate::gate::changed_clients::ChangedClients;
use crate::gate::deadline::Deadlines;
use crate::gate::endpoint_lengths::EndpointLengths;
use crate::gate::hashing::HashingPool;
#[cfg(feature = "gateway")]
use crate::gate::jwt::JwtSigner;
#[cfg(feature = "jose")]
use crate::gate::proof::ProofVerifier;
#[cfg(feature = "gateway")]
use crate::gate::register::registry::Registry;
use crate::gate::secret_digest::SecretDigester;
use crate::gate::settings::Settings;
use crate::gate::single_flight::SingleFlight;
use crate::gate::spec::GateSpec;
use crate::gate::throttle::Throttle;
#[cfg(feature = "jose")]
use crate::gate::used_once::UsedOnce;
use crate::store::TokenStore;

/// `Retry-After` of a refusal because a limit is reached or the store cannot answer.
pub(super) const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);
/// `Retry-After` of a refusal because all hashing threads are busy.
pub(super) const RETRY_WHEN_BUSY: Duration = Duration::from_secs(1);

/// Issues access tokens and checks them.
///
/// A gate is two things: a layer that lets requests through only with a token ([`Gate::require`]), and a
/// service where clients get their tokens ([`Gate::oauth_service`]). Cloning it is cheap; all clones are one
/// gate.
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use tollgate::{ClientSpec, Gate, GateSpec, Permit};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes("read")?;
/// let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
///
/// // Your service is only called with a token that has the scope `read`.
/// let orders = gate.require("read").layer(service_fn(async |request: Request<String>| {
///     let client = request.extensions().get::<Permit>().and_then(Permit::client_id).unwrap_or_default();
///     Ok::<_, Infallible>(Response::new(format!("orders of {client}")))
/// }));
/// // The token, introspection, revocation and metadata endpoints. Route requests for them here.
/// let endpoints = gate.oauth_service();
///
/// assert_eq!(orders.oneshot(Request::get("/orders").body(String::new())?).await?.status(), 401);
/// let metadata = Request::get("/.well-known/oauth-authorization-server").body(String::new())?;
/// assert_eq!(endpoints.oneshot(metadata).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// | to | use |
/// |---|---|
/// | protect a tower, axum or tonic service | [`require`](Gate::require), [`require_with`](Gate::require_with) |
/// | answer the OAuth endpoints | [`oauth_service`](Gate::oauth_service) |
/// | protect a service in another process than the one that issues tokens | `Gate::remote` (feature `remote`) |
/// | protect a pingora proxy | `pingora_module` (feature `pingora`) |
/// | integrate anything else | [`authorize`](Gate::authorize), [`refuse`](Gate::refuse), [`answer`](Gate::answer) |
/// | test a handler | [`issue_to`](Gate::issue_to), [`ManualClock`](crate::clock::ManualClock) |
/// | change clients under traffic | [`reload`](Gate::reload), [`revoke_all`](Gate::revoke_all) |
/// | wait for a store that other gateways share | [`authorize_async`](Gate::authorize_async), [`issue_to_async`](Gate::issue_to_async), [`revoke_all_async`](Gate::revoke_all_async) |
#[derive(Clone)]
pub struct Gate {
    pub(super) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(super) settings: ArcSwap<Settings>,
    pub(super) endpoint_lengths: EndpointLengths,
    pub(super) store: Arc<dyn TokenStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hashing: HashingPool,
    pub(super) throttle: Throttle,
    pub(super) deadlines: Deadlines,
    pub(super) single_flight: SingleFlight,
    /// The clients of which no other process may issue tokens.
    pub(super) changed_clients: ChangedClients,
    /// The clients that have registered themselves.
    #[cfg(feature = "gateway")]
    pub(super) registry: Registry,
    pub(super) secret_digester: SecretDigester,
    /// The keys that sign JWTs for upstreams.
    #[cfg(feature = "gateway")]
    pub(super) jwt: JwtSigner,
    /// The client assertions that were used.
    #[cfg(feature = "jose")]
    pub(super) assertions: UsedOnce,
    #[cfg(feature = "jose")]
    pub(super) proofs: ProofVerifier,
    /// Notifies the task that fetches key sets.
    #[cfg(feature = "jose")]
    pub(super) key_call: Arc<tokio::sync::Notify>,
}

impl Gate {
    /// Swaps the settings for others, atomically and under traffic: each request is decided entirely by the
    /// old or entirely by the new settings.
    ///
    /// Tokens stay valid unless their client may do less than before. All tokens of a client end if it is
    /// disabled or removed, if its `token_generation` changes, or if it loses a key. Tokens with a scope or
    /// for a resource that the client has lost end, and so do unbound ones if its tokens must be bound now. A
    /// shorter lifetime holds for tokens that are issued already. What the gate has learned about secrets
    /// that stay is kept.
    ///
    /// ```
    /// # use tollgate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes("read")?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// let token = gate.issue_to("server", "read")?;
    /// assert_eq!(gate.tokens_kept(), 1);
    /// // Its client is removed: the token is refused from the next request on.
    /// gate.reload(GateSpec::new("https://api.example.com"));
    /// assert!(gate.issue_to("server", "read").is_err());
    /// # drop(token);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reload(&self, spec: impl Into<GateSpec>) {
        #[cfg_attr(not(feature = "gateway"), expect(unused_mut))]
        let mut spec = spec.into();
        #[cfg(feature = "gateway")]
        let _changing = self.inner.registry.changing.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "gateway")]
        self.inner.registry.add_to(&mut spec);
        let before = self.inner.settings.load_full();
        let unix_time = self.inner.clock.unix_time();
        let after = Arc::new(Settings::new(spec, Some(&before), unix_time, &*self.inner.store));
        self.inner.endpoint_lengths.add(&after);
        // The swap comes before the revocation. In the other order, a request in between could get a token of
        // the new epoch from the old settings.
        self.inner.settings.store(Arc::clone(&after));
        #[cfg(feature = "gateway")]
        if before.jwt != after.jwt || before.issuer != after.issuer {
            self.inner.jwt.forget();
        }
        let store = &*self.inner.store;
        for client in after.restrict_tokens(&before, store) {
            if store.lasting().is_some() {
                self.inner.changed_clients.add(client.id());
            }
            // The store has begun to end the epoch. A reload does not wait for it.
            drop(self.end_epoch(client));
        }
        if store.lasting().is_some() {
            after.register_clients(&before.registrations(), store);
        }
        #[cfg(feature = "jose")]
        self.inner.key_call.notify_one();
    }

    /// Returns the clock that token lifetimes are measured on.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// Returns whether clients reach this gate over TLS, according to its issuer.
    pub(crate) fn is_public_by_https(&self) -> bool {
        let settings = self.settings();
        settings.issuer.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
    }

    /// Awaits `work`, for at most `limit` on the gate's clock. Returns `None` when the time is over.
    pub(crate) async fn within<F: Future>(&self, limit: Duration, work: F) -> Option<F::Output> {
        self.inner.deadlines.within(self.clock(), limit, work).await
    }

    /// Borrows the current settings for a moment.
    pub(super) fn settings(&self) -> Guard<Arc<Settings>> {
        self.inner.settings.load()
    }

    /// Returns the current settings to be kept over an await.
    pub(super) fn settings_full(&self) -> Arc<Settings> {
        self.inner.settings.load_full()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("tokens_kept", &self.inner.store.len()).finish_non_exhaustive()
    }
}
