use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::Full;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::gate::possession::DpopRequest;
use crate::gate::proof::{ProofScope, ProofVerifier, UseUp};
use crate::gate::remote::answer;
use crate::gate::remote::cache::Cache;
use crate::gate::remote::endpoint::Endpoint;
use crate::gate::remote::error::IntrospectionError;
use crate::gate::remote::flights::Flights;
use crate::oauth::bearer::{self, Presented, Scheme};
use crate::oauth::decide::{self, Permit, Possession, RouteDemand};
use crate::oauth::denial::{Challenge, Denial};
use crate::oauth::evidence::Evidence;
use crate::oauth::grant::Record;
use crate::oauth::public_origin::PublicOrigins;
use crate::oauth::scope::{Demand, RestrictedTokens};
use crate::oauth::token::{AccessToken, TokenDigest};

/// The number of clients among which the memory of used proofs is divided. The actual number is not known
/// here.
const EXPECTED_CLIENTS: usize = 256;
/// How many requests may wait for each introspection request that may be in flight.
const WAITING_PER_PLACE: usize = 64;

/// The function that failures are reported to.
pub(super) type OnFailure = dyn Fn(&IntrospectionError) + Send + Sync;

/// A gate that verifies tokens by asking the process that has issued them. Made by
/// [`Gate::remote`](crate::Gate::remote).
///
/// [`RemoteGate::require`] makes the same layer as [`Gate::require`](crate::Gate::require). The decision is
/// the same too: expiry, scopes, audience, and binding to a key or certificate are checked here, on the
/// answer of the introspection endpoint.
///
/// - *It fails closed.* If the endpoint is unreachable, slow, or gives anything but a well-formed answer with
///   status 200, the request is answered with 503. Failures are never remembered.
/// - *Revocation is late by at most the [staleness](crate::gate::RemoteGateBuilder::staleness)*. With the
///   default of zero, the gate introspects the token of every request, and never uses an answer whose
///   introspection began before the request arrived.
/// - *The load on the endpoint is bounded.* Text that is not a token of a gateway (wrong form or checksum)
///   never reaches it. Concurrent requests with one token share an introspection request, of which at most
///   [`max_in_flight`](crate::gate::RemoteGateBuilder::max_in_flight) are in flight.
/// - *Memory is bounded.* Only active tokens are remembered, so requests with invented tokens use no
///   memory.
/// - *Tokens are sent to the endpoint* and nowhere else: over TLS, or on loopback. Redirects are not
///   followed.
///
/// It needs a tokio runtime. Cloning it is cheap; all clones are one gate.
#[derive(Clone)]
pub struct RemoteGate {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) cache: Cache,
    pub(super) flights: Flights<Found>,
    pub(super) places: Semaphore,
    pub(super) max_in_flight: usize,
    pub(super) waiting: AtomicUsize,
    pub(super) timeout: Duration,
    pub(super) proofs: ProofVerifier,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) challenge: Challenge,
    pub(super) is_https: bool,
    pub(super) origins: PublicOrigins,
    pub(super) resource: Option<String>,
    pub(super) restricted_tokens: RestrictedTokens,
    pub(super) on_failure: Option<Arc<OnFailure>>,
}

impl Shared {
    /// Returns whether a token for `resource` is accepted where none is demanded.
    fn opens_unnamed(&self, resource: &str) -> bool {
        match self.restricted_tokens {
            RestrictedTokens::OwnRoutes => self.resource.as_deref() == Some(resource),
            RestrictedTokens::AnyRoute => true,
        }
    }
}

/// An answer about a token, for all requests that share it.
type Found = Result<Option<Record>, Arc<IntrospectionError>>;

