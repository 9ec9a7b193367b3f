//! The journal with fake clocks and a disk that breaks.

mod torn;

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::clock::ManualClock;
use crate::oauth::grant::{Grant, Record, Terms};
use crate::oauth::scope::Scopes;
use crate::oauth::token::{AccessToken, TokenDigest};
use crate::store::journal::file::JournalFile;
use crate::store::testing::Contract;
use crate::store::token_store::{Found, Use};
use crate::store::used_name::UsedName;

/// A start of the machine that a test chooses.
pub(super) struct FakeBoot {
    id: &'static str,
    millis: AtomicI64,
}

impl FakeBoot {
    pub(super) fn new(id: &'static str, millis: i64) -> Arc<Self> {
        Arc::new(Self { id, millis: AtomicI64::new(millis) })
    }
}

impl BootClock for FakeBoot {
    fn boot_id(&self) -> String {
        self.id.to_owned()
    }

    fn boot_millis(&self) -> i64 {
        self.millis.load(Ordering::Relaxed)
    }
}

const WALL: u64 = 1_800_000_000;
/// Where the gate's clock is when a test begins: some days after its origin.
const ORIGIN: u64 = 1_000_000;

/// A gate's clock at a wall time, in seconds.
pub(super) fn clock(wall: u64) -> Arc<ManualClock> {
    let clock = ManualClock::new(Duration::from_secs(wall - ORIGIN));
    clock.advance(Duration::from_secs(ORIGIN));
    Arc::new(clock)
}

pub(super) fn token(number: u64) -> TokenDigest {
    let mut random = [0; 32];
    random[..8].copy_from_slice(&number.to_be_bytes());
    AccessToken::from_random(&random).digest()
}

fn record(journal: &Journal, client: &str, lifetime: u64, now: Millis) -> Record {
    let client = journal.client(&ClientId::new(client).unwrap());
    let lifetime = Duration::from_secs(lifetime);
    let terms =
        Terms { scopes: Scopes::parse("read").unwrap(), lifetime, audience: None, confirmation: None };
    let epoch = client.epoch();
    Record::new(Arc::new(Grant::new(client, epoch, terms)), now)
}

pub(super) fn issue(journal: &Journal, number: u64, lifetime: u64, now: Millis) {
    let record = record(journal, "server", lifetime, now);
    assert_eq!(journal.insert(token(number), record).ready(), Some(Ok(())));
}

fn block_on<T>(pending: Pending<'_, T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(pending.get())
}

/// What remains of a token's lifetime, in milliseconds.
fn remaining(journal: &Journal, number: u64, clock: &ManualClock) -> Option<u128> {
    let record = journal.find(&token(number)).known()?;
    record.is_live(clock.now()).then(|| record.expires().since(clock.now()).as_millis())
}

#[test]
fn the_journal_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    // The number of the store that was made last, which is the one that is restarted.
    let made = std::rc::Rc::new(std::cell::Cell::new(0));
    let (of_make, of_restart) = (path.clone(), path);
    let last = std::rc::Rc::clone(&made);
    let open = |folder: &std::path::Path, number: u32, max_tokens, millis| {
        let clock = ManualClock::new(Duration::from_secs(WALL));
        clock.advance(Duration::from_millis(millis));
        let folder = folder.join(number.to_string());
        Journal::open_on(&folder, max_tokens, Arc::new(clock), FakeBoot::new("a", 5_000_000)).unwrap()
    };
    let make = move |max_tokens| {
        made.set(made.get() + 1);
        open(&of_make, made.get(), max_tokens, 0)
    };
    // The gate's clock begins a second earlier after each restart, so that the tokens have a place on it.
    let millis = std::cell::Cell::new(0);
    let restart = move |journal: Journal| {
        block_on(journal.flush()).unwrap();
        drop(journal);
        millis.set(millis.get() + 1_000);
        open(&of_restart, last.get(), 100_000, millis.get())
    };
    Contract::of(make)
        .restart(restart)
        .faults(|journal, broken| journal.shared.broken.store(broken, Ordering::Relaxed))
        .check();
}

