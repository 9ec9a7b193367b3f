//! Memory per live token, everything included: the growth of the process while a store is filled.

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate::clock::Millis;
use tollgate::oauth::Record;
use tollgate::store::{MemoryStore, TokenStore as _};

use crate::tokens::{Random, grant};

/// The argument that makes the process fill one store and report its growth.
pub(crate) const CHILD: &str = "--fill-a-store";

/// The bar: bytes per live token at ten million.
const BAR: f64 = 100.0;
const LIFETIME: Duration = Duration::from_secs(299);

/// Fills stores, each in a new process. Returns whether the bar is met.
pub(crate) fn report() -> bool {
    println!("\n{:<42} {:>8} {:>6} {:>22}", "", "bytes", "bar", "longest insertion, ms");
    let mut met = true;
    for (count, bar) in [(1_000_000, None), (10_000_000, Some(BAR))] {
        let Some((bytes, longest)) = in_a_process_of_its_own(count) else {
            println!("memory cannot be read here");
            return false;
        };
        let shown = bar.map_or_else(|| "-".to_owned(), |bar| format!("{bar:.0}"));
        println!("{:<42} {bytes:>8.1} {shown:>6} {longest:>22.2}", format!("a live token of {count}"));
        met &= bar.is_none_or(|bar| bytes <= bar);
    }
    met
}

fn in_a_process_of_its_own(count: usize) -> Option<(f64, f64)> {
    let output =
        Command::new(std::env::current_exe().ok()?).args([CHILD, &count.to_string()]).output().ok()?;
    let (bytes, longest) = std::str::from_utf8(&output.stdout).ok()?.trim().split_once(' ')?;
    Some((bytes.parse().ok()?, longest.parse().ok()?))
}

/// Fills a store with tokens issued evenly over one lifetime. Prints the bytes per token and the time of the
/// longest insertion, which is one into a shard that grows and blocks its readers for as long.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn child(count: &str) -> ExitCode {
    let Ok(count) = count.parse::<usize>() else { return ExitCode::FAILURE };
    let grant = grant(LIFETIME);
    let mut random = Random::new(3);
    let lifetime = u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX);
    let Some(before) = resident() else { return ExitCode::FAILURE };
    let store = MemoryStore::new(count);
    let mut longest = Duration::ZERO;
    for number in 0..count as u64 {
        let issued = Millis::new(number * lifetime / count as u64);
        let (token, record) = (random.token().digest(), Record::new(Arc::clone(&grant), issued));
        let begin = Instant::now();
        if store.insert(token, record).ready() != Some(Ok(())) {
            return ExitCode::FAILURE;
        }
        longest = longest.max(begin.elapsed());
    }
    let Some(after) = resident() else { return ExitCode::FAILURE };
    assert_eq!(store.len(), count);
    println!("{} {}", (after - before) / count as f64, longest.as_secs_f64() * 1e3);
    ExitCode::SUCCESS
}

/// Returns the resident bytes of this process.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? * 1024.0)
}
