//! Public keys of clients that sign their assertions: given in the settings, or fetched from a URL.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwapOption, Guard};

use crate::oauth::jose::Jwks;

/// The source of a client's public keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySource {
    /// The keys themselves.
    Inline(Jwks),
    /// A URL that has them (`jwks_uri`). The gate itself fetches nothing; a program fetches what
    /// [`Gate::remote_keys`](crate::Gate::remote_keys) lists.
    Uri(String),
}

/// The keys at a URL, as last fetched. They outlive reloads that keep the URL.
pub struct RemoteKeys {
    uri: String,
    /// The last good copy. It stays in use while the server that has the keys is unreachable.
    fetched: ArcSwapOption<Jwks>,
    wanted: AtomicBool,
}

impl RemoteKeys {
    fn new(uri: String) -> Self {
        Self { uri, fetched: ArcSwapOption::empty(), wanted: AtomicBool::new(false) }
    }

    /// Returns the URL.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Replaces the keys for all requests from now on.
    pub fn replace(&self, keys: Jwks) {
        self.fetched.store(Some(Arc::new(keys)));
    }

    /// Returns whether the keys have been fetched at least once.
    #[must_use]
    pub fn is_fetched(&self) -> bool {
        self.fetched.load().is_some()
    }

    /// Marks the keys as wanted, because a signature by an unknown key has arrived.
    pub(super) fn mark_wanted(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    /// Returns whether a signature by an unknown key has arrived since the last call, and resets that.
    pub fn take_wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::AcqRel)
    }

    /// Returns whether a signature by an unknown key has arrived, without resetting that.
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

/// Key sets by their URLs, while settings are compiled: those of the settings before, and new ones.
pub(super) struct KeyPool(HashMap<String, Arc<RemoteKeys>>);

impl KeyPool {
    /// Makes a pool that begins with the key sets known before a reload.
    pub(super) fn new<'a>(known: impl Iterator<Item = &'a Arc<RemoteKeys>>) -> Self {
        Self(known.map(|keys| (keys.uri.clone(), Arc::clone(keys))).collect())
    }
}

/// A client's keys, compiled for requests.
pub(crate) enum ClientKeys {
    Inline(Jwks),
    Remote(Arc<RemoteKeys>),
}

impl ClientKeys {
    /// Compiles the keys of `source`. All clients that name one URL share one set.
    pub(super) fn new(source: KeySource, pool: &mut KeyPool) -> Self {
        match source {
            KeySource::Inline(keys) => Self::Inline(keys),
            KeySource::Uri(uri) => {
                let known = pool.0.entry(uri);
                let known = known.or_insert_with_key(|uri| Arc::new(RemoteKeys::new(uri.clone())));
                Self::Remote(Arc::clone(known))
            }
        }
    }

    /// Runs `check` on the keys. Returns `None` if they were not fetched yet.
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
