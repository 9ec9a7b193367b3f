//! The numbers of grants in the file.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::oauth::grant::Grant;
use crate::store::journal::batch::GrantRow;
use crate::store::stored::StoredGrant;

/// From this many grants on, unused ones are removed before the map grows.
const BEFORE_CLEANING: usize = 1024;

/// The grants that have a number, by their address. The weak reference keeps the address from being used again.
pub(super) struct GrantIds {
    known: HashMap<usize, Numbered>,
    next: u64,
}

struct Numbered {
    grant: Weak<Grant>,
    id: u64,
    /// Until when the file keeps the grant.
    until: i64,
}

impl GrantIds {
    pub(super) fn starting_at(next: u64) -> Self {
        Self { known: HashMap::new(), next }
    }

    /// Returns the number of a grant, and its row if the file has none that lasts until `expires`.
    pub(super) fn number(&mut self, grant: &Arc<Grant>, expires: i64) -> (u64, Option<GrantRow>) {
        let address = Arc::as_ptr(grant).addr();
        if let Some(known) = self.known.get(&address).filter(|known| expires <= known.until) {
            return (known.id, None);
        }
        let id = self.known.get(&address).map_or(self.next, |known| known.id);
        self.next = self.next.max(id + 1);
        if self.known.len() >= BEFORE_CLEANING && self.known.len() == self.known.capacity() {
            self.known.retain(|_, known| known.grant.strong_count() > 0);
        }
        // A lifetime further than needed, so that one row serves the tokens of a whole lifetime.
        let lifetime = i64::try_from(grant.terms().lifetime.as_millis()).unwrap_or(i64::MAX);
        let until = expires.saturating_add(lifetime);
        self.known.insert(address, Numbered { grant: Arc::downgrade(grant), id, until });
        (id, Some(GrantRow { id, until, bytes: StoredGrant::of(grant).to_bytes() }))
    }
}
