//! The decision: from the record of a token and the requirement of a route to a permit or a denial.

#[cfg(feature = "gateway")]
mod lease;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::HeaderValue;

use super::denial::{Denial, Mismatch};
use super::grant::{Confirmation, Grant, Record, Terms};
use super::scope::{Requirement, Scopes};
use super::token::TokenDigest;
use crate::clock::Millis;

#[cfg(feature = "gateway")]
pub(crate) use self::lease::{Identity, Lease, shadow};

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
    /// Returns the record of the token, or `None` on a public route.
    #[cfg(feature = "gateway")]
    pub(crate) fn record(&self) -> Option<&Record> {
        match &self.0 {
            Kind::Public => None,
            Kind::Token { record, .. } => Some(record),
        }
    }

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
