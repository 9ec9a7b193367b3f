//! The random bytes of tokens.

use std::cell::RefCell;

use zeroize::Zeroize as _;

/// The random bytes of one token.
const SIZE: usize = 32;
/// The number of tokens for which a thread asks the operating system at once. A system call for each would
/// cost a thirtieth of what issuing costs. A program that uses the library may fork, and both processes would
/// go on with the same bytes, so only the gateway asks ahead.
const TOKENS: usize = if cfg!(feature = "gateway") { 8 } else { 1 };

thread_local! {
    static RESERVE: RefCell<Reserve> = const { RefCell::new(Reserve::empty()) };
}

/// Bytes of the operating system for the next tokens of a thread. Used ones are wiped, so that no token can
/// be found here once it is issued.
struct Reserve {
    bytes: [u8; SIZE * TOKENS],
    /// The number of bytes at the front that are not used yet.
    unused: usize,
}

/// Returns the random bytes of a new token.
///
/// # Errors
/// Fails if the operating system provides no randomness.
pub(super) fn token_random() -> Result<[u8; SIZE], getrandom::Error> {
    RESERVE.with_borrow_mut(Reserve::take)
}

impl Reserve {
    const fn empty() -> Self {
        Self { bytes: [0; SIZE * TOKENS], unused: 0 }
    }

    fn take(&mut self) -> Result<[u8; SIZE], getrandom::Error> {
        if self.unused == 0 {
            getrandom::fill(&mut self.bytes)?;
            self.unused = self.bytes.len();
        }
        let from = self.unused - SIZE;
        let mut taken = [0; SIZE];
        let bytes = &mut self.bytes[from..self.unused];
        taken.copy_from_slice(bytes);
        bytes.zeroize();
        self.unused = from;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_used_twice_and_used_ones_are_wiped() {
        let mut reserve = Reserve::empty();
        let mut seen = HashSet::new();
        for _ in 0..3 {
            for taken in 1..=TOKENS {
                assert!(seen.insert(reserve.take().unwrap()));
                let wiped =
                    reserve.bytes.as_chunks::<SIZE>().0.iter().filter(|bytes| **bytes == [0; SIZE]).count();
                assert_eq!(wiped, taken);
            }
        }
        assert!(!seen.contains(&[0; SIZE]));
    }
}
