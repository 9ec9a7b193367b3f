//! The numbers of grants in the file.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::oauth::grant::Grant;
use crate::store::journal::batch::GrantRow;
use crate::store::stored::StoredGrant;

/// The number of grants from which unused ones are removed before the map grows.
const BEFORE_CLEANING: usize = 1024;

/// The grants that have a number, by their address. The weak reference keeps the address from being used
/// again.
#[derive(Debug, Default)]
pub(super) struct GrantIds {
    known: HashMap<usize, Numbered>,
    next: u64,
}

#[derive(Debug)]
struct Numbered {
    grant: Weak<Grant>,
    id: u64,
    /// The time until which the file stores the grant.
    until: i64,
    /// The numbers that an equal grant had before a restart, each with the time until which the file stores
    /// it.
    earlier: Vec<(u64, i64)>,
}

impl GrantIds {
    /// Records that the file has a grant with this number.
    pub(super) fn skip(&mut self, id: u64) {
        self.next = self.next.max(id.saturating_add(1));
    }

    /// Reserves the next `count` numbers for another process.
    pub(super) fn leave(&mut self, count: u64) {
        self.next = self.next.saturating_add(count);
    }

    /// Adds a grant that was found in the file.
    pub(super) fn keep(&mut self, grant: &Arc<Grant>, id: u64, until: i64) {
        let new = Numbered { grant: Arc::downgrade(grant), id, until, earlier: Vec::new() };
        let before = self.known.insert(Arc::as_ptr(grant).addr(), new);
        if let (Some(Numbered { id, until, mut earlier, .. }), Some(new)) =
            (before, self.known.get_mut(&Arc::as_ptr(grant).addr()))
        {
            earlier.push((id, until));
            new.earlier = earlier;
        }
    }

    /// Lists the grants that are in use.
    pub(super) fn grants(&self) -> Vec<Arc<Grant>> {
        self.known.values().filter_map(|known| known.grant.upgrade()).collect()
    }

    /// Lists the numbers of a grant, each with the time until which the file stores it.
    pub(super) fn rows(&self, grant: &Arc<Grant>) -> impl Iterator<Item = (u64, i64)> {
        let known = self.known.get(&Arc::as_ptr(grant).addr());
        known.into_iter().flat_map(|known| known.earlier.iter().copied().chain([(known.id, known.until)]))
    }

    /// Returns the number of a grant, and its row if the file has none that lasts until `expires`.
    pub(super) fn number(&mut self, grant: &Arc<Grant>, expires: i64) -> (u64, Option<GrantRow>) {
        let address = Arc::as_ptr(grant).addr();
        if let Some(known) = self.known.get(&address).filter(|known| expires <= known.until) {
            return (known.id, None);
        }
        let (id, earlier) = match self.known.remove(&address) {
            Some(known) => (known.id, known.earlier),
            None => (self.next, Vec::new()),
        };
        self.skip(id);
        if self.known.len() >= BEFORE_CLEANING && self.known.len() == self.known.capacity() {
            self.known.retain(|_, known| known.grant.strong_count() > 0);
        }
        // The row outlives this token, so that one row serves all tokens that are issued within a lifetime.
        let lifetime = i64::try_from(grant.terms().lifetime.as_millis()).unwrap_or(i64::MAX);
        let until = expires.saturating_add(lifetime);
        self.known.insert(address, Numbered { grant: Arc::downgrade(grant), id, until, earlier });
        // A grant that has ended in the meantime is not written again. Its token is then not found after a
        // restart.
        let bytes = grant.is_current().then(|| StoredGrant::of(grant).to_bytes());
        (id, bytes.map(|bytes| GrantRow { id, until, bytes }))
    }
}
