//! Request ids: one per request, the same in the access log, at the upstream and in the response.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::hex;
use super::thread::thread_counters;
use crate::splitmix::mix;

/// The maximum length in bytes of an id accepted from a trusted proxy.
const MAX_LENGTH: usize = 64;

static ON: AtomicBool = AtomicBool::new(false);

/// Returns whether requests get an id.
pub(crate) fn is_on() -> bool {
    ON.load(Relaxed)
}

/// Turns request ids on or off.
pub(crate) fn set(on: bool) {
    ON.store(on, Relaxed);
}

/// Writes the id of a request to `id`: the one that a trusted proxy gave, if it is valid, or else a new one.
pub(crate) fn write(id: &mut Vec<u8>, given: Option<&[u8]>) {
    id.clear();
    match given.filter(|given| is_valid(given)) {
        Some(given) => id.extend_from_slice(given),
        None => write_new(id),
    }
}

fn is_valid(id: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// Writes 32 hex digits: the first half identifies the process, the second half is unique in it. Ids are not
/// secret.
fn write_new(id: &mut Vec<u8>) {
    static PROCESS: OnceLock<(u64, u64)> = OnceLock::new();
    let (process, start) = *PROCESS.get_or_init(|| {
        let mut random = [0; 16];
        // Without randomness, ids are still unique in this process.
        let _ = getrandom::fill(&mut random);
        let [high, low] = [0, 8].map(|at| {
            let half = random.get(at..at + 8).and_then(|half| half.try_into().ok());
            u64::from_le_bytes(half.unwrap_or_default())
        });
        (high, low)
    });
    let own = mix(start.wrapping_add(thread_counters().unique_number()));
    let mut digits = [0; 32];
    for (to, half) in digits.as_chunks_mut().0.iter_mut().zip([process >> 32, process, own >> 32, own]) {
        *to = hex::digits(half as u32);
    }
    id.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn id(given: Option<&str>) -> Vec<u8> {
        let mut id = b"before".to_vec();
        write(&mut id, given.map(str::as_bytes));
        id
    }

    #[test]
    fn ids_are_unique_across_threads() {
        let make = || (0..5_000).map(|_| id(None)).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
        let ids: HashSet<Vec<u8>> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.len(), 20_000);
        assert!(ids.iter().all(|id| id.len() == 32 && is_valid(id)));
    }

    #[test]
    fn only_a_valid_id_of_a_proxy_is_used() {
        let long = "x".repeat(MAX_LENGTH + 1);
        for (given, taken) in
            [("abc-1", true), (&long[1..], true), ("", false), (&long, false), ("a b", false), ("é", false)]
        {
            let id = id(Some(given));
            assert_eq!(id == given.as_bytes(), taken, "{given:?}");
            assert!(is_valid(&id));
        }
    }
}
