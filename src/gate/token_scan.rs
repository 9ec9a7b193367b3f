//! The tokens of a client, for operators.

use std::time::Duration;

use crate::clock::Millis;
use crate::gate::instance::Gate;
use crate::oauth::grant::{Confirmation, Record};
use crate::oauth::scope::Scopes;
use crate::sorting::sort_by_key;

/// The properties of a stored token. The token itself is known only to its client.
#[derive(Debug, Clone)]
pub(crate) struct TokenInfo {
    /// When it was issued, since 1970.
    pub(crate) issued: Duration,
    /// When it ends, since 1970.
    pub(crate) expires: Duration,
    pub(crate) scopes: Scopes,
    pub(crate) audience: Option<String>,
    pub(crate) bound_to_key: bool,
    pub(crate) bound_to_certificate: bool,
}

impl Gate {
    /// Returns how many tokens of a client are valid, or `None` if the client is not known.
    pub(crate) fn live_tokens_of(&self, client_id: &str) -> Option<u64> {
        self.settings().clients.get(client_id).map(|client| client.state.live_tokens())
    }

    /// Returns at most `at_most` valid tokens of a client, and whether the list is complete. At most
    /// `looked_at` tokens of the store are examined.
    pub(crate) fn tokens_of(
        &self,
        client_id: &str,
        looked_at: usize,
        at_most: usize,
    ) -> (Vec<TokenInfo>, bool) {
        let clock = self.clock();
        let (now, unix_now) = (clock.now(), clock.unix_time());
        let (mut tokens, mut left_out) = (Vec::new(), false);
        let all = self.inner.store.scan(looked_at, &mut |record| {
            if record.grant().client().id().as_str() != client_id || !record.is_live(now) {
                return;
            }
            if tokens.len() < at_most {
                tokens.push(info(record, now, unix_now));
            } else {
                left_out = true;
            }
        });
        sort_by_key(&mut tokens, |token| std::cmp::Reverse(token.issued));
        (tokens, all && !left_out)
    }
}

fn info(record: &Record, now: Millis, unix_now: Duration) -> TokenInfo {
    let terms = record.grant().terms();
    let confirmation = terms.confirmation.as_ref();
    TokenInfo {
        issued: unix_now.saturating_sub(now.since(record.issued())),
        expires: unix_now.saturating_add(record.expires().since(now)),
        scopes: terms.scopes.clone(),
        audience: terms.audience.as_deref().map(str::to_owned),
        bound_to_key: confirmation.and_then(Confirmation::key).is_some(),
        bound_to_certificate: confirmation.and_then(Confirmation::certificate).is_some(),
    }
}
