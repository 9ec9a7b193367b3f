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
    /// The shared grant that was used last. Most clients get all their tokens on the same terms.
    last: Weak<Grant>,
    /// Grants that new tokens do not share: their lifetime was shortened, their registration is another one,
    /// or another grant on the same terms was there first.
    unshared: Vec<Weak<Grant>>,
}

impl Grants {
    /// Returns the shared grant on these terms in this epoch, under this registration.
    pub(super) fn on(
        &mut self,
        client: &Arc<ClientState>,
        terms: Terms,
        epoch: u32,
        registration: &Arc<[u8]>,
    ) -> Arc<Grant> {
        let is_same = |last: &Arc<Grant>| {
            last.epoch() == epoch && *last.terms() == terms && last.registration() == Some(registration)
        };
        if let Some(last) = self.last.upgrade().filter(is_same) {
            return last;
        }
        let grant = self.find_or_make(client, terms, epoch, registration);
        self.last = Arc::downgrade(&grant);
        grant
    }

    fn find_or_make(
        &mut self,
        client: &Arc<ClientState>,
        terms: Terms,
        epoch: u32,
        registration: &Arc<[u8]>,
    ) -> Arc<Grant> {
        let key = (terms, epoch);
        if let Some(grant) = self.by_terms.get(&key).and_then(Weak::upgrade) {
            if grant.registration() == Some(registration) {
                return grant;
            }
            // The client has got another key meanwhile. Tokens from before stay as they are.
            self.unshared.push(Arc::downgrade(&grant));
        }
        // Cleaning only when the map would have to grow makes the cost of a pass amortized.
        if self.by_terms.len() >= GRANTS_BEFORE_CLEANING && self.by_terms.len() == self.by_terms.capacity() {
            self.by_terms.retain(|_, grant| grant.strong_count() > 0);
        }
        let grant = Grant::new(Arc::clone(client), epoch, key.0.clone());
        let grant = Arc::new(grant.under(Some(Arc::clone(registration))));
        self.by_terms.insert(key, Arc::downgrade(&grant));
        grant
    }

    /// Adds a grant of tokens from before a restart or from another process. New tokens on the same terms
    /// share it, if there is no other such grant.
    pub(super) fn adopt(&mut self, grant: &Arc<Grant>) {
        let is_it = |known: &Weak<Grant>| std::ptr::eq(known.as_ptr(), Arc::as_ptr(grant));
        if self.unshared.iter().any(is_it) {
            return;
        }
        let key = (grant.terms().clone(), grant.epoch());
        match self.by_terms.get(&key).filter(|known| known.strong_count() > 0) {
            Some(known) if is_it(known) => {}
            Some(_) => self.unshared.push(Arc::downgrade(grant)),
            None => drop(self.by_terms.insert(key, Arc::downgrade(grant))),
        }
    }

    /// Ends the grants of tokens that were issued under a registration that is not accepted any more.
    #[cfg(feature = "gateway")]
    pub(super) fn end_unless(&mut self, accepts: impl Fn(&[u8]) -> bool) {
        self.last = Weak::new();
        let stays = |grant: &Weak<Grant>| {
            grant.upgrade().is_some_and(|grant| {
                grant.registration().is_some_and(|carried| accepts(carried)) || grant.end()
            })
        };
        self.unshared.retain(stays);
        self.by_terms.retain(|_, grant| stays(grant));
    }

    /// Ends the grants on terms that are not allowed any more, and shortens those that live longer than
    /// `longest`. Returns those that have become shorter or have ended.
    pub(super) fn restrict(
        &mut self,
        allowed: impl Fn(&Terms) -> bool,
        longest: Duration,
    ) -> Vec<Arc<Grant>> {
        let Self { by_terms, last, unshared } = self;
        *last = Weak::new();
        let mut restricted = Vec::new();
        unshared.retain(|grant| {
            let Some(grant) = grant.upgrade() else { return false };
            let shorter = grant.shorten(longest);
            let stays = allowed(grant.terms()) || grant.end();
            if shorter || !stays {
                restricted.push(grant);
            }
            stays
        });
        by_terms.retain(|(terms, _), weak| {
            let Some(grant) = weak.upgrade() else { return false };
            if !allowed(terms) {
                grant.end();
            } else if grant.shorten(longest) {
                unshared.push(Weak::clone(weak));
            } else {
                return true;
            }
            restricted.push(grant);
            false
        });
        restricted
    }
}