impl RemoteGate {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Authorizes a request by its headers and by the [`Evidence`] about its connection and target, against
    /// everything that a route demands.
    ///
    /// # Errors
    /// A [`Denial`]. [`RemoteGate::refuse`] turns it into the answer.
    pub async fn authorize(
        &self,
        headers: &HeaderMap,
        demand: &Demand,
        evidence: &Evidence<'_>,
    ) -> Result<Permit, Denial> {
        let presented = bearer::presented(headers)?;
        let certificate = evidence.certificate.map(|certificate| certificate.sha256);
        let opens_unnamed = |resource: &str| self.shared.opens_unnamed(resource);
        let demand = RouteDemand {
            requirement: &demand.requirement,
            audience: demand.audience.as_deref(),
            opens_unnamed: &opens_unnamed,
        };
        let clock = &*self.shared.clock;
        match (presented.scheme, evidence.target) {
            (Scheme::Bearer, _) => {
                let digest = TokenDigest::of_presented(presented.token).ok_or_else(|| presented.unknown())?;
                let record = self.find(digest, presented).await?;
                let held = Possession { certificate, key: None };
                decide::decide(record, digest, demand, held, clock.now())
            }
            (Scheme::Dpop, Some(target)) => {
                presented.check_syntax()?;
                let request = DpopRequest { presented, credentials: headers, demand, certificate, target };
                let dpop = |denial| Denial::Dpop(Box::new(denial));
                let digest = TokenDigest::of_presented(presented.token);
                let digest = digest.ok_or(Denial::InvalidToken).map_err(dpop)?;
                let record = self.find(digest, presented).await.map_err(dpop)?;
                let scope = ProofScope { origins: &self.shared.origins, clients: EXPECTED_CLIENTS };
                let proofs = (&self.shared.proofs, UseUp::Here);
                let decided = request.decide(record, digest, proofs, scope, clock);
                decided.map_err(|undecided| dpop(undecided.without_waiting()))
            }
            // Without a target no proof can be checked, so the scheme is not supported.
            (Scheme::Dpop, None) => {
                presented.check_syntax()?;
                Err(Denial::Missing)
            }
        }
    }

    /// Makes the answer to a request that was denied.
    #[must_use]
    pub fn refuse(&self, denial: &Denial) -> Response<Full<Bytes>> {
        denial.to_response(&self.shared.challenge)
    }

    /// Asks the endpoint about a token that does not exist, to find out whether the URL, the credentials and
    /// TLS are right. This is for start-up and for health checks.
    ///
    /// # Errors
    /// Returns an [`IntrospectionError`] with the reason.
    pub async fn check_endpoint(&self) -> Result<(), IntrospectionError> {
        let nobody = AccessToken::from_random(&[0; 32]);
        let asked = tokio::time::timeout(self.shared.timeout, self.shared.endpoint.ask(nobody.expose()));
        let body = asked.await.unwrap_or(Err(IntrospectionError::TooSlow))?;
        answer::read(&body, self.shared.clock.now(), self.shared.clock.unix_time()).map(drop)
    }

    /// Returns the clock that answers are remembered on.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    /// Returns whether clients reach the protected service over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.shared.is_https
    }

    /// Finds the record of a token: in the cache, or by asking.
    async fn find(&self, digest: TokenDigest, presented: Presented<'_>) -> Result<Option<Record>, Denial> {
        let Shared { cache, flights, clock, timeout, on_failure, .. } = &*self.shared;
        if let Some(record) = cache.find(&digest, clock.now()) {
            return Ok(Some(record));
        }
        // A token with a valid checksum is ASCII.
        let token = std::str::from_utf8(presented.token).map_err(|_| Denial::InvalidToken)?;
        let ask = async {
            let _waiting = self.wait().ok_or(IntrospectionError::Busy)?;
            flights.share(digest, async || self.ask(digest, token).await.map_err(Arc::new)).await
        };
        let found = tokio::time::timeout(*timeout, ask).await;
        found.unwrap_or_else(|_| Err(IntrospectionError::TooSlow.into())).map_err(|error| {
            if let Some(report) = on_failure {
                report(&error);
            }
            Denial::Unavailable
        })
    }

    /// Asks the endpoint about a token, and remembers the answer if it is active.
    async fn ask(&self, digest: TokenDigest, token: &str) -> Result<Option<Record>, IntrospectionError> {
        let Shared { endpoint, cache, places, clock, .. } = &*self.shared;
        // Another request may have asked while this one waited.
        if let Some(record) = cache.find(&digest, clock.now()) {
            return Ok(Some(record));
        }
        // The semaphore is never closed.
        let _place = places.acquire().await.map_err(|_| IntrospectionError::Busy)?;
        let asked = clock.now();
        let body = endpoint.ask(token).await?;
        let now = clock.now();
        let found = answer::read(&body, now, clock.unix_time())?;
        match &found {
            Some(record) => cache.insert(digest, asked, record.clone(), now),
            None => cache.remove(&digest),
        }
        Ok(found)
    }

    /// Counts a waiting request, unless there are too many.
    fn wait(&self) -> Option<Waiting<'_>> {
        let Shared { waiting, max_in_flight, .. } = &*self.shared;
        let at_most = max_in_flight.saturating_mul(1 + WAITING_PER_PLACE);
        let more = |count: usize| (count < at_most).then(|| count + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Waiting(waiting))
    }
}

/// One waiting request.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for RemoteGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteGate").field("endpoint", &self.shared.endpoint).finish_non_exhaustive()
    }
}
