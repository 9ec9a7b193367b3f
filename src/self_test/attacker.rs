//! Sends the requests, each with tokens that are valid when it is answered.

use super::answer::Answer;
use super::attack::Suite;
use super::error::SelfTestError;
use super::judge::{Judged, JudgedSuite};
use super::message::Message;
use super::plan::Planner;
use super::tokens::{Connection, Source, Tokens};
use crate::config::Route;
use crate::tasks::block_on;

/// How often a request is sent if a token may have expired before each response.
const ATTEMPTS: usize = 3;

/// Sends the requests of the test, one after the other.
pub(super) struct Attacker<'a> {
    planner: &'a Planner<'a>,
    connection: &'a Connection<'a>,
    source: Option<&'a Source<'a>>,
    tokens: Tokens,
    has_renewed: bool,
    foreign_refusals: bool,
}

impl<'a> Attacker<'a> {
    /// Makes the sender of requests that were planned with `tokens`. Without a source there are no tokens.
    pub(super) fn new(
        planner: &'a Planner<'a>,
        connection: &'a Connection<'a>,
        source: Option<&'a Source<'a>>,
        tokens: Tokens,
        foreign_refusals: bool,
    ) -> Self {
        Self { planner, connection, source, tokens, has_renewed: false, foreign_refusals }
    }

    /// Attacks a target as planned. The tokens are replaced before they expire.
    ///
    /// # Errors
    /// Fails if the gateway no longer accepts connections, or issues no more tokens.
    pub(super) fn attack(
        &mut self,
        target: Option<&Route>,
        planned: Suite,
    ) -> Result<JudgedSuite, SelfTestError> {
        let mut suite = if self.has_renewed { self.planner.suite(target, &self.tokens)? } else { planned };
        let mut cases = Vec::with_capacity(suite.cases.len());
        for at in 0..suite.cases.len() {
            for attempt in 1..=ATTEMPTS {
                if self.renew_old_tokens()? {
                    suite = self.planner.suite(target, &self.tokens)?;
                }
                let Some(case) = suite.cases.get(at) else { break };
                let answer = self.send(&case.message)?;
                // The refusal of a token that has expired says nothing about other tokens.
                if attempt == ATTEMPTS || !self.tokens.may_have_expired() {
                    cases.push(Judged::new(case, &answer, self.foreign_refusals));
                    break;
                }
            }
        }
        let Suite { name, line, skipped, .. } = suite;
        Ok(JudgedSuite { name, line, cases, skipped })
    }

    /// Replaces the tokens if half of their lifetime is over. Returns whether it did.
    fn renew_old_tokens(&mut self) -> Result<bool, SelfTestError> {
        let Some(source) = self.source.filter(|_| self.tokens.are_old()) else { return Ok(false) };
        source.renew(&mut self.tokens)?;
        self.has_renewed = true;
        Ok(true)
    }

    fn send(&self, message: &Message) -> Result<Answer, SelfTestError> {
        let answer = block_on(self.connection.runtime, self.connection.gateway.exchange(message));
        answer.map_err(|error| {
            SelfTestError::Failed(format!("the gateway accepts no more connections: {error}"))
        })
    }
}
