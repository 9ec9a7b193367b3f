//! The decision: from the record of a token and the requirement of a route to a permit or a denial.

use std::time::Duration;

use http::HeaderValue;

use super::denial::{Denial, Mismatch};
use super::grant::{Confirmation, Grant, Record, Terms};
use super::scope::{Requirement, Scopes};
use super::token::TokenDigest;
use crate::clock::Millis;

/// Permission to forward one request, or to serve it. It names the client and its scopes.
///
/// Only an authorized request has one: the gate makes it from the record of a valid token.
///
/// ```
/// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
/// # let client = ClientSpec::with_id("server")?.scopes(["read"])?;
/// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
/// use http::{HeaderMap, header::AUTHORIZATION};
/// use tollgate::oauth::Requirement;
/// use std::time::Duration;
///
/// let bearer = format!("Bearer {}", gate.issue_to("server", ["read"])?.expose());
/// let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.parse()?)]);
/// let permit = gate.authorize(&headers, &Requirement::AnyToken)?;
/// assert_eq!(permit.client_id(), Some("server"));
/// assert!(permit.scopes().is_some_and(|scopes| scopes.contains("read")));
/// // For an upstream. The values are made once and cheap to clone.
/// assert_eq!(permit.client_header(), Some(&"server".parse()?));
/// assert_eq!(permit.scope_header(), Some(&"read".parse()?));
/// assert!(permit.time_left(gate.clock().now()) > Some(Duration::from_secs(290)));
/// assert_eq!((permit.audience(), permit.is_bound_to_key()), (None, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Permit(Kind);

#[derive(Debug, Clone)]
enum Kind {
    #[cfg_attr(
        not(feature = "pingora"),
        allow(dead_code, reason = "only pingora's module passes public requests on")
    )]
    Public,
    Token {
        record: Record,
        digest: TokenDigest,
    },
}

/// Makes the permit for a route that is configured to need no token.
///
/// Only pingora's module needs it: a tower service without a layer is public, and the gateway forwards by
/// leases.
#[cfg(feature = "pingora")]
#[must_use]
pub(crate) fn public() -> Permit {
    Permit(Kind::Public)
}

/// The proofs that the sender of a request has given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Possession<'a> {
    /// The SHA-256 of the certificate of the connection.
    pub certificate: Option<&'a [u8; 32]>,
    /// The thumbprint of the key of a DPoP proof that was checked for this request and token. `None` under
    /// the Bearer scheme.
    pub key: Option<&'a [u8; 32]>,
}

/// What a route demands of a token.
#[derive(Clone, Copy)]
pub(crate) struct RouteDemand<'a> {
    /// The required scopes.
    pub requirement: &'a Requirement,
    /// The resource that the token must be for (RFC 8707), if the route names one.
    pub audience: Option<&'a str>,
    /// Whether a token for this resource opens a route that names none.
    pub opens_unnamed: &'a (dyn Fn(&str) -> bool + Sync),
}

impl RouteDemand<'_> {
    /// Returns whether a token for `resource`, or for no particular one, is accepted.
    #[inline]
    fn accepts(&self, resource: Option<&str>) -> bool {
        match (self.audience, resource) {
            (None, None) => true,
            (Some(needed), resource) => resource == Some(needed),
            (None, Some(resource)) => (self.opens_unnamed)(resource),
        }
    }
}

/// Decides on a token by its record, which is `None` if the store has none.
///
/// # Errors
/// `invalid_token` if there is no live record (RFC 6750 §3.1), if the token is bound to something that the
/// sender has not proved to hold (RFC 8705 §3, RFC 9449 §7), or if it is for another resource than the
/// route's (RFC 8707). `insufficient_scope` if its scopes do not meet the requirement.
pub(crate) fn decide(
    record: Option<Record>,
    digest: TokenDigest,
    demand: RouteDemand<'_>,
    held: Possession<'_>,
    now: Millis,
) -> Result<Permit, Denial> {
    let record = record.ok_or(Denial::InvalidToken)?;
    check(&record, demand, held, now)?;
    Ok(Permit(Kind::Token { record, digest }))
}

/// What [`decide`] asks of a record.
fn check(record: &Record, demand: RouteDemand<'_>, held: Possession<'_>, now: Millis) -> Result<(), Denial> {
    if !record.is_live(now) {
        return Err(Denial::InvalidToken);
    }
    let terms = record.grant().terms();
    // Few tokens are bound, and few requests have a proof.
    if terms.confirmation.is_some() || held.key.is_some() {
        check_possession(terms.confirmation.as_ref(), held)?;
    }
    fits(terms, demand)
}

