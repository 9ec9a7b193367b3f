//! Verifying secrets on threads of their own: as many as cores, a short queue, and then no.
//!
//! One argon2id hash takes a core for tens of milliseconds and 19 MiB by default, so hashing is where an
//! attacker would spend our time. The threads run at the lowest priority: a flood of wrong secrets gets what
//! traffic leaves over. A job belongs to the queue, not to the request that asked: a client that hangs up
//! frees no slot while its hash still runs.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::oneshot;

use crate::oauth::secret::Secret;

/// The dearest hash accepted from a configuration: more would let one request hold a gigabyte.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 64;

/// A client secret as it is kept: argon2id, salted, as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash {
    phc: PasswordHash,
    params: Params,
    version: Version,
}

/// Why a string is no hash of a secret. Says nothing of the string itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretHashError {
    /// Not a PHC string at all; perhaps a secret in plain text.
    NotPhc,
    /// Another algorithm than argon2id.
    NotArgon2id,
    /// Parameters out of range: m at most 1,048,576 KiB, t at most 64.
    Parameters,
    /// No salt or no hash in it.
    Incomplete,
}

impl fmt::Display for SecretHashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPhc => "not a PHC string ($argon2id$v=19$m=…,t=…,p=…$salt$hash)",
            Self::NotArgon2id => "a hash of another algorithm; only argon2id is accepted",
            Self::Parameters => "argon2id parameters out of range (m up to 1048576 KiB, t up to 64)",
            Self::Incomplete => "a PHC string without salt or hash",
        })
    }
}

impl std::error::Error for SecretHashError {}

impl SecretHash {
    /// Reads a PHC string.
    ///
    /// # Errors
    /// See [`SecretHashError`].
    pub fn parse(text: &str) -> Result<Self, SecretHashError> {
        let phc = PasswordHash::new(text).map_err(|_| SecretHashError::NotPhc)?;
        if phc.algorithm.as_str() != Algorithm::Argon2id.as_ref() {
            return Err(SecretHashError::NotArgon2id);
        }
        if phc.salt.is_none() || phc.hash.is_none() {
            return Err(SecretHashError::Incomplete);
        }
        let version = match phc.version {
            None => Version::V0x13,
            Some(number) => Version::try_from(number).map_err(|_| SecretHashError::Parameters)?,
        };
        let params = Params::try_from(&phc).map_err(|_| SecretHashError::Parameters)?;
        if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES {
            return Err(SecretHashError::Parameters);
        }
        Ok(Self { phc, params, version })
    }

    /// Hashes a new secret with the recommended parameters (19 MiB, two passes) and this salt.
    ///
    /// # Errors
    /// [`SecretHashError::Parameters`] where the system has no memory for it.
    pub fn of(secret: &Secret, salt: &[u8; 16]) -> Result<Self, SecretHashError> {
        use argon2::PasswordHasher as _;
        let phc = Argon2::default()
            .hash_password_with_salt(secret.expose().as_bytes(), salt)
            .map_err(|_| SecretHashError::Parameters)?;
        Self::parse(&phc.to_string())
    }

    /// The PHC string.
    #[must_use]
    pub fn to_phc(&self) -> String {
        self.phc.to_string()
    }

    /// A hash that no secret has, which costs as much to try as `self`: for clients that do not exist.
    #[must_use]
    pub(crate) fn decoy(&self) -> Self {
        let mut decoy = self.clone();
        let length = decoy.phc.hash.as_ref().map_or(32, |hash| hash.as_ref().len());
        decoy.phc.hash = Output::new(&vec![0; length]).ok().or(decoy.phc.hash);
        decoy
    }

    /// A measure of the work a try takes.
    pub(crate) fn cost(&self) -> u64 {
        u64::from(self.params.m_cost()) * u64::from(self.params.t_cost())
    }

    fn matches(&self, secret: &Secret, memory: &mut Vec<Block>) -> bool {
        let (Some(salt), Some(expected)) = (&self.phc.salt, &self.phc.hash) else { return false };
        let blocks = self.params.block_count();
        if memory.len() < blocks {
            memory.resize(blocks, Block::default());
        }
        let mut computed = [0; Output::MAX_LENGTH];
        let Some(computed) = computed.get_mut(..expected.as_ref().len()) else { return false };
        let argon2 = Argon2::new(Algorithm::Argon2id, self.version, self.params.clone());
        let memory = memory.get_mut(..blocks).unwrap_or_default();
        let hashed =
            argon2.hash_password_into_with_memory(secret.expose().as_bytes(), salt, computed, memory);
        // `Output` compares in constant time.
        hashed.is_ok() && Output::new(computed).is_ok_and(|computed| computed == *expected)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(redacted)")
    }
}

