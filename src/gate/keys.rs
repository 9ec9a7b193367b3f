//! Public keys of clients that sign their assertions: known from the start, or fetched from a URL.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwapOption, Guard};

use super::Gate;
use super::settings::Settings;
use crate::oauth::jose::Jwks;

/// Where a client's public keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySource {
    /// They are known.
    Inline(Jwks),
    /// From this URL (`jwks_uri`). The gate itself fetches nothing: [`Gate::remote_keys`] is for who does.
    Uri(String),
}

/// The keys at a URL, as they were when they were last fetched. Outlives reloads that keep the URL.
pub struct RemoteKeys {
    uri: String,
    /// The last good copy: an outage of the server that has them locks nobody out.
    fetched: ArcSwapOption<Jwks>,
    wanted: AtomicBool,
}

impl RemoteKeys {
    fn new(uri: String) -> Self {
        Self { uri, fetched: ArcSwapOption::empty(), wanted: AtomicBool::new(false) }
    }

    /// Where they are.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Takes a newly fetched set for the requests from now on.
    pub fn replace(&self, keys: Jwks) {
        self.fetched.store(Some(Arc::new(keys)));
    }

    /// Whether there is a set at all.
    #[must_use]
    pub fn is_fetched(&self) -> bool {
        self.fetched.load().is_some()
    }

    /// Whether a signature came that no known key explains, since this was last asked.
    pub fn take_wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::AcqRel)
    }

    /// Whether one came, without taking note of it.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// Key sets by their URLs, while settings are made: those of the settings before, and new ones.
pub(super) struct Pool(HashMap<String, Arc<RemoteKeys>>);

impl Pool {
    /// With what is known from before a reload.
    pub(super) fn of(before: Option<&Settings>) -> Self {
        let known = before.into_iter().flat_map(Settings::remote_keys);
        Self(known.map(|keys| (keys.uri.clone(), Arc::clone(keys))).collect())
    }
}

/// A client's keys, ready for requests.
pub(crate) enum ClientKeys {
    Inline(Jwks),
    Remote(Arc<RemoteKeys>),
}

impl ClientKeys {
    /// Keys from `source`: one set for all that are at one URL.
    pub(super) fn new(source: KeySource, pool: &mut Pool) -> Self {
        match source {
            KeySource::Inline(keys) => Self::Inline(keys),
            KeySource::Uri(uri) => {
                let known = pool.0.entry(uri);
                let known = known.or_insert_with_key(|uri| Arc::new(RemoteKeys::new(uri.clone())));
                Self::Remote(Arc::clone(known))
            }
        }
    }

    /// Runs `check` on the keys there are; nothing where none were fetched yet.
    pub(super) fn with<T>(&self, check: impl FnOnce(&Jwks) -> T) -> Option<T> {
        match self {
            Self::Inline(keys) => Some(check(keys)),
            Self::Remote(remote) => {
                let fetched: Guard<Option<Arc<Jwks>>> = remote.fetched.load();
                fetched.as_ref().map(|keys| check(keys))
            }
        }
    }
}

impl Gate {
    /// The key sets that somebody has to fetch, each URL once. Asked again after a reload they may be others.
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

    /// Waits until there is reason to look at [`Gate::remote_keys`] again: a reload, or a set that is wanted.
    pub fn keys_called_for(&self) -> impl Future<Output = ()> + Send + 'static {
        let call = Arc::clone(&self.inner.key_call);
        async move { call.notified().await }
    }

    /// A signature came that no known key explains: the client may have new ones.
    pub(super) fn call_for_keys(&self, keys: &ClientKeys) {
        if let ClientKeys::Remote(remote) = keys {
            remote.wanted.store(true, Ordering::Release);
            self.inner.key_call.notify_one();
        }
    }
}