/// Checks what a valid token is good for.
#[inline]
fn fits(terms: &Terms, demand: RouteDemand<'_>) -> Result<(), Denial> {
    if !demand.accepts(terms.audience.as_deref()) {
        return Err(Denial::WrongAudience);
    }
    if demand.requirement.is_met_by(&terms.scopes) {
        Ok(())
    } else {
        Err(Denial::InsufficientScope(demand.requirement.scopes().cloned().unwrap_or_default()))
    }
}

/// Returns why a valid token does not meet a demand, in the words of the token's scheme; `None` if it does.
#[cfg(feature = "gateway")]
pub(crate) fn misfit(permit: &Permit, demand: RouteDemand<'_>) -> Option<Denial> {
    let terms = permit.grant()?.terms();
    let denial = fits(terms, demand).err()?;
    Some(if permit.is_bound_to_key() { Denial::Dpop(Box::new(denial)) } else { denial })
}

/// Makes the lease of a request that an enforced route refuses, for a route in shadow mode. It needs the
/// refusal, and it has no token: no credentials of the upstream go with it.
#[cfg(feature = "gateway")]
pub(crate) fn shadow(_refused: &Denial) -> Lease {
    Lease { token: None }
}

/// Permission to forward one request: what is left of a [`Permit`] once the gateway has copied who the client
/// is. It owns no part of the token's record, which other threads use too.
#[cfg(feature = "gateway")]
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    token: Option<Leased>,
}

#[cfg(feature = "gateway")]
#[derive(Debug, Clone)]
struct Leased {
    digest: TokenDigest,
    expires: Millis,
    bound_to_key: bool,
}

/// Who a request comes from. One value is used for one request after the other.
#[cfg(feature = "gateway")]
#[derive(Debug, Default)]
pub(crate) struct Identity {
    client: String,
    scope: String,
    known: bool,
}

#[cfg(feature = "gateway")]
impl Identity {
    /// The client whose token it was; `None` on a public route.
    pub(crate) fn client(&self) -> Option<&str> {
        self.known.then_some(&*self.client)
    }

    /// The scopes of the token; `None` where it has none.
    pub(crate) fn scope(&self) -> Option<&str> {
        (self.known && !self.scope.is_empty()).then_some(&*self.scope)
    }

    /// Nobody, for a public route.
    pub(crate) fn clear(&mut self) {
        self.client.clear();
        self.scope.clear();
        self.known = false;
    }

    fn set(&mut self, grant: &Grant) {
        self.clear();
        self.client.push_str(grant.client().id().as_str());
        self.scope.push_str(grant.terms().scopes.as_str());
        self.known = true;
    }
}

#[cfg(feature = "gateway")]
impl Lease {
    /// The lease of a public route: see [`public`].
    pub(crate) fn public() -> Self {
        Self { token: None }
    }

    /// Decides like [`decide`], on a record that stays where it is, and notes whose token it was, good enough
    /// or not.
    ///
    /// # Errors
    /// Those of [`decide`].
    pub(crate) fn decide(
        record: &Record,
        digest: TokenDigest,
        demand: RouteDemand<'_>,
        held: Possession<'_>,
        now: Millis,
        identity: &mut Identity,
    ) -> Result<Self, Denial> {
        // The log names the client of a token that is not good enough.
        identity.set(record.grant());
        check(record, demand, held, now)?;
        Ok(Self::of(record, digest))
    }

    /// The lease of a permit, and whose it is.
    pub(crate) fn of_permit(permit: Permit, identity: &mut Identity) -> Self {
        match permit.0 {
            Kind::Public => {
                identity.clear();
                Self::public()
            }
            Kind::Token { record, digest } => {
                identity.set(record.grant());
                Self::of(&record, digest)
            }
        }
    }

    fn of(record: &Record, digest: TokenDigest) -> Self {
        let bound_to = record.grant().terms().confirmation.as_ref();
        let bound_to_key = bound_to.and_then(Confirmation::key).is_some();
        Self { token: Some(Leased { digest, expires: record.expires(), bound_to_key }) }
    }

    /// The token; `None` on a public route.
    pub(crate) fn digest(&self) -> Option<&TokenDigest> {
        self.token.as_ref().map(|token| &token.digest)
    }

    /// How long the token lives; `None` where there is none that could end.
    pub(crate) fn time_left(&self, now: Millis) -> Option<Duration> {
        self.token.as_ref().map(|token| token.expires.since(now))
    }

    /// Whether the token is bound to a key of the client's.
    pub(crate) fn is_bound_to_key(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.bound_to_key)
    }
}