/// All slots are busy and the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// The threads. They end when the pool is dropped.
pub(crate) struct HashingPool {
    queue: SyncSender<Job>,
}

struct Job {
    secret: Secret,
    hashes: Vec<SecretHash>,
    reply: oneshot::Sender<Option<usize>>,
}

impl HashingPool {
    /// Starts `threads` threads behind a queue of `queue` waiting jobs.
    ///
    /// # Errors
    /// Where the system starts no thread.
    pub(crate) fn start(threads: usize, queue: usize) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads.max(1) {
            let receiver = Arc::clone(&receiver);
            std::thread::Builder::new()
                .name(format!("tollgate-hash-{number}"))
                .spawn(move || work(&receiver))?;
        }
        Ok(Self { queue: sender })
    }

    /// Which of `hashes` the secret has, tried in order.
    pub(crate) async fn verify(
        &self,
        secret: Secret,
        hashes: Vec<SecretHash>,
    ) -> Result<Option<usize>, Busy> {
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(Job { secret, hashes, reply }) {
            Ok(()) => answer.await.map_err(|_| Busy),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Busy),
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    // On Linux a nice value belongs to the thread. Without the right to be nicer, hashing is merely not nice.
    let _ = rustix::process::nice(19);
    // The memory is kept from hash to hash: giving 19 MiB back each time would have every other thread
    // pay for the page tables.
    let mut memory = Vec::new();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { secret, hashes, reply }) = job else { return };
        let found = hashes.iter().position(|hash| hash.matches(&secret, &mut memory));
        // Nobody waits any more: the client hung up. The work is done all the same.
        let _ = reply.send(found);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::future::Future as _;
    use std::task::Poll;

    use super::*;

    /// A hash that is quick to try, for tests of what stands around hashing.
    pub(crate) fn cheap(secret: &str) -> SecretHash {
        use argon2::PasswordHasher as _;
        let argon2 = Argon2::from(Params::new(8, 1, 1, None).unwrap());
        let phc = argon2.hash_password_with_salt(secret.as_bytes(), b"saltsaltsalt").unwrap();
        SecretHash::parse(&phc.to_string()).unwrap()
    }

    #[test]
    fn phc_strings() {
        assert!(
            SecretHash::parse("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA").is_ok()
        );
        let bad = [
            ("Password1", SecretHashError::NotPhc),
            ("", SecretHashError::NotPhc),
            (
                "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
                SecretHashError::NotArgon2id,
            ),
            ("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ", SecretHashError::Incomplete),
            (
                "$argon2id$v=19$m=4000000,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
                SecretHashError::Parameters,
            ),
            (
                "$argon2id$v=19$m=64,t=1000,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
                SecretHashError::Parameters,
            ),
        ];
        for (text, error) in bad {
            assert_eq!(SecretHash::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_secret_matches_its_hash_and_nothing_matches_a_decoy() {
        let mut memory = Vec::new();
        let hash = SecretHash::of(&Secret::new("Password1"), &[7; 16]).unwrap();
        assert!(hash.to_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hash.matches(&Secret::new("Password1"), &mut memory));
        assert!(!hash.matches(&Secret::new("password1"), &mut memory));
        assert!(!hash.decoy().matches(&Secret::new("Password1"), &mut memory));
        assert_eq!(hash.decoy().cost(), hash.cost());
        // A smaller hash after a larger one in the same memory.
        assert!(cheap("x").matches(&Secret::new("x"), &mut memory));
    }

    #[tokio::test]
    async fn a_full_queue_says_so() {
        let pool = HashingPool::start(1, 2).unwrap();
        let slow = SecretHash::of(&Secret::new("a"), &[0; 16]).unwrap();
        let jobs: Vec<_> = (0..8).map(|_| pool.verify(Secret::new("b"), vec![slow.clone(); 2])).collect();
        let (mut busy, mut wrong) = (0, 0);
        let mut waiting: Vec<_> = jobs.into_iter().map(Box::pin).collect();
        // Polled together: all are offered before the first is done.
        std::future::poll_fn(|cx| {
            waiting.retain_mut(|job| match job.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(found)) => {
                    assert_eq!(found, None);
                    wrong += 1;
                    false
                }
                Poll::Ready(Err(Busy)) => {
                    busy += 1;
                    false
                }
            });
            if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        assert!(busy >= 5, "{busy} of 8 were shed");
        assert_eq!(busy + wrong, 8);
    }
}
