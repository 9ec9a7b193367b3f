//! A journal of which the last bytes are missing or wrong.

use std::fs;
use std::path::Path;

use super::*;

/// How much of the end is damaged.
const LAST: usize = 8 * 1_024;
const LAST_TOKEN: u64 = 40;
/// The distance of the damage before that.
const FAR: usize = 97 * 1_024;

/// Every how many bytes the damage is. `TOLLGATE_TORN_STEP=1` is for a run by hand.
fn step() -> usize {
    std::env::var("TOLLGATE_TORN_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(509)
}

/// Copies the files of a journal that a killed process has left behind.
fn killed(from: &Path, to: &Path) {
    for name in ["journal.db", "journal.db-wal"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// Opens a copy of the journal whose log was changed, and returns which tokens it has.
fn tokens_of(source: &Path, change: impl Fn(&mut Vec<u8>)) -> Vec<u64> {
    let copy = tempfile::tempdir().unwrap();
    killed(source, copy.path());
    let log = copy.path().join("journal.db-wal");
    let mut bytes = fs::read(&log).unwrap();
    change(&mut bytes);
    fs::write(&log, bytes).unwrap();
    let journal = Journal::open_on(copy.path(), 1_000, clock(WALL), FakeBoot::new("a", 1_000)).unwrap();
    (0..200).filter(|number| journal.find(&token(*number)).known().is_some()).collect()
}

#[test]
fn a_torn_journal_is_a_prefix_of_history() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock(WALL);
    let journal = Journal::open_on(folder.path(), 1_000, clock.clone(), FakeBoot::new("a", 1_000)).unwrap();
    // Token n is issued, and token n - 1 is revoked: a prefix of this history has one or two tokens, neighbours.
    // Few enough for the log to be in the file: a longer one is written into the database, and begins again.
    for number in 0..LAST_TOKEN + 1 {
        issue(&journal, number, 3_600, clock.now());
        block_on(journal.flush()).unwrap();
        if number > 0 {
            assert!(block_on(journal.revoke(token(number - 1))).unwrap().is_some());
        }
    }
    let copy = tempfile::tempdir().unwrap();
    killed(folder.path(), copy.path());
    drop(journal);
    assert_eq!(tokens_of(copy.path(), |_| ()), [LAST_TOKEN], "whole");
    let length = fs::metadata(copy.path().join("journal.db-wal")).unwrap().len() as usize;
    let mut seen = std::collections::HashSet::new();
    let everywhere = (length % FAR..length).step_by(FAR);
    for at in (length.saturating_sub(LAST)..length).step_by(step()).chain(everywhere) {
        let cut = tokens_of(copy.path(), |log| log.truncate(at));
        let flipped = tokens_of(copy.path(), |log| log[at] ^= 0x40);
        for tokens in [cut, flipped] {
            let is_prefix =
                matches!(tokens[..], [] | [_]) || matches!(tokens[..], [one, next] if next == one + 1);
            assert!(is_prefix, "damage at byte {at}: {tokens:?}");
            seen.insert(tokens);
        }
    }
    assert!(seen.len() > 1, "the damage reaches the history");
}