#[test]
fn lifetimes_go_on_over_a_restart_and_never_grow() {
    let later = |id, boot, wall: u64| {
        let folder = tempfile::tempdir().unwrap();
        let before = clock(WALL);
        let journal =
            Journal::open_on(folder.path(), 10, before.clone(), FakeBoot::new("a", 500_000)).unwrap();
        issue(&journal, 1, 300, before.now());
        drop(journal);
        let after = clock(wall);
        let journal = Journal::open_on(folder.path(), 10, after.clone(), FakeBoot::new(id, boot)).unwrap();
        remaining(&journal, 1, &after)
    };
    // In the same start of the machine the wall clock decides nothing.
    for wall in [WALL - 3_600, WALL, WALL + 3_600] {
        let left = later("a", 600_000, wall).unwrap();
        assert!((199_980..=200_000).contains(&left), "{left} ms at wall time {wall}");
    }
    assert_eq!(later("a", 800_000, WALL), None, "expired");
    assert_eq!(later("a", 499_999, WALL), None, "a snapshot of the machine");
    // After another start it says how much time has passed.
    let left = later("b", 3_000, WALL + 100).unwrap();
    assert!((199_980..=200_000).contains(&left), "{left} ms");
    assert!(later("b", 3_000, WALL).unwrap() <= 300_000);
    assert_eq!(later("b", 3_000, WALL + 300), None, "expired");
    assert_eq!(later("b", 3_000, WALL - 1), None, "the wall clock went back, so all tokens end");
}

#[test]
fn expired_rows_are_deleted_and_two_gateways_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock(WALL);
    let open = |boot| Journal::open_on(folder.path(), 100, clock.clone(), FakeBoot::new("a", boot));
    let journal = open(1_000).unwrap();
    assert!(matches!(open(1_000), Err(JournalError::InUse(_))));
    issue(&journal, 1, 10, clock.now());
    assert!(block_on(journal.revoke(token(1))).unwrap().is_some());
    drop(journal);
    let mut file = JournalFile::open(folder.path(), None).unwrap();
    let rows = |file: &JournalFile| -> i64 {
        let sql = "SELECT (SELECT COUNT(*) FROM batches) + (SELECT COUNT(*) FROM grants)";
        file.connection().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(rows(&file), 3, "a token, its grant and its revocation");
    assert!(!file.compact(10_999).unwrap());
    assert_eq!(rows(&file), 3, "the token has not expired");
    assert!(!file.compact(1_000_000).unwrap());
    assert_eq!(rows(&file), 0);
}

#[test]
fn a_file_of_another_version_is_refused_and_a_foreign_one_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock(WALL);
    let open = || Journal::open_on(folder.path(), 100, clock.clone(), FakeBoot::new("a", 1_000));
    drop(open().unwrap());
    let file = rusqlite::Connection::open(folder.path().join(file::NAME)).unwrap();
    file.pragma_update(None, "user_version", file::VERSION + 1).unwrap();
    drop(file);
    let error = open().unwrap_err();
    assert!(
        matches!(error, JournalError::Version(_, version) if version > file::VERSION)
            && error.to_string().contains("another version")
    );
    std::fs::write(folder.path().join(file::NAME), [b'x'; 8_192]).unwrap();
    let journal = open().unwrap();
    assert!(journal.is_empty() && folder.path().join("journal.db.damaged").exists());
}

#[test]
fn a_damaged_row_is_noticed_whatever_is_damaged() {
    let clock = clock(WALL);
    let damages = [
        "UPDATE grants SET blob = CAST(blob || x'00' AS BLOB)",
        "UPDATE grants SET id = id + 100",
        "UPDATE batches SET until = until + 1 WHERE kind = 2",
        "UPDATE batches SET base = base + 1 WHERE kind = 1",
        "UPDATE batches SET blob = zeroblob(length(blob)) WHERE kind = 1",
        "UPDATE batches SET kind = 1 WHERE kind = 2",
    ];
    for damage in damages {
        let folder = tempfile::tempdir().unwrap();
        let open = || Journal::open_on(folder.path(), 100, clock.clone(), FakeBoot::new("a", 1_000)).unwrap();
        let journal = open();
        issue(&journal, 1, 600, clock.now());
        issue(&journal, 2, 600, clock.now());
        assert!(block_on(journal.revoke(token(1))).unwrap().is_some());
        drop(journal);
        let file = rusqlite::Connection::open(folder.path().join(file::NAME)).unwrap();
        assert!(file.execute(damage, []).unwrap() > 0, "{damage}");
        drop(file);
        assert!(open().is_empty(), "{damage}");
        assert!(folder.path().join("journal.db.damaged").exists(), "{damage}");
    }
}

