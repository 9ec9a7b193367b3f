//! The grants of a client's live tokens.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::oauth::client::ClientState;
use crate::oauth::grant::{Grant, Terms};

/// From this many grants on, unused ones are removed before the map grows.
const GRANTS_BEFORE_CLEANING: usize = 64;

/// The grants of live tokens, so that tokens on the same terms share one.
#[derive(Default)]
pub(crate) struct Grants {
    by_terms: HashMap<(Terms, u32), Weak<Grant>>,
    /// Grants whose lifetime was shortened, which new tokens do not share.
    shortened: Vec<Weak<Grant>>,
}

impl Grants {
    /// Returns the shared grant on these terms in this epoch.
    pub(super) fn on(&mut self, client: &Arc<ClientState>, terms: Terms, epoch: u32) -> Arc<Grant> {
        let key = (terms, epoch);
        if let Some(grant) = self.by_terms.get(&key).and_then(Weak::upgrade) {
            return grant;
        }
        // Cleaning only when the map would have to grow makes the cost of a pass amortized.
        if self.by_terms.len() >= GRANTS_BEFORE_CLEANING && self.by_terms.len() == self.by_terms.capacity() {
            self.by_terms.retain(|_, grant| grant.strong_count() > 0);
        }
        let grant = Arc::new(Grant::new(Arc::clone(client), epoch, key.0.clone()));
        self.by_terms.insert(key, Arc::downgrade(&grant));
        grant
    }

    /// Ends the grants on terms that are not allowed any more, and shortens those that live longer than `longest`.
    pub(super) fn restrict(&mut self, allowed: impl Fn(&Terms) -> bool, longest: Duration) {
        let Self { by_terms, shortened } = self;
        shortened.retain(|grant| {
            let Some(grant) = grant.upgrade() else { return false };
            grant.shorten(longest);
            allowed(grant.terms()) || grant.end()
        });
        by_terms.retain(|(terms, _), weak| {
            let Some(grant) = weak.upgrade() else { return false };
            if !allowed(terms) {
                return grant.end();
            }
            if terms.lifetime > longest {
                grant.shorten(longest);
                shortened.push(Weak::clone(weak));
                return false;
            }
            true
        });
    }
}
