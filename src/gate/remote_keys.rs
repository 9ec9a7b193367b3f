//! The key sets that a program has to fetch for the gate.

use std::future::Future;
use std::sync::Arc;

use crate::gate::instance::Gate;
use crate::gate::keys::{ClientKeys, RemoteKeys};

impl Gate {
    /// Lists the key sets to fetch, each URL once. A reload may change the list.
    #[must_use]
    pub fn remote_keys(&self) -> Vec<Arc<RemoteKeys>> {
        let mut sets: Vec<Arc<RemoteKeys>> = Vec::new();
        for keys in self.settings().remote_keys() {
            if !sets.iter().any(|known| Arc::ptr_eq(known, keys)) {
                sets.push(Arc::clone(keys));
            }
        }
        sets
    }

    /// Waits until [`Gate::remote_keys`] should be read again: after a reload, or when a set is wanted.
    pub fn keys_called_for(&self) -> impl Future<Output = ()> + Send + 'static {
        let call = Arc::clone(&self.inner.key_call);
        async move { call.notified().await }
    }

    /// Asks for a client's keys to be fetched again, because a signature by an unknown key has arrived. Keys
    /// that were not fetched yet are on their way in any case.
    pub(super) fn call_for_keys(&self, keys: &ClientKeys) {
        if let ClientKeys::Remote(remote) = keys
            && remote.is_fetched()
        {
            remote.mark_wanted();
            self.inner.key_call.notify_one();
        }
    }
}
