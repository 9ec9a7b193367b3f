//! Verifying secrets on dedicated threads: as many as cores, with a short queue. A full queue refuses.
//!
//! One argon2id hash takes a core for tens of milliseconds and 19 MiB by default, so an attacker would try to make the
//! gate hash. The threads run at the lowest priority: a flood of wrong secrets gets only the time that traffic leaves
//! over. A job belongs to the queue, not to the request that submitted it: a client that disconnects does not free a
//! slot while its hash still runs.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::gate::secret_hash::SecretHash;
use crate::oauth::secret::Secret;

/// The error when all threads are busy and the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// The hashing threads. They end when the pool is dropped.
pub(crate) struct HashingPool {
    queue: SyncSender<Job>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    /// The number of jobs in the queue.
    waiting: AtomicUsize,
    /// The cost of all hashes computed so far.
    work_done: AtomicU64,
}

/// A hash to verify a secret against.
pub(crate) struct Candidate {
    pub(crate) hash: SecretHash,
    /// Whether a match ends the search. A match that is refused anyway must not end it, because the time taken would
    /// reveal the reason.
    pub(crate) suffices: bool,
}

struct Job {
    secret: Secret,
    candidates: Vec<Candidate>,
    reply: oneshot::Sender<Option<usize>>,
}

impl HashingPool {
    /// Starts `threads` threads behind a queue of `queue` waiting jobs.
    ///
    /// # Errors
    /// The operating system's, if it starts no thread.
    pub(crate) fn start(threads: usize, queue: usize) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let counts = Arc::<Counts>::default();
        for number in 0..threads.max(1) {
            let (receiver, counts) = (Arc::clone(&receiver), Arc::clone(&counts));
            std::thread::Builder::new()
                .name(format!("tollgate-hash-{number}"))
                .spawn(move || work(&receiver, &counts))?;
        }
        Ok(Self { queue: sender, counts })
    }

    /// Makes a pool without threads, which answers that it is busy.
    #[cfg(feature = "gateway")]
    pub(crate) fn without_threads() -> Self {
        let (queue, _) = sync_channel(0);
        Self { queue, counts: Arc::default() }
    }

    /// Returns the number of jobs in the queue.
    #[cfg(feature = "gateway")]
    pub(crate) fn waiting(&self) -> usize {
        self.counts.waiting.load(Ordering::Relaxed)
    }

    /// Returns the index of the candidate that the secret matches, trying them in order and preferring one that
    /// suffices.
    pub(crate) async fn verify(
        &self,
        secret: Secret,
        candidates: Vec<Candidate>,
    ) -> Result<Option<usize>, Busy> {
        let (reply, answer) = oneshot::channel();
        // Counted before it is sent, because a thread may take the job at once.
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        match self.queue.try_send(Job { secret, candidates, reply }) {
            Ok(()) => answer.await.map_err(|_| Busy),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
                Err(Busy)
            }
        }
    }

    /// Returns the cost of all hashes computed so far.
    pub(crate) fn work_done(&self) -> u64 {
        self.counts.work_done.load(Ordering::Relaxed)
    }
}

fn work(queue: &Mutex<Receiver<Job>>, counts: &Counts) {
    // On Linux a nice value belongs to the thread. If it cannot be set, hashing competes with traffic, nothing else.
    let _ = rustix::process::nice(19);
    // The memory is kept from hash to hash: returning 19 MiB each time would make every other thread pay for the page
    // table updates.
    let mut memory = Vec::new();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { secret, candidates, reply }) = job else { return };
        counts.waiting.fetch_sub(1, Ordering::Relaxed);
        let mut found = None;
        for (at, candidate) in candidates.iter().enumerate() {
            counts.work_done.fetch_add(candidate.hash.cost(), Ordering::Relaxed);
            if candidate.hash.matches(&secret, &mut memory) {
                if candidate.suffices {
                    found = Some(at);
                    break;
                }
                found = found.or(Some(at));
            }
        }
        // Sending fails if the client has disconnected; the work is done anyway.
        let _ = reply.send(found);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::future::Future as _;
    use std::task::Poll;

    use super::*;

    /// Makes a hash that is quick to verify, for tests of the code around hashing.
    pub(crate) fn cheap(secret: &str) -> SecretHash {
        of_cost(secret, 8, 1)
    }

    pub(crate) fn of_cost(secret: &str, memory_kib: u32, passes: u32) -> SecretHash {
        use argon2::{Argon2, Params, PasswordHasher as _};
        let argon2 = Argon2::from(Params::new(memory_kib, passes, 1, None).unwrap());
        let phc = argon2.hash_password_with_salt(secret.as_bytes(), b"saltsaltsalt").unwrap();
        SecretHash::parse(&phc.to_string()).unwrap()
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
        let slow = || Candidate { hash: slow.clone(), suffices: true };
        let jobs: Vec<_> = (0..8).map(|_| pool.verify(Secret::new("b"), vec![slow(), slow()])).collect();
        let (mut busy, mut wrong) = (0, 0);
        let mut waiting: Vec<_> = jobs.into_iter().map(Box::pin).collect();
        // Polled together, so that all are submitted before the first is done.
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
