//! The hashing of passwords.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::blocking::run_blocking;
use crate::gate::SecretHash;
use crate::oauth::secret::Secret;

/// The maximum number of attempts that wait. Each takes some milliseconds of processor time.
const MOST_WAITING: usize = 8;

/// Hashes passwords one at a time, separately from client secrets, so that neither waits for the other.
pub(super) struct PasswordCheck {
    hashing: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Default for PasswordCheck {
    fn default() -> Self {
        Self { hashing: Arc::new(Semaphore::new(1)), waiting: Semaphore::new(MOST_WAITING) }
    }
}

impl PasswordCheck {
    /// Returns whether a password matches a hash, or `None` if too many attempts wait.
    pub(super) async fn matches(&self, hash: SecretHash, password: Secret) -> Option<bool> {
        self.run(move || hash.verify(&password)).await
    }

    /// Runs a function that hashes a password. Returns `None` if too many attempts wait.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _waits = self.waiting.try_acquire().ok()?;
        let permit = Arc::clone(&self.hashing).acquire_owned().await.ok()?;
        // The permit is held until hashing ends: a client that disconnects does not free it for the next
        // attempt.
        let hashed = run_blocking(move || {
            let _permit = permit;
            let _ = rustix::process::nice(10);
            work()
        });
        hashed.await
    }
}
