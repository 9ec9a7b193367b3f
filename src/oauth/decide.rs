//! The decision: a token's record and what the route asks, to a permit or a denial.

use std::time::Duration;

use http::HeaderValue;

use super::denial::Denial;
use super::grant::{Grant, Record};
use super::scope::{Requirement, Scopes};
use super::token::TokenDigest;
use crate::clock::Millis;

/// Leave for one request to go upstream. Only [`decide`] and [`public`] make one.
#[derive(Debug, Clone)]
pub struct Permit(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Public,
    Token { record: Record, digest: TokenDigest },
}

/// Leave to pass on a route whose configuration says in words that it needs no token.
#[must_use]
pub fn public() -> Permit {
    Permit(Kind::Public)
}

/// Decides on a token that was found, or not found, in the store.
///
/// # Errors
/// `invalid_token` where there is no live record (RFC 6750 §3.1), `insufficient_scope` where its scopes do not
/// meet the requirement.
pub fn decide(
    record: Option<Record>,
    digest: TokenDigest,
    requirement: &Requirement,
    now: Millis,
) -> Result<Permit, Denial> {
    let record = record.filter(|record| record.is_live(now)).ok_or(Denial::InvalidToken)?;
    if requirement.is_met_by(&record.grant().terms().scopes) {
        Ok(Permit(Kind::Token { record, digest }))
    } else {
        Err(Denial::InsufficientScope(requirement.scopes().cloned().unwrap_or_default()))
    }
}

impl Permit {
    fn grant(&self) -> Option<&Grant> {
        match &self.0 {
            Kind::Public => None,
            Kind::Token { record, .. } => Some(record.grant()),
        }
    }

    /// The client whose token it was; none on a public route.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.grant().map(|grant| grant.client().id().as_str())
    }

    /// The token's scopes; none on a public route.
    #[must_use]
    pub fn scopes(&self) -> Option<&Scopes> {
        self.grant().map(|grant| &grant.terms().scopes)
    }

    /// The client id as a header value, made once a client.
    #[must_use]
    pub fn client_header(&self) -> Option<&HeaderValue> {
        self.grant().map(|grant| grant.client().header())
    }

    /// The scopes as a header value, made once a grant.
    #[must_use]
    pub fn scope_header(&self) -> Option<&HeaderValue> {
        self.grant()?.scope_header()
    }

    /// The resource the token is for (RFC 8707).
    #[must_use]
    pub fn audience(&self) -> Option<&str> {
        self.grant()?.terms().audience.as_deref()
    }

    /// How long the token has to live at `now`; no end on a public route.
    #[must_use]
    pub fn time_left(&self, now: Millis) -> Option<Duration> {
        match &self.0 {
            Kind::Public => None,
            Kind::Token { record, .. } => Some(record.expires().since(now)),
        }
    }

    /// The digest of the token, to ask again whether it is still good; none on a public route.
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
    use crate::oauth::grant::Terms;
    use crate::oauth::token::AccessToken;

    fn record(scopes: &str) -> (Arc<ClientState>, Record) {
        let client = ClientState::new(ClientId::new("server").unwrap());
        let terms = Terms {
            scopes: Scopes::parse(scopes).unwrap(),
            lifetime: Duration::from_secs(299),
            audience: None,
            confirmation: None,
        };
        let grant = Arc::new(Grant::new(Arc::clone(&client), client.epoch(), terms));
        (client, Record::new(grant, Millis::new(1_000)))
    }

    fn verdict(record: Option<Record>, needed: Requirement, now: u64) -> Result<Permit, Denial> {
        decide(record, AccessToken::from_random(&[0; 32]).digest(), &needed, Millis::new(now))
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
    fn scopes_decide_and_the_permit_tells_who() {
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
        assert_eq!(public().client_id(), None);
    }
}