/// Checks that the sender holds what the token is bound to.
#[cold]
fn check_possession(bound_to: Option<&Confirmation>, held: Possession<'_>) -> Result<(), Denial> {
    let mismatch = match (bound_to.and_then(Confirmation::key), held.key) {
        (None, None) => None,
        // RFC 9449 §7.2: a bound token MUST be refused as a bearer token. Otherwise the binding would have no
        // effect.
        (Some(_), None) => Some(Mismatch::KeyAsBearer),
        (None, Some(_)) => Some(Mismatch::BearerAsKey),
        (Some(bound), Some(held)) => (bound != held).then_some(Mismatch::Key),
    };
    // RFC 8705 §3: "If they do not match, the resource access attempt MUST be rejected with an error".
    let certificate = bound_to.and_then(Confirmation::certificate);
    let other = certificate.is_some() && certificate != held.certificate;
    match mismatch.or(other.then_some(Mismatch::Certificate)) {
        None => Ok(()),
        Some(mismatch) => Err(Denial::NotHeld(mismatch)),
    }
}

impl Permit {
    fn grant(&self) -> Option<&Grant> {
        match &self.0 {
            Kind::Public => None,
            Kind::Token { record, .. } => Some(record.grant()),
        }
    }

    /// Returns the id of the client, or `None` on a public route.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.grant().map(|grant| grant.client().id().as_str())
    }

    /// Returns the scopes of the token, or `None` on a public route.
    #[must_use]
    pub fn scopes(&self) -> Option<&Scopes> {
        self.grant().map(|grant| &grant.terms().scopes)
    }

    /// Returns the client id as a header value, which is made once per client.
    #[must_use]
    pub fn client_header(&self) -> Option<&HeaderValue> {
        self.grant().map(|grant| grant.client().header())
    }

    /// Returns the scopes as a header value, which is made once per grant.
    #[must_use]
    pub fn scope_header(&self) -> Option<&HeaderValue> {
        self.grant()?.scope_header()
    }

    /// Returns the resource that the token is for (RFC 8707).
    #[must_use]
    pub fn audience(&self) -> Option<&str> {
        self.grant()?.terms().audience.as_deref()
    }

    /// Returns whether the token is bound to a key, and so came with a DPoP proof.
    #[must_use]
    pub fn is_bound_to_key(&self) -> bool {
        self.grant()
            .and_then(|grant| grant.terms().confirmation.as_ref())
            .is_some_and(|bound| bound.key().is_some())
    }

    /// Returns the remaining lifetime of the token at `now`, or `None` on a public route.
    #[must_use]
    pub fn time_left(&self, now: Millis) -> Option<Duration> {
        match &self.0 {
            Kind::Public => None,
            Kind::Token { record, .. } => Some(record.expires().since(now)),
        }
    }

    /// Returns the digest of the token, which identifies it in the store, or `None` on a public route.
    #[must_use]
    pub fn digest(&self) -> Option<&TokenDigest> {
        match &self.0 {
            Kind::Public => None,
            Kind::Token { digest, .. } => Some(digest),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::oauth::client::{ClientId, ClientState};
    use crate::oauth::token::AccessToken;

    fn record(scopes: &str) -> (Arc<ClientState>, Record) {
        record_for(scopes, None, None)
    }

    fn record_for(
        scopes: &str,
        audience: Option<&str>,
        confirmation: Option<Confirmation>,
    ) -> (Arc<ClientState>, Record) {
        let client = ClientState::new(ClientId::new("server").unwrap());
        let terms = Terms {
            scopes: Scopes::parse(scopes).unwrap(),
            lifetime: Duration::from_secs(299),
            audience: audience.map(Into::into),
            confirmation,
        };
        let grant = Arc::new(Grant::new(Arc::clone(&client), client.epoch(), terms));
        (client, Record::new(grant, Millis::new(1_000)))
    }

    /// A demand on a route that only tokens for `https://own.example` open besides those for no resource.
    fn demand<'a>(requirement: &'a Requirement, audience: Option<&'a str>) -> RouteDemand<'a> {
        RouteDemand { requirement, audience, opens_unnamed: &|resource| resource == "https://own.example" }
    }

    fn verdict(record: Option<Record>, needed: Requirement, now: u64) -> Result<Permit, Denial> {
        let digest = AccessToken::from_random(&[0; 32]).digest();
        decide(record, digest, demand(&needed, None), Possession::default(), Millis::new(now))
    }

    #[test]
    fn a_token_lives_from_issue_to_the_millisecond_of_expiry() {
        let (_, record) = record("read");
        let any = || Requirement::AnyToken;
        assert!(verdict(Some(record.clone()), any(), 1_000).is_ok());
        assert!(verdict(Some(record.clone()), any(), 299_999 + 1_000 - 1_000).is_ok());
        assert!(verdict(Some(record.clone()), any(), 299_999).is_ok());
        assert_eq!(verdict(Some(record), any(), 300_000).err(), Some(Denial::InvalidToken));
        assert_eq!(verdict(None, any(), 0).err(), Some(Denial::InvalidToken));
    }

    #[test]
    fn an_epoch_ends_all_tokens_before_it() {
        let (client, record) = record("read");
        client.revoke_all();
        assert_eq!(verdict(Some(record), Requirement::AnyToken, 1_000).err(), Some(Denial::InvalidToken));
    }

    #[test]
    fn scopes_decide_and_the_permit_names_the_client() {
        let needed = |text| Requirement::All(Scopes::parse(text).unwrap());
        let (_, record) = record("read write");
        let permit = verdict(Some(record.clone()), needed("write"), 2_000).unwrap();
        assert_eq!(permit.client_id(), Some("server"));
        assert_eq!(permit.client_header().unwrap(), "server");
        assert_eq!(permit.scope_header().unwrap(), "read write");
        assert_eq!(permit.time_left(Millis::new(2_000)), Some(Duration::from_secs(298)));
        assert_eq!(
            verdict(Some(record), needed("read admin"), 2_000).err(),
            Some(Denial::InsufficientScope(Scopes::parse("read admin").unwrap()))
        );
        #[cfg(feature = "pingora")]
        assert_eq!(public().client_id(), None);
    }

    #[test]
    fn a_bound_token_needs_a_sender_that_holds_what_it_is_bound_to() {
        let (a, b) = ([1; 32], [2; 32]);
        let held = |certificate, key| Possession { certificate, key };
        let both = Some(Confirmation::Both { certificate: a, key: b });
        let table = [
            (None, held(None, None), None),
            (None, held(Some(&a), None), None),
            (None, held(None, Some(&a)), Some(Mismatch::BearerAsKey)),
            (Some(Confirmation::Certificate(a)), held(Some(&a), None), None),
            (Some(Confirmation::Certificate(a)), held(Some(&b), None), Some(Mismatch::Certificate)),
            (Some(Confirmation::Certificate(a)), held(None, None), Some(Mismatch::Certificate)),
            (Some(Confirmation::Certificate(a)), held(Some(&a), Some(&a)), Some(Mismatch::BearerAsKey)),
            (Some(Confirmation::Key(a)), held(None, Some(&a)), None),
            (Some(Confirmation::Key(a)), held(Some(&b), Some(&a)), None),
            (Some(Confirmation::Key(a)), held(None, Some(&b)), Some(Mismatch::Key)),
            (Some(Confirmation::Key(a)), held(None, None), Some(Mismatch::KeyAsBearer)),
            (Some(Confirmation::Key(a)), held(Some(&a), None), Some(Mismatch::KeyAsBearer)),
            (both, held(Some(&a), Some(&b)), None),
            (both, held(Some(&b), Some(&b)), Some(Mismatch::Certificate)),
            (both, held(Some(&a), Some(&a)), Some(Mismatch::Key)),
            (both, held(Some(&a), None), Some(Mismatch::KeyAsBearer)),
            (both, held(None, Some(&b)), Some(Mismatch::Certificate)),
        ];
        for (row, (bound_to, held, mismatch)) in table.into_iter().enumerate() {
            let (_, record) = record_for("read", None, bound_to);
            let digest = AccessToken::from_random(&[0; 32]).digest();
            let any = demand(&Requirement::AnyToken, None);
            let verdict = decide(Some(record), digest, any, held, Millis::new(1_000));
            assert_eq!(verdict.err(), mismatch.map(Denial::NotHeld), "row {row}");
        }
    }

    #[test]
    fn an_audience_is_compared_exactly() {
        let table = [
            (None, None, true),
            (Some("https://a.example"), None, false),
            (Some("https://own.example"), None, true),
            (Some("https://own.example"), Some("https://a.example"), false),
            (Some("https://a.example"), Some("https://a.example"), true),
            (Some("https://a.example/"), Some("https://a.example"), false),
            (Some("https://b.example"), Some("https://a.example"), false),
            (None, Some("https://a.example"), false),
        ];
        for (of_token, needed, good) in table {
            let (_, record) = record_for("read", of_token, None);
            let digest = AccessToken::from_random(&[0; 32]).digest();
            let any = Requirement::AnyToken;
            let verdict =
                decide(Some(record), digest, demand(&any, needed), Possession::default(), Millis::new(1_000));
            let expected = (!good).then_some(Denial::WrongAudience);
            assert_eq!(verdict.err(), expected, "{of_token:?} where {needed:?} is needed");
        }
    }
}
