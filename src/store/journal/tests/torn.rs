//! A journal of which the last bytes are missing or wrong.

use std::fs;
use std::path::Path;

use super::*;
use crate::store::journal::load::{Target, load};
use crate::store::journal::report::is_damage;

/// How much of the end of a file is damaged.
const LAST: usize = 8 * 1_024;
const LAST_TOKEN: u64 = 40;
/// The distance of the damage before that.
const FAR: usize = 97 * 1_024;

const MAIN: &str = "journal.db";
const LOG: &str = "journal.db-wal";

/// Returns a folder in memory if there is one: thousands of journals are opened, and each open waits for the
/// disk.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap()
}

/// The two files of a journal.
#[derive(Clone)]
struct Files {
    main: Vec<u8>,
    log: Vec<u8>,
}

impl Files {
    fn of(folder: &Path) -> Self {
        Self {
            main: fs::read(folder.join(MAIN)).unwrap(),
            log: fs::read(folder.join(LOG)).unwrap_or_default(),
        }
    }

    /// Loads these files as a start does, and returns which tokens there are. `None` says that the file is
    /// set aside.
    fn load(&self, folder: &Path) -> Option<Vec<u64>> {
        fs::write(folder.join(MAIN), &self.main).unwrap();
        fs::write(folder.join(LOG), &self.log).unwrap();
        let _ = fs::remove_file(folder.join("journal.db-shm"));
        let (memory, interner, used) = (MemoryStore::new(1_000), Interner::default(), UsedNames::default());
        let target = Target { memory: &memory, interner: &interner, used: &used, offset: 0, found: None };
        let now = boot::Moment { boot_id: "a".to_owned(), boot: 600_000, wall: 1_800_000_000_000 };
        let loaded = JournalFile::open(folder, None).and_then(|mut file| {
            let before = file.last_tick().map_err(|error| file.sqlite(error))?;
            load(&mut file, before.as_ref(), &now, &target)
        });
        match loaded {
            Ok(_) => Some((0..200).filter(|number| memory.find(&token(*number)).known().is_some()).collect()),
            Err(error) => {
                assert!(is_damage(&error), "the gateway would not start: {error}");
                None
            }
        }
    }
}

/// Writes a history and returns the files that a killed process leaves behind, and those of one that has
/// ended.
///
/// Token n is issued, and token n - 1 is revoked: a prefix of this history has one or two tokens, neighbours.
/// It is short enough for the log to be in the file: a longer one is written into the database, and begins
/// again.
fn history() -> (Files, Files) {
    let folder = folder();
    let clock = ManualClock::new(Duration::ZERO);
    clock.advance(Duration::from_secs(500));
    let boot = FakeBoot::new("a", 500_000);
    let journal = Journal::open_on(folder.path(), 1_000, Arc::new(clock), boot).unwrap();
    for number in 0..LAST_TOKEN + 1 {
        issue(&journal, number, 3_600, Millis::new(500_000));
        block_on(journal.flush()).unwrap();
        if number > 0 {
            assert!(block_on(journal.revoke(token(number - 1))).unwrap().is_some());
        }
    }
    let killed = Files::of(folder.path());
    drop(journal);
    (killed, Files::of(folder.path()))
}

/// Every how many bytes the damage is. `tests/chaos/run` sets it to 1.
fn step() -> usize {
    std::env::var("TOLLGATE_TORN_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(131)
}

/// The places of the damage in a file of this length.
fn places(length: usize) -> impl Iterator<Item = usize> {
    (length.saturating_sub(LAST)..length).step_by(step()).chain((length % FAR..length).step_by(FAR))
}

#[track_caller]
fn assert_prefix(at: usize, tokens: &[u64]) {
    let is_prefix = matches!(tokens, [] | [_]) || matches!(tokens, [one, next] if *next == one + 1);
    assert!(is_prefix, "damage at byte {at}: {tokens:?}");
}

/// Calls `check` for each place of damage in a file of this length, on all cores.
fn at_each_place(length: usize, check: impl Fn(usize, &Path) + Sync) {
    let places: Vec<usize> = places(length).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for some in places.chunks(places.len().div_ceil(threads).max(1)) {
            let check = &check;
            scope.spawn(move || {
                let folder = folder();
                some.iter().for_each(|at| check(*at, folder.path()));
            });
        }
    });
}