#[test]
fn a_file_of_an_earlier_version_is_converted_and_keeps_what_it_has() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock(WALL));
    let open = || Journal::open_on(folder.path(), 1_000, clock.clone(), FakeBoot::new("a", 1_000)).unwrap();
    let journal = open();
    for number in 0..700 {
        issue(&journal, number, 600, clock.now());
        block_on(journal.flush()).unwrap();
    }
    assert!(block_on(journal.revoke(token(7))).unwrap().is_some());
    drop(journal);
    // The second version had no checksum of grants, and that of other rows was of the kind and the content.
    let file = rusqlite::Connection::open(folder.path().join(file::NAME)).unwrap();
    let rows: Vec<(i64, u8, Vec<u8>)> = {
        let mut rows = file.prepare("SELECT seq, kind, blob FROM batches").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    for (seq, kind, mut blob) in rows {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&[kind]);
        sum.update(&blob[4..]);
        blob[..4].copy_from_slice(&sum.finalize().to_be_bytes());
        file.execute("UPDATE batches SET blob = ?2 WHERE seq = ?1", rusqlite::params![seq, blob]).unwrap();
    }
    file.execute("UPDATE grants SET blob = substr(blob, 5)", []).unwrap();
    file.pragma_update(None, "user_version", 2).unwrap();
    drop(file);
    // A gateway that has the file open goes on writing that version.
    let lock = std::fs::File::open(folder.path().join(file::LOCK)).unwrap();
    assert!(matches!(JournalFile::open(folder.path(), Some(lock)), Err(JournalError::Earlier(_, 2))));
    let journal = open();
    assert_eq!(journal.len(), 699);
    assert!(journal.find(&token(7)).known().is_none() && journal.find(&token(8)).known().is_some());
    drop(journal);
    assert_eq!(open().len(), 699, "converted once");
}

#[test]
fn while_the_log_begins_again_tokens_wait_for_their_write_and_none_is_left_behind() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock(WALL));
    let journal = Journal::open_on(folder.path(), 1_000, clock.clone(), FakeBoot::new("a", 1_000)).unwrap();
    let written = || -> i64 {
        let file = rusqlite::Connection::open(folder.path().join(file::NAME)).unwrap();
        let sql = "SELECT COALESCE(SUM((LENGTH(blob) - 4) / 28), 0) FROM batches WHERE kind = 1";
        file.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let insert = |number| journal.insert(token(number), record(&journal, "server", 600, clock.now()));
    assert_eq!(insert(0).ready(), Some(Ok(())), "a caller that cannot wait is not asked to");
    journal.shared.while_restarting(&mut || {
        assert_eq!(written(), 1, "what was answered before is written");
        assert_eq!(insert(1).ready(), Some(Ok(())));
    });
    #[cfg(feature = "gateway")]
    {
        journal.let_tokens_wait();
        journal.shared.while_restarting(&mut || {
            let Pending::Wait(pending) = insert(2) else { panic!("it does not wait") };
            block_on(Pending::Wait(pending)).unwrap();
            assert_eq!(written(), 3, "what is answered meanwhile is written");
        });
        assert_eq!(insert(3).ready(), Some(Ok(())), "no token waits afterwards");
    }
}

#[test]
fn the_file_is_this_users_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let clock = clock(WALL);
    let state = folder.path().join("state");
    let journal = Journal::open_on(&state, 100, clock.clone(), FakeBoot::new("a", 1_000)).unwrap();
    issue(&journal, 1, 10, clock.now());
    block_on(journal.flush()).unwrap();
    for file in std::fs::read_dir(&state).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[cfg(feature = "gateway")]
