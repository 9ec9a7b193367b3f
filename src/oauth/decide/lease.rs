//! The lease of a request that the gateway forwards, and whose request it is.

use std::fmt;
use std::time::Duration;

use super::{Kind, Permit, Possession, RouteDemand, check};
use crate::clock::Millis;
use crate::oauth::denial::Denial;
use crate::oauth::grant::{Confirmation, Grant, Record};
use crate::oauth::token::TokenDigest;

/// Permission to forward one request: what is left of a [`Permit`] once the gateway has copied who the client
/// is. It owns no part of the token's record, which other threads use too.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    token: Option<Leased>,
}

#[derive(Debug, Clone)]
struct Leased {
    digest: TokenDigest,
    expires: Millis,
    bound_to_key: bool,
}

/// The client of a request, and the scopes of its token. One value is used for one request after the other.
#[derive(Default)]
pub(crate) struct Identity {
    client: String,
    scope: String,
    known: bool,
    /// The value of `Authorization` for the upstream. It is set on routes that send a JWT, and read there alone.
    authorization: String,
}

/// Without the JWT, which is as good as a token.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Identity");
        shown.field("client", &self.client()).field("scope", &self.scope()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Returns the client of the token, or `None` on a public route.
    pub(crate) fn client(&self) -> Option<&str> {
        self.known.then_some(&*self.client)
    }

    /// Returns the scopes of the token, or `None` if it has none.
    pub(crate) fn scope(&self) -> Option<&str> {
        (self.known && !self.scope.is_empty()).then_some(&*self.scope)
    }

    /// Returns `Bearer` and the JWT for the upstream, on a route that sends one.
    pub(crate) fn authorization(&self) -> &str {
        &self.authorization
    }

    /// Sets the JWT for the upstream, with `Bearer` before it.
    pub(crate) fn set_authorization(&mut self, authorization: &str) {
        self.authorization.clear();
        self.authorization.push_str(authorization);
    }

    /// Forgets the client, for a public route.
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

impl Lease {
    /// Makes the lease of a request to a route that needs no token.
    pub(crate) fn public() -> Self {
        Self { token: None }
    }

    /// Decides like [`decide`](super::decide), on a record that stays in the store. It also writes the client
    /// of the token into `identity`, for a refusal too.
    ///
    /// # Errors
    /// Those of [`decide`](super::decide).
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

    /// Makes the lease of a permit, and writes its client into `identity`.
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

    /// Returns the digest of the token, or `None` on a public route.
    pub(crate) fn digest(&self) -> Option<&TokenDigest> {
        self.token.as_ref().map(|token| &token.digest)
    }

    /// Returns the remaining lifetime of the token at `now`, or `None` on a public route.
    pub(crate) fn time_left(&self, now: Millis) -> Option<Duration> {
        self.token.as_ref().map(|token| token.expires.since(now))
    }

    /// Returns whether the token is bound to a key of the client.
    pub(crate) fn is_bound_to_key(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.bound_to_key)
    }
}

/// Makes the lease of a request that an enforced route refuses, for a route in shadow mode. It needs the
/// refusal, and it has no token: no credentials of the upstream go with it.
pub(crate) fn shadow(_refused: &Denial) -> Lease {
    Lease { token: None }
}
