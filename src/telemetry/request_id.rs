//! Request ids: one for each request, the same in the access log, at the upstream and in the answer.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::{HeaderMap, HeaderValue};

use super::thread::mine;
use crate::headers::REQUEST_ID;

/// The longest id taken from a proxy before us, in bytes.
const LONGEST: usize = 64;

static ON: AtomicBool = AtomicBool::new(false);

/// Whether requests get one.
pub(crate) fn is_on() -> bool {
    ON.load(Relaxed)
}

/// Says whether requests get one.
pub(crate) fn set(on: bool) {
    ON.store(on, Relaxed);
}

/// The id of a request: that of a proxy whose word counts, if it gave exactly one and a good one; else a new one.
pub(crate) fn of(headers: &HeaderMap, trusted: bool) -> HeaderValue {
    if trusted {
        let mut given = headers.get_all(&REQUEST_ID).into_iter();
        if let (Some(id), None) = (given.next(), given.next())
            && is_good(id.as_bytes())
        {
            return id.clone();
        }
    }
    new()
}

fn is_good(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// 32 hex digits: half of them of this process, the other half never twice in it. Unique, and no secret.
fn new() -> HeaderValue {
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
    let id = format!("{process:016x}{:016x}", mix(start.wrapping_add(number)));
    HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("0"))
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

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (REQUEST_ID.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap()))
            .collect()
    }

    #[test]
    fn no_id_comes_twice_on_any_thread() {
        let make = || (0..5_000).map(|_| new()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
        let ids: HashSet<HeaderValue> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.len(), 20_000);
        assert!(ids.iter().all(|id| id.len() == 32 && is_good(id.as_bytes())));
    }

    #[test]
    fn only_a_good_id_of_a_trusted_proxy_is_taken() {
        let long = "x".repeat(LONGEST + 1);
        let table: [(&[&str], bool, bool); 8] = [
            (&["abc-1"], true, true),
            (&[&long[1..]], true, true),
            (&["abc-1"], false, false),
            (&[""], true, false),
            (&[&long], true, false),
            (&["a b"], true, false),
            (&["é"], true, false),
            (&["a", "b"], true, false),
        ];
        for (given, trusted, taken) in table {
            let id = of(&headers(given), trusted);
            assert_eq!(id.as_bytes() == given[0].as_bytes(), taken, "{given:?}");
            assert!(is_good(id.as_bytes()));
        }
    }
}
