//! The context of picking a server: the client, and the servers that the request has already tried.

use super::server::Server;
use crate::splitmix::mix;

/// A set of an upstream's servers, by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerSet {
    first: u64,
    /// The servers from the 65th on. Empty, without an allocation, for nearly every upstream.
    rest: Vec<u64>,
}

impl ServerSet {
    /// The empty set.
    pub(crate) const fn none() -> Self {
        Self { first: 0, rest: Vec::new() }
    }

    pub(crate) fn insert(&mut self, at: usize) {
        let (word, bit) = (at / 64, 1 << (at % 64));
        match word.checked_sub(1) {
            None => self.first |= bit,
            Some(word) => {
                if self.rest.len() <= word {
                    self.rest.resize(word + 1, 0);
                }
                if let Some(bits) = self.rest.get_mut(word) {
                    *bits |= bit;
                }
            }
        }
    }

    pub(crate) fn contains(&self, at: usize) -> bool {
        let word = match (at / 64).checked_sub(1) {
            None => self.first,
            Some(word) => self.rest.get(word).copied().unwrap_or(0),
        };
        word >> (at % 64) & 1 == 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first == 0 && self.rest.iter().all(|bits| *bits == 0)
    }

    /// Returns the union of both sets.
    pub(crate) fn with(&self, others: &Self) -> Self {
        let mut both = self.clone();
        both.first |= others.first;
        both.rest.resize(self.rest.len().max(others.rest.len()), 0);
        for (bits, more) in both.rest.iter_mut().zip(&others.rest) {
            *bits |= more;
        }
        both
    }
}

/// The client of a request, and the servers that failed it.
#[derive(Debug)]
pub(crate) struct PickContext<'a> {
    pub(crate) client: Option<&'a str>,
    pub(crate) tried: ServerSet,
    /// The index of the server picked last.
    pub(crate) last: usize,
    /// The key of the server that the first attempt goes to if it is healthy.
    pub(crate) pinned: Option<u64>,
}

impl<'a> PickContext<'a> {
    /// Creates the context of a new request. `client` is `None` on a public route.
    pub(crate) fn new(client: Option<&'a str>) -> Self {
        Self { client, tried: ServerSet::none(), last: 0, pinned: None }
    }

    /// Marks the server picked last as tried, so that another one is picked next.
    pub(crate) fn failed(&mut self) {
        self.tried.insert(self.last);
    }

    #[cfg(test)]
    pub(crate) fn failed_at(at: usize) -> Self {
        let mut context = Self::new(None);
        context.tried.insert(at);
        context
    }

    pub(crate) fn tried(&self) -> &ServerSet {
        &self.tried
    }

    /// Returns a number from 0 to 1 that is fixed for this client and server.
    pub(crate) fn fixed_fraction(&self, server: &Server) -> Option<f64> {
        let hash = hash(format!("{server} {}", self.client?).as_bytes());
        Some((hash >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// FNV-1a followed by [`mix`]. Stable across processes and versions, which the hashers of the standard
/// library are not.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, fnv))
}