/// Returns bytes that end at a place, and bytes of which the one at that place is wrong.
fn damaged(bytes: &[u8], at: usize) -> [Vec<u8>; 2] {
    let (cut, mut flipped) = (bytes[..at].to_vec(), bytes.to_vec());
    flipped[at] ^= 0x40;
    [cut, flipped]
}

#[test]
fn a_torn_log_is_a_prefix_of_history() {
    let (killed, _) = history();
    assert_eq!(killed.load(folder().path()).unwrap(), [LAST_TOKEN], "whole");
    let seen = Mutex::new(std::collections::HashSet::new());
    at_each_place(killed.log.len(), |at, folder| {
        for log in damaged(&killed.log, at) {
            let files = Files { main: killed.main.clone(), log };
            let tokens = files.load(folder).expect("the log repairs itself");
            assert_prefix(at, &tokens);
            seen.lock().unwrap().insert(tokens);
        }
    });
    assert!(seen.lock().unwrap().len() > 1, "the damage reaches the history");
}

#[test]
fn a_database_that_was_torn_while_the_log_was_written_into_it_is_whole() {
    let (killed, ended) = history();
    at_each_place(ended.main.len(), |at, folder| {
        for main in damaged(&ended.main, at) {
            let tokens = Files { main, log: killed.log.clone() }.load(folder);
            assert_eq!(tokens.as_deref(), Some(&[LAST_TOKEN][..]), "damage at byte {at}");
        }
    });
}

#[test]
fn a_database_that_lost_its_end_is_set_aside_or_a_prefix_of_history() {
    let (_, ended) = history();
    assert_eq!(ended.load(folder().path()).unwrap(), [LAST_TOKEN], "whole");
    at_each_place(ended.main.len(), |at, folder| {
        for main in damaged(&ended.main, at) {
            if let Some(tokens) = (Files { main, log: ended.log.clone() }).load(folder) {
                assert_prefix(at, &tokens);
            }
        }
    });
}

/// A process that is killed while it compacts leaves a log that ends somewhere in what the compaction has
/// written.
#[test]
fn a_compaction_that_breaks_off_loses_no_live_token_and_revives_none() {
    let source = folder();
    let clock = ManualClock::new(Duration::ZERO);
    clock.advance(Duration::from_secs(500));
    let boot = FakeBoot::new("a", 500_000);
    let journal = Journal::open_on(source.path(), 1_000, Arc::new(clock), boot).unwrap();
    // Every other token has expired when the files are loaded. Three of the others are revoked.
    for number in 0..60 {
        issue(&journal, number, if number % 2 == 0 { 3_600 } else { 50 }, Millis::new(500_000));
        block_on(journal.flush()).unwrap();
    }
    for number in [0, 20, 40] {
        assert!(block_on(journal.revoke(token(number))).unwrap().is_some());
    }
    let before = Files::of(source.path());
    drop(journal);
    fs::write(source.path().join(MAIN), &before.main).unwrap();
    fs::write(source.path().join(LOG), &before.log).unwrap();
    let mut file = JournalFile::open(source.path(), None).unwrap();
    assert!(!file.compact(590_000).unwrap());
    let after = Files::of(source.path());
    drop(file);
    assert!(after.log.len() > before.log.len(), "the compaction is in the log");
    let live: Vec<u64> = (0..60).filter(|number| number % 2 == 0 && number % 20 != 0).collect();
    assert_eq!(after.load(folder().path()).as_ref(), Some(&live), "whole");
    at_each_place(after.log.len() - before.log.len(), |at, folder| {
        for log in damaged(&after.log, before.log.len() + at) {
            let tokens = Files { main: after.main.clone(), log }.load(folder);
            assert_eq!(tokens.as_ref(), Some(&live), "damage at byte {at}");
        }
    });
}
