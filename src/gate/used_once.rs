//! Client assertions and DPoP proofs, which may be used once, and the start of their memory.

use std::time::Duration;

use crate::clock::{Clock, Millis};
use crate::oauth::replay::{Capacity, Replay, ReplayMemory, UsedJti};

/// The time for which a name is remembered after it has expired. If the wall clock is set back by less, a
/// name does not become valid again after it was forgotten.
const MARGIN: Duration = Duration::from_secs(30);

/// The names that were used since the gate was made.
///
/// The memory does not outlive the process. What may have been used before is recognized by its date instead:
/// see [`UsedOnce::earliest`].
pub(super) struct UsedOnce {
    memory: ReplayMemory,
    began: Millis,
}

impl UsedOnce {
    /// Makes an empty memory that begins now.
    ///
    /// # Errors
    /// The operating system's, if it provides no randomness.
    pub(super) fn new(capacity: Capacity, clock: &dyn Clock) -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self { memory: ReplayMemory::new(capacity, seed), began: clock.now() })
    }

    /// Returns the earliest `iat` that is accepted, in whole Unix seconds: when the memory began. An
    /// assertion or a proof from before may have been used then.
    ///
    /// The wall clock at that moment is computed from the present one. So a machine that starts with a wrong
    /// date does not refuse everything from the moment on at which the date is corrected.
    ///
    /// An `iat` has whole seconds, so one of the second in which the memory began may be from before. It is
    /// accepted only if the store remembers what was used before (`is_remembered`).
    pub(super) fn earliest(&self, clock: &dyn Clock, is_remembered: bool) -> u64 {
        let began = clock.unix_time().saturating_sub(clock.now().since(self.began));
        began.as_secs() + u64::from(began.subsec_nanos() > 0 && !is_remembered)
    }

    /// Remembers a name as used. `valid_until` is the wall-clock time from which on the assertion or proof is
    /// refused for its date, in Unix milliseconds. `clients` is the number of clients that share the memory.
    ///
    /// # Errors
    /// A [`Replay`] if the name was used before, or if there is no room to remember it.
    pub(super) fn use_up(
        &self,
        name: UsedJti<'_>,
        valid_until: u64,
        clients: usize,
        clock: &dyn Clock,
    ) -> Result<(), Replay> {
        if Duration::from_millis(valid_until) <= clock.unix_time() {
            return Err(Replay::Expired);
        }
        let now = clock.now();
        self.memory.check_and_remember(name, now.after(time_to_keep(valid_until, clock)), now, clients)
    }
}

/// Returns how long a name is remembered that is valid until this wall-clock time, in Unix milliseconds.
pub(super) fn time_to_keep(valid_until: u64, clock: &dyn Clock) -> Duration {
    Duration::from_millis(valid_until).saturating_sub(clock.unix_time()) + MARGIN
}
