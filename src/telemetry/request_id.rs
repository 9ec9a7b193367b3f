//! Request ids: one for each request, the same in the access log, at the upstream and in the answer.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::thread::mine;

/// The longest id taken from a proxy before us, in bytes.
const LONGEST: usize = 64;

const HEX: [u8; 16] = *b"0123456789abcdef";

static ON: AtomicBool = AtomicBool::new(false);

/// Whether requests get one.
pub(crate) fn is_on() -> bool {
    ON.load(Relaxed)
}

/// Says whether requests get one.
pub(crate) fn set(on: bool) {
    ON.store(on, Relaxed);
}

/// Writes the id of a request to `id`: the one that a proxy whose word counts gave, if it is a good one; else a new one.
pub(crate) fn write(id: &mut Vec<u8>, given: Option<&[u8]>) {
    id.clear();
    match given.filter(|given| is_good(given)) {
        Some(given) => id.extend_from_slice(given),
        None => write_new(id),
    }
}

fn is_good(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// 32 hex digits: half of them of this process, the other half never twice in it. Unique, and no secret.
fn write_new(id: &mut Vec<u8>) {
    static PROCESS: OnceLock<(u64, u64)> = OnceLock::new();
    let (process, start) = *PROCESS.get_or_init(|| {
        let mut random = [0; 16];
        // Without randomness ids are still unique in this process.
        let _ = getrandom::fill(&mut random);
        let [high, low] = [0, 8].map(|at| {
            let half = random.get(at..at + 8).and_then(|half| half.try_into().ok());
            u64::from_le_bytes(half.unwrap_or_default())
        });
        (high, low)
    });
    let block = mine();
    // 2^44 ids for each of a million threads.
    let number = (u64::try_from(block.index).unwrap_or(0) << 44).wrapping_add(block.next_id());
    for half in [process, mix(start.wrapping_add(number))] {
        id.extend((0..16).rev().map(|digit| HEX[(half >> (digit * 4) & 0xf) as usize]));
    }
}

/// The finaliser of splitmix64: one to one, and neighbours look nothing alike.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
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
    fn no_id_comes_twice_on_any_thread() {
        let make = || (0..5_000).map(|_| id(None)).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
        let ids: HashSet<Vec<u8>> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.len(), 20_000);
        assert!(ids.iter().all(|id| id.len() == 32 && is_good(id)));
    }

    #[test]
    fn only_a_good_id_of_a_trusted_proxy_is_taken() {
        let long = "x".repeat(LONGEST + 1);
        for (given, taken) in
            [("abc-1", true), (&long[1..], true), ("", false), (&long, false), ("a b", false), ("é", false)]
        {
            let id = id(Some(given));
            assert_eq!(id == given.as_bytes(), taken, "{given:?}");
            assert!(is_good(&id));
        }
    }
}
