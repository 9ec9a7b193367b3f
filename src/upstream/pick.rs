//! What a server is picked for: the client, and the servers that a request has tried already.

use super::server::Server;

/// Some of an upstream's servers, by their places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerSet {
    first: u64,
    /// Of the 65th server on; empty, and without memory, for nearly every upstream.
    rest: Vec<u64>,
}

impl ServerSet {
    /// None of them.
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

    /// These and those.
    pub(crate) fn with(&self, others: &Self) -> Self {
        let mut both = self.clone();
        both.first |= others.first;
        both.rest.resize(self.rest.len().max(others.rest.len()), 0);
        for (mine, theirs) in both.rest.iter_mut().zip(&others.rest) {
            *mine |= theirs;
        }
        both
    }
}

/// Who asks, and which servers were asked in vain.
#[derive(Debug)]
pub(crate) struct PickContext<'a> {
    pub(crate) client: Option<&'a str>,
    pub(crate) tried: ServerSet,
    /// The server last picked.
    pub(crate) last: usize,
}

impl<'a> PickContext<'a> {
    /// A request of this client, if it is one's.
    pub(crate) fn new(client: Option<&'a str>) -> Self {
        Self { client, tried: ServerSet::none(), last: 0 }
    }

    /// The server last picked failed: another is to be picked.
    pub(crate) fn failed(&mut self) {
        self.tried.insert(self.last);
    }

    /// A request that the server at this place has failed.
    #[cfg(test)]
    pub(crate) fn failed_at(at: usize) -> Self {
        let mut context = Self::new(None);
        context.tried.insert(at);
        context
    }

    /// Those that failed.
    pub(crate) fn tried(&self) -> &ServerSet {
        &self.tried
    }

    /// A number from 0 to 1 that is the client's own with this server.
    pub(crate) fn lot(&self, server: &Server) -> Option<f64> {
        let lot = hash(format!("{server} {}", self.client?).as_bytes());
        Some((lot >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// FNV-1a, mixed: the same in every process and version, which the standard library's hashers do not promise.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, fnv))
}

/// The finaliser of splitmix64: every bit of the input changes half of the output.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
