//! Authorizing a request, and the answer to one that is denied.

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::Full;

use crate::gate::instance::Gate;
#[cfg(feature = "jose")]
use crate::gate::possession::DpopRequest;
use crate::gate::question::{Answers, NO_ANSWERS, Undecided};
use crate::oauth::bearer::{self, Presented, Scheme};
use crate::oauth::decide::{self, Permit, Possession, RouteDemand};
#[cfg(feature = "gateway")]
use crate::oauth::decide::{Identity, Lease};
use crate::oauth::denial::Denial;
use crate::oauth::evidence::{Credentials, Evidence, Target};
use crate::oauth::grant::Record;
use crate::oauth::scope::{Demand, Requirement};
use crate::oauth::token::TokenDigest;
use crate::store::Found;

impl Gate {
    /// Authorizes a request by its headers alone. A token that is bound to a key or to a certificate is
    /// refused.
    ///
    /// It never waits. A request about which a [store](crate::store::TokenStore) that other gateways share
    /// has to be asked is denied with [`Denial::Unavailable`]; [`Gate::authorize_async`] waits for the
    /// store's answer.
    ///
    /// ```
    /// # use tollgate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes("read")?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// use http::{HeaderMap, header::AUTHORIZATION};
    /// use tollgate::Requirement;
    ///
    /// let mut headers = HeaderMap::new();
    /// let read = Requirement::all("read")?;
    /// assert_eq!(gate.authorize(&headers, &read).unwrap_err().status(), 401);
    /// let bearer = format!("Bearer {}", gate.issue_to("server", "read")?.expose());
    /// headers.insert(AUTHORIZATION, bearer.parse()?);
    /// assert_eq!(gate.authorize(&headers, &read)?.client_id(), Some("server"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Denial`]. [`Gate::refuse`] turns it into the answer.
    pub fn authorize(&self, headers: &HeaderMap, requirement: &Requirement) -> Result<Permit, Denial> {
        self.authorize_inner(headers, requirement, None, None, || None, &NO_ANSWERS)
            .map_err(Undecided::without_waiting)
    }

    /// Authorizes a request by its headers alone, as [`Gate::authorize`] does, and waits for the store if it
    /// has to be asked. With a store in memory it never waits.
    ///
    /// # Errors
    /// A [`Denial`]. [`Gate::refuse`] turns it into the answer.
    pub async fn authorize_async(
        &self,
        headers: &HeaderMap,
        requirement: &Requirement,
    ) -> Result<Permit, Denial> {
        self.until_decided(|answers| self.authorize_inner(headers, requirement, None, None, || None, answers))
            .await
    }

    /// Authorizes a request by its headers and by the [`Evidence`] about its connection and target, against
    /// everything that a route demands. Like [`Gate::authorize`] it never waits.
    ///
    /// ```
    /// # use tollgate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes("read")?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// use http::{HeaderMap, header::AUTHORIZATION};
    /// use tollgate::{Demand, Requirement};
    /// use tollgate::oauth::Evidence;
    ///
    /// let demand = Demand::from(Requirement::AnyToken).for_audience("https://orders.example.com");
    /// let bearer = format!("Bearer {}", gate.issue_to("server", "read")?.expose());
    /// let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.parse()?)]);
    /// let denial = gate.authorize_with(&headers, &demand, &Evidence::default()).unwrap_err();
    /// assert_eq!(denial.code(), Some("invalid_token"), "the token is for no particular resource");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Denial`]. [`Gate::refuse`] turns it into the answer.
    pub fn authorize_with(
        &self,
        headers: &HeaderMap,
        demand: &Demand,
        evidence: &Evidence<'_>,
    ) -> Result<Permit, Denial> {
        let certificate = evidence.certificate.map(|certificate| certificate.sha256);
        let (requirement, audience) = (&demand.requirement, demand.audience.as_deref());
        let target = || evidence.target;
        self.authorize_inner(headers, requirement, audience, certificate, target, &NO_ANSWERS)
            .map_err(Undecided::without_waiting)
    }

    /// Authorizes a request as [`Gate::authorize_with`] does, and waits for the store if it has to be asked.
    /// With a store in memory it never waits.
    ///
    /// # Errors
    /// A [`Denial`]. [`Gate::refuse`] turns it into the answer.
    pub async fn authorize_with_async(
        &self,
        headers: &HeaderMap,
        demand: &Demand,
        evidence: &Evidence<'_>,
    ) -> Result<Permit, Denial> {
        let certificate = evidence.certificate.map(|certificate| certificate.sha256);
        let (requirement, audience) = (&demand.requirement, demand.audience.as_deref());
        self.until_decided(|answers| {
            self.authorize_inner(headers, requirement, audience, certificate, || evidence.target, answers)
        })
        .await
    }