#[test]
fn two_processes_with_one_journal_know_each_others_tokens_and_revocations() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(crate::clock::SystemClock::new());
    let one = Journal::open(folder.path(), 100, clock.clone()).unwrap();
    let now = clock.now();
    issue(&one, 1, 600, now);
    one.share().unwrap();
    block_on(one.flush()).unwrap();
    assert!(Journal::open(folder.path(), 100, clock.clone()).is_err(), "only who has the lock may open it");
    let other = Journal::open_shared(folder.path(), 100, clock, one.lock().unwrap()).unwrap();
    assert!(matches!(other.find(&token(1)), Found::Known(_)), "loaded");

    let asked = |journal: &Journal, number| block_on(journal.ask(token(number))).unwrap().is_some();
    // Each process numbers its grants by itself.
    for (journal, number, client) in [(&one, 2, "a"), (&other, 3, "b"), (&one, 4, "c"), (&other, 5, "d")] {
        assert_eq!(block_on(journal.insert(token(number), record(journal, client, 600, now))), Ok(()));
    }
    for number in 1..=5 {
        for journal in [&one, &other] {
            assert!(asked(journal, number), "{number}");
        }
    }
    assert!(matches!(one.find(&token(9)), Found::Ask), "only the file can tell");
    let client = |journal: &Journal| match journal.find(&token(3)) {
        Found::Known(record) => record.grant().client().id().as_str().to_owned(),
        _ => panic!("not known"),
    };
    assert_eq!((client(&one), client(&other)), ("b".to_owned(), "b".to_owned()));

    block_on(other.revoke(token(2))).unwrap().unwrap();
    block_on(one.revoke(token(3))).unwrap().unwrap();
    one.catch_up().unwrap();
    other.catch_up().unwrap();
    for journal in [&one, &other] {
        assert!(!asked(journal, 2) && !asked(journal, 3), "also what this process has written itself");
        assert!(asked(journal, 4));
    }
    let name = UsedName::of_assertion("a", "1");
    let minute = Duration::from_secs(60);
    assert_eq!(block_on(one.use_once(name, minute)), Ok(Use::First));
    assert_eq!(block_on(other.use_once(name, minute)), Ok(Use::Again));

    drop(one);
    other.unshare();
    assert!(matches!(other.find(&token(9)), Found::Unknown), "alone again");
    issue(&other, 6, 600, now);
    drop(other);
    let again = Journal::open(folder.path(), 100, Arc::new(crate::clock::SystemClock::new())).unwrap();
    assert_eq!(again.len(), 4, "1, 4, 5 and 6");
}

/// A clock that is read just before another process writes a later moment down.
#[cfg(feature = "gateway")]
struct Overtaken {
    other: Journal,
    clock_of_other: Arc<FakeBoot>,
}

#[cfg(feature = "gateway")]
impl BootClock for Overtaken {
    fn boot_id(&self) -> String {
        self.clock_of_other.boot_id()
    }

    fn boot_millis(&self) -> i64 {
        let now = self.clock_of_other.millis.fetch_add(5, Ordering::Relaxed);
        block_on(self.other.flush()).unwrap();
        now
    }
}

#[cfg(feature = "gateway")]
#[test]
fn a_process_that_takes_over_loads_tokens_although_the_other_one_writes_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, boot) = (clock(WALL), FakeBoot::new("a", 500_000));
    let one = Journal::open_on(folder.path(), 10, clock.clone(), boot.clone()).unwrap();
    issue(&one, 1, 600, clock.now());
    one.share().unwrap();
    block_on(one.flush()).unwrap();
    let lock = one.lock().unwrap();
    let overtaken = Arc::new(Overtaken { other: one, clock_of_other: boot });
    let other = Journal::try_open(folder.path(), 10, clock, overtaken, Some(lock.into())).unwrap();
    assert!(matches!(other.find(&token(1)), Found::Known(_)));
}
