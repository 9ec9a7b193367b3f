//! Work that costs time, on dedicated threads: as many as cores, behind a short queue. A full queue refuses.
//!
//! One argon2id hash takes a core for tens of milliseconds and 19 MiB by default, so an attacker would try to
//! make the gate hash. The threads run at the lowest priority: a flood of wrong secrets gets only the time
//! that traffic leaves over. Networks take turns, so a flood from one of them does not delay the others. A
//! job belongs to the queue, not to the request that submitted it: a client that disconnects does not free a
//! slot while its hash still runs.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use argon2::Block;
use tokio::sync::oneshot;

use crate::gate::fair_queue::{FairQueue, QueueBounds};
use crate::gate::secret_hash::SecretHash;
use crate::oauth::secret::Secret;
use crate::threads;

/// The jobs that may wait for each thread. At some 30 ms a hash, a full queue is a wait of about a second.
const QUEUE_PER_THREAD: usize = 32;
/// The jobs of one network that may wait for each thread. The rest of the queue is for other networks.
const QUEUE_PER_THREAD_AND_NETWORK: usize = 24;

/// The error when all threads are busy and there is no place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// The hashing threads. They end when the pool is dropped.
pub(crate) struct HashingPool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Notified when a job has come, and when the pool is dropped.
    changed: Condvar,
    /// The cost of all hashes computed so far.
    work_done: AtomicU64,
}

struct State {
    queue: FairQueue<Job>,
    open: bool,
}

/// A hash to verify a secret against.
pub(crate) struct Candidate {
    pub(crate) hash: SecretHash,
    /// Whether a match ends the search. A match that is refused anyway must not end it, because the time
    /// taken would reveal the reason.
    pub(crate) suffices: bool,
}

/// The work of a thread. It gets the memory for hashes and the counter of completed work.
type Job = Box<dyn FnOnce(&mut Vec<Block>, &AtomicU64) + Send>;

impl HashingPool {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// The operating system's, if it starts no thread.
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let threads = threads.max(1);
        let pool = Self::with_queue(QueueBounds {
            total: threads * QUEUE_PER_THREAD,
            per_network: threads * QUEUE_PER_THREAD_AND_NETWORK,
        });
        pool.spawn(threads)?;
        Ok(pool)
    }

    fn with_queue(bounds: QueueBounds) -> Self {
        let state = Mutex::new(State { queue: FairQueue::new(bounds), open: true });
        Self { shared: Arc::new(Shared { state, changed: Condvar::new(), work_done: AtomicU64::new(0) }) }
    }

    fn spawn(&self, threads: usize) -> std::io::Result<()> {
        for number in 0..threads {
            let shared = Arc::clone(&self.shared);
            threads::spawn(format!("tollgate-hash-{number}"), move || shared.work())?;
        }
        Ok(())
    }

    /// Makes a pool without threads, which answers that it is busy.
    #[cfg(feature = "gateway")]
    pub(crate) fn without_threads() -> Self {
        Self::with_queue(QueueBounds { total: 0, per_network: 0 })
    }

    /// Returns the number of jobs in the queue.
    #[cfg(feature = "gateway")]
    pub(crate) fn waiting(&self) -> usize {
        self.shared.lock().queue.len()
    }

    /// Returns the index of the candidate that the secret matches, trying them in order and preferring one
    /// that suffices. `network` is where the request comes from.
    pub(crate) async fn verify(
        &self,
        network: IpAddr,
        secret: Secret,
        candidates: Vec<Candidate>,
    ) -> Result<Option<usize>, Busy> {
        self.submit(network, move |memory, work_done| {
            let mut found = None;
            for (at, candidate) in candidates.iter().enumerate() {
                work_done.fetch_add(candidate.hash.cost(), Ordering::Relaxed);
                if candidate.hash.matches(&secret, memory) {
                    if candidate.suffices {
                        return Some(at);
                    }
                    found = found.or(Some(at));
                }
            }
            found
        })
        .await
    }

    /// Runs `work` on one of the threads, in the turn of `network`.
    #[cfg(feature = "jose")]
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        network: IpAddr,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        self.submit(network, move |_, _| work()).await
    }

    async fn submit<T: Send + 'static>(
        &self,
        network: IpAddr,
        work: impl FnOnce(&mut Vec<Block>, &AtomicU64) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |memory, work_done| {
            // Sending fails if the client has disconnected; the work is done anyway.
            let _ = reply.send(work(memory, work_done));
        });
        // The job that is refused is dropped, and with it the sender that its request waits for.
        let refused = self.shared.lock().queue.push(network, job);
        self.shared.changed.notify_one();
        drop(refused);
        answer.await.map_err(|_| Busy)
    }

    /// Returns the cost of all hashes computed so far.
    pub(crate) fn work_done(&self) -> u64 {
        self.shared.work_done.load(Ordering::Relaxed)
    }
}

impl Drop for HashingPool {
    fn drop(&mut self) {
        self.shared.lock().open = false;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next job. Returns `None` when the pool is dropped.
    fn next(&self) -> Option<Job> {
        let waits = |state: &mut State| state.open && state.queue.is_empty();
        let waited = self.changed.wait_while(self.lock(), waits);
        waited.unwrap_or_else(PoisonError::into_inner).queue.pop()
    }

    fn work(&self) {
        // On Linux a nice value belongs to the thread. If it cannot be set, hashing competes with traffic,
        // nothing else.
        let _ = rustix::process::nice(19);
        // The memory is kept from hash to hash: returning 19 MiB each time would make every other thread pay
        // for the page table updates.
        let mut memory = Vec::new();
        while let Some(job) = self.next() {
            job(&mut memory, &self.work_done);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::future::Future as _;
    use std::task::Poll;

    use super::*;

    const NETWORK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

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
        let pool = HashingPool::with_queue(QueueBounds { total: 2, per_network: 2 });
        pool.spawn(1).unwrap();
        let slow = SecretHash::of(&Secret::new("a"), &[0; 16]).unwrap();
        let slow = || Candidate { hash: slow.clone(), suffices: true };
        let jobs: Vec<_> =
            (0..8).map(|_| pool.verify(NETWORK, Secret::new("b"), vec![slow(), slow()])).collect();
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

    /// A flood of distinct wrong secrets from one network, and then the first secret of a client elsewhere.
    #[tokio::test]
    async fn a_flood_from_one_network_delays_another_by_one_job() {
        let pool = HashingPool::with_queue(QueueBounds { total: 32, per_network: 16 });
        let done = Arc::new(Mutex::new(Vec::new()));
        let job = |network: [u8; 4], name: usize| {
            let done = Arc::clone(&done);
            Box::pin(pool.submit(network.into(), move |_, _| done.lock().unwrap().push(name)))
        };
        let mut jobs: Vec<_> = (0..40).map(|number| job([192, 0, 2, 1], number)).collect();
        jobs.push(job([198, 51, 100, 1], 100));
        std::future::poll_fn(|cx| {
            for job in &mut jobs {
                let _ = job.as_mut().poll(cx);
            }
            // They run once all are submitted.
            Poll::Ready(())
        })
        .await;
        assert_eq!(pool.shared.lock().queue.len(), 17, "16 of the flood have a place");
        pool.spawn(1).unwrap();
        assert!(jobs.remove(40).await.is_ok());
        assert_eq!(done.lock().unwrap()[..2], [0, 100]);
    }
}
