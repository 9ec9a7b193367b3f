//! Limits how often an address may try a password.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Millis;

/// The number of attempts that one address has within [`WINDOW`].
const MOST: u32 = 5;
/// How long an attempt is counted.
const WINDOW: Duration = Duration::from_secs(60);
/// The maximum number of addresses that are tracked. If it is reached, new addresses have to wait.
const MOST_ADDRESSES: usize = 4_096;

/// The attempts of the last minute, by address.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, Window>>);

struct Window {
    began: Millis,
    attempts: u32,
}

impl Attempts {
    /// Counts an attempt.
    ///
    /// # Errors
    /// If this attempt is not allowed, returns after how long the next one is.
    pub(super) fn begin(&self, address: IpAddr, now: Millis) -> Result<(), Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(&address) && all.len() >= MOST_ADDRESSES {
            all.retain(|_, window| now.since(window.began) < WINDOW);
            if all.len() >= MOST_ADDRESSES {
                return Err(WINDOW);
            }
        }
        let window = all.entry(address).or_insert(Window { began: now, attempts: 0 });
        if now.since(window.began) >= WINDOW {
            *window = Window { began: now, attempts: 0 };
        }
        if window.attempts >= MOST {
            return Err(WINDOW.saturating_sub(now.since(window.began)));
        }
        window.attempts += 1;
        Ok(())
    }

    /// Takes back a successful attempt. Those before it still count: they may have been guesses for another
    /// account.
    pub(super) fn succeeded(&self, address: IpAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = all.get_mut(&address) {
            window.attempts = window.attempts.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_five_attempts_a_minute() {
        let attempts = Attempts::default();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let second = |second: u64| Millis::new(second * 1_000);
        for at in 0..5 {
            assert!(attempts.begin(one, second(at)).is_ok());
        }
        assert_eq!(attempts.begin(one, second(10)), Err(Duration::from_secs(50)));
        assert!(attempts.begin(other, second(10)).is_ok(), "another address has its own");
        assert!(attempts.begin(one, second(60)).is_ok());
        attempts.succeeded(one);
        for at in 0..5 {
            assert!(attempts.begin(one, second(61 + at)).is_ok());
        }
        attempts.succeeded(one);
        assert!(attempts.begin(one, second(70)).is_ok());
        assert!(attempts.begin(one, second(70)).is_err(), "a good attempt gives back no others");
    }

    #[test]
    fn the_addresses_are_bounded() {
        let attempts = Attempts::default();
        for index in 0..MOST_ADDRESSES as u32 {
            assert!(attempts.begin(IpAddr::from(index.to_be_bytes()), Millis::new(0)).is_ok());
        }
        let further = IpAddr::from([255, 0, 0, 1]);
        assert_eq!(attempts.begin(further, Millis::new(1)), Err(WINDOW));
        assert!(attempts.begin(further, Millis::new(60_000)).is_ok());
        assert_eq!(attempts.0.lock().unwrap().len(), 1);
    }
}