    /// Authorizes a request with the answers that the store has given about it. `target` is called only when
    /// a DPoP proof has to name it.
    #[inline]
    pub(crate) fn authorize_inner<'a>(
        &self,
        credentials: &impl Credentials,
        requirement: &Requirement,
        audience: Option<&str>,
        certificate: Option<&[u8; 32]>,
        target: impl FnOnce() -> Option<Target<'a>>,
        answers: &Answers,
    ) -> Result<Permit, Undecided> {
        let opens_unnamed = |resource: &str| self.opens_unnamed(resource);
        let demand = RouteDemand { requirement, audience, opens_unnamed: &opens_unnamed };
        self.authorize_demand(credentials, demand, certificate, target, answers)
    }

    #[inline]
    fn authorize_demand<'a>(
        &self,
        credentials: &impl Credentials,
        demand: RouteDemand<'_>,
        certificate: Option<&[u8; 32]>,
        target: impl FnOnce() -> Option<Target<'a>>,
        answers: &Answers,
    ) -> Result<Permit, Undecided> {
        let presented = bearer::only(credentials.authorization())?;
        if presented.scheme == Scheme::Bearer {
            return self.authorize_bearer(presented, demand, certificate, answers);
        }
        #[cfg(feature = "jose")]
        {
            presented.check_syntax()?;
            // Without a target no proof can be checked, so the scheme is not supported.
            let Some(target) = target() else { return Err(Denial::Missing.into()) };
            let request = DpopRequest { presented, credentials, demand, certificate, target };
            self.authorize_dpop(&request, answers)
        }
        #[cfg(not(feature = "jose"))]
        {
            let _ = target;
            presented.check_syntax()?;
            Err(Denial::Missing.into())
        }
    }

    /// Authorizes a request as [`Self::authorize_with`] does, without taking the token's record out of the
    /// store: the client's id and scopes are copied into `identity`, and nothing is written that other
    /// threads write too.
    #[cfg(feature = "gateway")]
    pub(crate) fn lease(
        &self,
        credentials: &impl Credentials,
        demand: &Demand,
        evidence: &Evidence<'_>,
        identity: &mut Identity,
        answers: &Answers,
    ) -> Result<Lease, Undecided> {
        self.lease_and(credentials, demand, evidence, identity, answers, |_, _| ())
    }

    /// Leases as [`Self::lease`] does, and calls `then` with the record of a token that has a lease.
    #[cfg(feature = "gateway")]
    #[inline(always)]
    pub(super) fn lease_and(
        &self,
        credentials: &impl Credentials,
        demand: &Demand,
        evidence: &Evidence<'_>,
        identity: &mut Identity,
        answers: &Answers,
        mut then: impl FnMut(&Record, &mut Identity),
    ) -> Result<Lease, Undecided> {
        let certificate = evidence.certificate.map(|certificate| certificate.sha256);
        let (requirement, audience) = (&demand.requirement, demand.audience.as_deref());
        let presented = bearer::only(credentials.authorization())?;
        if presented.scheme != Scheme::Bearer {
            return self.lease_by_proof(credentials, demand, evidence, identity, answers, then);
        }
        let Some(digest) = TokenDigest::of_presented(presented.token) else {
            return Err(presented.unknown().into());
        };
        let opens_unnamed = |resource: &str| self.opens_unnamed(resource);
        let demand = RouteDemand { requirement, audience, opens_unnamed: &opens_unnamed };
        let now = self.inner.clock.now();
        let held = Possession { certificate, key: None };
        let mut decided = Err(Denial::InvalidToken);
        let mut decide = |record: &Record| {
            decided = Lease::decide(record, digest, demand, held, now, identity);
            if decided.is_ok() {
                then(record, identity);
            }
        };
        match self.inner.store.look(&digest, &mut decide) {
            Found::Known(()) => {}
            Found::Unknown => return Err(presented.unknown().into()),
            Found::Ask => match answers.record(digest)? {
                Some(record) => decide(&record),
                None => return Err(presented.unknown().into()),
            },
        }
        Ok(decided?)
    }

    /// Leases as [`Self::lease_and`] does, for a token that is not under the Bearer scheme.
    #[cfg(feature = "gateway")]
    #[inline(never)]
    fn lease_by_proof(
        &self,
        credentials: &impl Credentials,
        demand: &Demand,
        evidence: &Evidence<'_>,
        identity: &mut Identity,
        answers: &Answers,
        mut then: impl FnMut(&Record, &mut Identity),
    ) -> Result<Lease, Undecided> {
        identity.clear();
        let certificate = evidence.certificate.map(|certificate| certificate.sha256);
        let opens_unnamed = |resource: &str| self.opens_unnamed(resource);
        let (requirement, audience) = (&demand.requirement, demand.audience.as_deref());
        let demand = RouteDemand { requirement, audience, opens_unnamed: &opens_unnamed };
        // First whether the token is valid, then whether it is good for this route: the client of a valid token
        // is known in both cases.
        let any =
            RouteDemand { requirement: &Requirement::AnyToken, audience: None, opens_unnamed: &|_| true };
        let permit = self.authorize_demand(credentials, any, certificate, || evidence.target, answers)?;
        let misfit = decide::misfit(&permit, demand);
        if let (Some(record), None) = (permit.record(), &misfit) {
            then(record, identity);
        }
        let lease = Lease::of_permit(permit, identity);
        misfit.map_or(Ok(lease), |denial| Err(denial.into()))
    }

    /// Returns whether the token behind a lease is still valid: see [`Self::still_permits`]. `None` means
    /// that the store has to be asked ([`Self::still_leases_async`]).
    #[cfg(feature = "gateway")]
    pub(crate) fn still_leases(&self, lease: &Lease) -> Option<bool> {
        let Some(digest) = lease.digest() else { return Some(true) };
        let (now, mut live) = (self.inner.clock.now(), false);
        match self.inner.store.look(digest, &mut |record| live = record.is_live(now)) {
            Found::Known(()) => Some(live),
            Found::Unknown => Some(false),
            Found::Ask => None,
        }
    }

    /// Returns whether the token behind a lease is still valid, and waits for the store if it has to be
    /// asked.
    #[cfg(feature = "gateway")]
    pub(crate) async fn still_leases_async(&self, lease: &Lease) -> bool {
        match lease.digest() {
            None => true,
            Some(digest) => self.is_live(*digest).await,
        }
    }

    /// Returns whether a token for `resource` opens a route that names no audience (RFC 8707). Few tokens are
    /// for a resource, so the settings are read for those only.
    #[cold]
    fn opens_unnamed(&self, resource: &str) -> bool {
        self.settings().opens_unnamed(resource)
    }

    fn authorize_bearer(
        &self,
        presented: Presented<'_>,
        demand: RouteDemand<'_>,
        certificate: Option<&[u8; 32]>,
        answers: &Answers,
    ) -> Result<Permit, Undecided> {
        let Some(digest) = TokenDigest::of_presented(presented.token) else {
            return Err(presented.unknown().into());
        };
        match self.find(digest, answers)? {
            Some(record) => {
                let held = Possession { certificate, key: None };
                let now = self.inner.clock.now();
                Ok(decide::decide(Some(record), digest, demand, held, now)?)
            }
            None => Err(presented.unknown().into()),
        }
    }

    /// Finds the record of a token: in memory, or in the answers of the store.
    pub(super) fn find(&self, digest: TokenDigest, answers: &Answers) -> Result<Option<Record>, Undecided> {
        match self.inner.store.find(&digest) {
            Found::Known(record) => Ok(Some(record)),
            Found::Unknown => Ok(None),
            Found::Ask => answers.record(digest),
        }
    }

    /// Makes the answer to a request that was denied.
    ///
    /// ```
    /// # use tollgate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes("read")?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// use tollgate::Denial;
    ///
    /// let answer = gate.refuse(&Denial::Missing);
    /// assert_eq!(answer.status(), 401);
    /// assert!(answer.headers()["www-authenticate"].to_str()?.starts_with("Bearer realm=\"tollgate\""));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn refuse(&self, denial: &Denial) -> Response<Full<Bytes>> {
        denial.to_response(&self.settings().challenge)
    }

    /// Returns whether the token behind a permit is still valid. A long stream asks this from time to time.
    ///
    /// It never waits. If the store has to be asked, the answer is no; [`Gate::still_permits_async`] waits.
    ///
    /// ```
    /// # use tollgate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes("read")?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// use http::{HeaderMap, header::AUTHORIZATION};
    /// use tollgate::Requirement;
    ///
    /// let bearer = format!("Bearer {}", gate.issue_to("server", "read")?.expose());
    /// let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.parse()?)]);
    /// let permit = gate.authorize(&headers, &Requirement::AnyToken)?;
    /// assert!(gate.still_permits(&permit));
    /// gate.revoke_all("server");
    /// assert!(!gate.still_permits(&permit), "the stream should end now");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn still_permits(&self, permit: &Permit) -> bool {
        let Some(digest) = permit.digest() else { return true };
        // A store that cannot answer fails closed here, as everywhere.
        let record = self.inner.store.find(digest).known();
        record.is_some_and(|record| record.is_live(self.inner.clock.now()))
    }

    /// Returns whether the token behind a permit is still valid, as [`Gate::still_permits`] does, and waits
    /// for the store if it has to be asked. With a store in memory it never waits.
    pub async fn still_permits_async(&self, permit: &Permit) -> bool {
        match permit.digest() {
            None => true,
            Some(digest) => self.is_live(*digest).await,
        }
    }

    async fn is_live(&self, digest: TokenDigest) -> bool {
        let record = match self.inner.store.find(&digest) {
            Found::Known(record) => Some(record),
            Found::Unknown => None,
            Found::Ask => self.inner.store.ask(digest).get().await.ok().flatten(),
        };
        record.is_some_and(|record| record.is_live(self.inner.clock.now()))
    }
}
