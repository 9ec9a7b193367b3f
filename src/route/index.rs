//! A map from texts to values that is built once and looks keys up in any ASCII case without a copy.

/// Open addressing over a list of entries. Keys come from the configuration only, so the hash needs no
/// defence against deliberate collisions: a request only looks a key up.
#[derive(Debug, Clone)]
pub(super) struct Index<V> {
    /// Whether ASCII case is ignored. Keys are then in lower case.
    folded: bool,
    entries: Vec<(Box<str>, V)>,
    /// Indexes of `entries`: a power of two of them, at most half in use. Empty while the list is short.
    slots: Box<[u32]>,
}

const FREE: u32 = u32::MAX;

/// Comparing this many keys is as fast as hashing one.
const SHORT: usize = 4;

impl<V> Index<V> {
    pub(super) fn new(folded: bool) -> Self {
        Self { folded, entries: Vec::new(), slots: Box::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn get(&self, key: &str) -> Option<&V> {
        self.position(key).and_then(|at| self.entries.get(at)).map(|(_, value)| value)
    }

    /// Returns the value of `key`, which `default` makes if there is none.
    pub(super) fn entry(&mut self, key: &str, default: impl FnOnce() -> V) -> &mut V {
        let at = match self.position(key) {
            Some(at) => at,
            None => {
                let key = if self.folded { key.to_ascii_lowercase() } else { key.to_owned() };
                self.entries.push((key.into_boxed_str(), default()));
                self.rehash();
                self.entries.len() - 1
            }
        };
        // `at` is the index of an entry: it was found, or just pushed.
        &mut self.entries[at].1
    }

    fn position(&self, key: &str) -> Option<usize> {
        if self.slots.is_empty() {
            return self.entries.iter().position(|(held, _)| self.same(held, key));
        }
        let mut at = self.hash(key);
        loop {
            let slot = *self.slots.get(at & (self.slots.len() - 1))?;
            // Half of the slots are free, so the search ends.
            let (held, _) = self.entries.get(usize::try_from(slot).ok()?)?;
            if self.same(held, key) {
                return usize::try_from(slot).ok();
            }
            at = at.wrapping_add(1);
        }
    }

    fn same(&self, held: &str, key: &str) -> bool {
        if self.folded { held.eq_ignore_ascii_case(key) } else { held == key }
    }

    fn rehash(&mut self) {
        if self.entries.len() <= SHORT {
            return;
        }
        let mut slots = vec![FREE; (self.entries.len() * 2).next_power_of_two()].into_boxed_slice();
        for (position, (key, _)) in self.entries.iter().enumerate() {
            let mut at = self.hash(key);
            while slots[at & (slots.len() - 1)] != FREE {
                at = at.wrapping_add(1);
            }
            slots[at & (slots.len() - 1)] = u32::try_from(position).unwrap_or(FREE);
        }
        self.slots = slots;
    }

    fn hash(&self, key: &str) -> usize {
        let fold = |bytes: [u8; 8]| {
            u64::from_le_bytes(if self.folded { bytes.map(|byte| byte.to_ascii_lowercase()) } else { bytes })
        };
        let (words, rest) = key.as_bytes().as_chunks::<8>();
        let mut hash = key.len() as u64;
        for word in words {
            hash = mix(hash, fold(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        hash = mix(hash, fold(last));
        (hash >> 32) as usize
    }
}

/// Multiplies and folds: every bit of the word reaches the upper half, which is the part that is used.
fn mix(hash: u64, word: u64) -> u64 {
    let wide = u128::from(hash ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93_u128;
    (wide >> 64) as u64 ^ wide as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_put_in_and_nothing_else() {
        for folded in [false, true] {
            let mut index = Index::new(folded);
            for number in 0..1000 {
                *index.entry(&format!("/Service-{number}/orders"), || 0) = number;
                assert_eq!(index.get("/Service-0/orders"), Some(&0));
            }
            for number in 0..1000 {
                assert_eq!(index.get(&format!("/Service-{number}/orders")), Some(&number));
                let other_case = index.get(&format!("/sERVICE-{number}/ORDERS")).copied();
                assert_eq!(other_case, folded.then_some(number));
                assert_eq!(index.get(&format!("/Service-{number}/order")), None);
            }
            assert_eq!(index.get(""), None);
            assert_eq!(index.entries.len(), 1000);
        }
    }
}
