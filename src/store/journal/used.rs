//! The used names, each stored as long as it must be remembered.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::store::token_store::{StoreError, Use};
use crate::store::used_name::UsedName;

/// The most names. A name takes about 100 bytes.
const MOST: usize = 262_144;
/// The maximum number of names that one call removes. It is larger than the number that a call can add.
const SWEEP: usize = 4;

#[derive(Default)]
pub(super) struct UsedNames {
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    until: HashMap<UsedName, i64>,
    by_end: BinaryHeap<Reverse<(i64, UsedName)>>,
}

impl UsedNames {
    /// Remembers a name until `until`, if it is new at `now`. Both are milliseconds since the start of the
    /// machine.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there is no room to remember it.
    pub(super) fn use_once(&self, name: UsedName, until: i64, now: i64) -> Result<Use, StoreError> {
        // A thread that panicked with the lock held left at worst a name that is forgotten late.
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.sweep(now);
        if names.until.contains_key(&name) {
            return Ok(Use::Again);
        }
        if names.until.len() >= MOST {
            return Err(StoreError::Full);
        }
        names.until.insert(name, until);
        names.by_end.push(Reverse((until, name)));
        Ok(Use::First)
    }
}

impl Names {
    fn sweep(&mut self, now: i64) {
        for _ in 0..SWEEP {
            match self.by_end.peek() {
                Some(Reverse((until, _))) if *until <= now => {}
                _ => return,
            }
            if let Some(Reverse((_, name))) = self.by_end.pop() {
                self.until.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_used_once_until_its_time_is_over() {
        let used = UsedNames::default();
        let name = UsedName::of_assertion("a", "1");
        assert_eq!(used.use_once(name, 100, 0), Ok(Use::First));
        assert_eq!(used.use_once(name, 200, 99), Ok(Use::Again));
        assert_eq!(used.use_once(name, 200, 100), Ok(Use::First), "forgotten");
    }
}
