//! Request ids: one per request, the same in the access log, at the upstream and in the response.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

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
    let thread = thread_counters();
    // 2^44 ids for each of a million threads.
    let number = (u64::try_from(thread.index).unwrap_or(0) << 44).wrapping_add(thread.next_id());
    let own = mix(start.wrapping_add(number));
    let mut digits = [0; 32];
    for (to, half) in digits.as_chunks_mut().0.iter_mut().zip([process >> 32, process, own >> 32, own]) {
        *to = hex(half as u32);
    }
    id.extend_from_slice(&digits);
}

/// The eight hex digits of a number, all at once: each digit in a byte of its own.
fn hex(number: u32) -> [u8; 8] {
    const ONES: u64 = u64::MAX / 255;
    let mut digits = u64::from(number);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in the bytes of the digits from ten on, which are letters.
    let letters = (digits + ONES * 6) >> 4 & ONES;
    (digits + ONES * u64::from(b'0') + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes()
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
    fn digits_are_those_of_the_number() {
        for number in [0, 1, 0x0123_4567, 0x89ab_cdef, 0xfedc_ba98, u32::MAX, 0x9a9a_9a9a, 0x0a00_0000] {
            assert_eq!(hex(number), *format!("{number:08x}").as_bytes());
        }
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
