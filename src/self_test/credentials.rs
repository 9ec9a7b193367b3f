//! Requests with tokens that do not open a route.

use super::attack::{Attack, Case, Expected, Suite};
use super::error::SelfTestError;
use super::explained::Explained;
use super::message::Field;
use super::sample::{AUTHORIZATION, Sample};
use super::tokens::{self, Tokens, Wanted};
use crate::access::explain::Credential;
use crate::config::Client;
use crate::oauth::scope::Scopes;
use crate::oauth::token::AccessToken;

/// Adds requests with tokens that were never issued or are malformed, and with a good token at the wrong place.
pub(super) fn invalid(sample: &Sample<'_>, good: Option<&str>, suite: &mut Suite) {
    let header = &*sample.token_header;
    let mut random = [0; 32];
    let _ = getrandom::fill(&mut random);
    let never_issued = AccessToken::from_random(&random).expose().to_owned();
    let mut add = |attack, what: &str, fields: &[Field]| suite.refused(attack, what, sample.message(fields));
    let invalid = Attack::InvalidToken;
    add(invalid, "a token that was never issued", &[Field::token(header, &never_issued)]);
    add(invalid, "an empty token", &[Field::token(header, "")]);
    add(invalid, "no scheme", &[Field::new(header, &*never_issued)]);
    let Some(good) = good else {
        suite.skip(Attack::TokenElsewhere, "no token passes on this route");
        return;
    };
    let cut = good.get(..good.len().saturating_sub(1)).unwrap_or_default();
    let field = Field::token(header, good);
    let other =
        if header.eq_ignore_ascii_case(AUTHORIZATION) { "Proxy-Authorization" } else { AUTHORIZATION };
    add(invalid, "a token without its last character", &[Field::token(header, cut)]);
    add(invalid, "a token with one more character", &[Field::token(header, &format!("{good}a"))]);
    add(invalid, "a token in upper case", &[Field::token(header, &good.to_ascii_uppercase())]);
    add(invalid, "a token with the scheme Basic", &[Field::new(header, format!("Basic {good}"))]);
    add(invalid, "two tokens", &[Field::token(header, &never_issued), field.clone()]);
    let list = format!("{}, Bearer {never_issued}", field.value);
    add(invalid, "a list of tokens", &[Field::new(header, list)]);
    let elsewhere = Attack::TokenElsewhere;
    add(elsewhere, "the token in a cookie", &[Field::new("Cookie", format!("access_token={good}"))]);
    add(elsewhere, "the token in another header", &[Field::token(other, good)]);
    add(elsewhere, "the token in a header with a prefix", &[Field::token(&format!("X-{header}"), good)]);
    let target = format!("{}?access_token={good}", sample.path);
    suite.refused(elsewhere, "the token in the query", sample.with_target(target.as_bytes(), &[]));
    suite.cases.push(Case {
        attack: Attack::Control,
        what: "a token that opens the route".to_owned(),
        message: sample.with_token(good),
        expected: Expected::Passes,
    });
}

/// The tokens of the tester.
pub(super) struct Held<'a> {
    pub(super) client: &'a Client,
    pub(super) tokens: &'a Tokens,
    pub(super) explained: &'a Explained<'a>,
}

impl Held<'_> {
    /// Adds requests with tokens that are valid but not accepted on this route, or no longer valid.
    pub(super) fn others(&self, sample: &Sample<'_>, suite: &mut Suite) -> Result<(), SelfTestError> {
        let Self { client, tokens, .. } = *self;
        match tokens::foreign(client, sample.route) {
            None => {
                suite.skip(Attack::ForeignScope, format!("every scope of \"{}\" opens the route", client.id))
            }
            Some(wanted) => {
                let scope = wanted.scope.clone().unwrap_or_default();
                let what = format!("a token with the scope {scope} alone");
                self.refused(sample, Attack::ForeignScope, what, &wanted, suite)?;
            }
        }
        match tokens::misdirected(client, sample.route) {
            None => suite.skip(
                Attack::OtherAudience,
                "the route needs no audience, or the client does not get through",
            ),
            Some(wanted) => {
                let what = match &wanted.audience {
                    Some(audience) => format!("a token for {audience}"),
                    None => "a token without an audience".to_owned(),
                };
                self.refused(sample, Attack::OtherAudience, what, &wanted, suite)?;
            }
        }
        if let Some(token) = &tokens.revoked {
            suite.refused(Attack::Revoked, "a revoked token", sample.with_token(token));
        }
        match &tokens.expired {
            Some(Ok(token)) => {
                suite.refused(Attack::Expired, "an expired token", sample.with_token(token));
            }
            Some(Err(reason)) => suite.skip(Attack::Expired, &**reason),
            None => {}
        }
        Ok(())
    }

    /// Adds a request with a token if `explain` says that it must not pass.
    fn refused(
        &self,
        sample: &Sample<'_>,
        attack: Attack,
        what: String,
        wanted: &Wanted,
        suite: &mut Suite,
    ) -> Result<(), SelfTestError> {
        let Some(token) = self.tokens.get(wanted) else { return Ok(()) };
        let scopes =
            Scopes::parse(wanted.scope.as_deref().unwrap_or_default()).unwrap_or_else(|_| Scopes::none());
        let audience = wanted.audience.clone();
        // `explain` gives a token of a client the audience that the route needs, unless one is named.
        let is_refused = if attack == Attack::OtherAudience && audience.is_none() {
            true
        } else {
            let credential = Credential::Client { id: self.client.id.to_string(), scopes, audience };
            let target = sample.path.as_bytes();
            self.explained.refuses(&sample.method, target, &sample.host, credential)?
        };
        if is_refused {
            suite.refused(attack, what, sample.with_token(token));
        }
        Ok(())
    }
}
