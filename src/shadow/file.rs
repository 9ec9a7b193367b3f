//! The file that keeps the observations of shadow mode across restarts.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::counts::{Counts, DAYS, Day, Week};
use super::learned::{Caller, Learned, Table, Taken};
use super::refusal::Refusal;
use crate::sorting::{collect_sorted, sort_by_key};
use crate::state_file::{self, DocumentError, read_document};

const NAME: &str = "shadow.json";
/// The name of the file with what a process learned after another one had taken over.
const LATE_NAME: &str = "shadow.late.json";
/// The version that this program writes and reads.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    /// By the name of the route.
    routes: BTreeMap<String, RouteEntry>,
}

#[derive(Serialize, Deserialize)]
struct RouteEntry {
    since: u64,
    /// Day since 1970, passed, refused.
    days: Vec<(u64, u64, u64)>,
    clients: BTreeMap<String, Entry>,
    callers: BTreeMap<IpAddr, CallerEntry>,
    others: Entry,
}

#[derive(Serialize, Deserialize)]
struct CallerEntry {
    user_agent: Option<String>,
    #[serde(flatten)]
    counts: Entry,
}

/// Times are seconds since 1970; 0 is never.
#[derive(Serialize, Deserialize)]
struct Entry {
    passed: u64,
    refused: BTreeMap<String, u64>,
    first_seen: u64,
    last_passed: u64,
    last_refused: u64,
    refused_last: bool,
}

impl Entry {
    fn of(counts: &Counts) -> Self {
        let kinds = Refusal::ALL.into_iter().zip(counts.refused).filter(|(_, count)| *count > 0);
        Self {
            passed: counts.passed,
            refused: collect_sorted(kinds.map(|(kind, count)| (kind.as_str().to_owned(), count))),
            first_seen: counts.first_seen,
            last_passed: counts.last_passed,
            last_refused: counts.last_refused,
            refused_last: counts.refused_last,
        }
    }

    fn counts(&self) -> Counts {
        let mut refused = [0; Refusal::ALL.len()];
        for (name, count) in &self.refused {
            if let Some(at) = Refusal::named(name).and_then(|kind| refused.get_mut(kind as usize)) {
                *at = *count;
            }
        }
        Counts {
            passed: self.passed,
            refused,
            first_seen: self.first_seen,
            last_passed: self.last_passed,
            last_refused: self.last_refused,
            refused_last: self.refused_last,
        }
    }
}

impl RouteEntry {
    fn of(table: &Table) -> Self {
        let caller = |caller: &Caller| CallerEntry {
            user_agent: caller.user_agent.as_deref().map(str::to_owned),
            counts: Entry::of(&caller.counts),
        };
        let clients = table.clients.iter().map(|(id, counts)| (id.to_string(), Entry::of(counts)));
        Self {
            since: table.since,
            days: table.week.0.iter().map(|day| (day.day, day.passed, day.refused)).collect(),
            clients: collect_sorted(clients),
            callers: collect_sorted(table.callers.iter().map(|(address, known)| (*address, caller(known)))),
            others: Entry::of(&table.others),
        }
    }

    fn table(self) -> Table {
        let mut days: Vec<Day> =
            self.days.into_iter().map(|(day, passed, refused)| Day { day, passed, refused }).collect();
        sort_by_key(&mut days, |day| day.day);
        days.drain(..days.len().saturating_sub(DAYS));
        let caller = |entry: CallerEntry| Caller {
            counts: entry.counts.counts(),
            user_agent: entry.user_agent.map(Into::into),
        };
        Table {
            since: self.since,
            week: Week(days),
            clients: self.clients.iter().map(|(id, entry)| (id.as_str().into(), entry.counts())).collect(),
            callers: self
                .callers
                .into_iter()
                .map(|(address, entry)| (address, caller(entry)))
                .collect::<HashMap<_, _>>(),
            others: self.others.counts(),
        }
    }
}

/// The location of the file.
#[derive(Debug, Clone)]
pub(crate) struct ShadowFile {
    path: PathBuf,
}

impl ShadowFile {
    /// Returns the file in a state folder.
    pub(crate) fn in_folder(state_dir: &Path) -> Self {
        Self { path: state_dir.join(NAME) }
    }

    /// Returns the file in a state folder with what a process learned after another one had taken over.
    pub(crate) fn late_in_folder(state_dir: &Path) -> Self {
        Self { path: state_dir.join(LATE_NAME) }
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the content of the file to `learned`, for the routes about which nothing is known yet. A missing
    /// file counts as empty.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or was not written by this program.
    pub(crate) fn restore(&self, learned: &Learned) -> Result<(), DocumentError> {
        let Some(document) = read_document::<Document>(&self.path, VERSION)? else { return Ok(()) };
        for (name, entry) in document.routes {
            learned.route(&name).restore(entry.table());
        }
        Ok(())
    }

    /// Adds the content of the file to what `learned` already has, and removes the file.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or was not written by this program. Nothing is added then.
    pub(crate) fn absorb(&self, learned: &Learned) -> Result<(), DocumentError> {
        let Some(document) = read_document::<Document>(&self.path, VERSION)? else { return Ok(()) };
        // First, so that it cannot be counted twice.
        fs::remove_file(&self.path).map_err(DocumentError::Unreadable)?;
        for (name, entry) in document.routes {
            learned.route(&name).add(entry.table());
        }
        learned.set_changed();
        Ok(())
    }

    /// Replaces the content of the file with the observations, if they changed since the last save.
    ///
    /// # Errors
    /// Fails if the file cannot be replaced. The next call tries again.
    pub(crate) fn save(&self, learned: &Learned) -> io::Result<()> {
        if !learned.take_changed() {
            return Ok(());
        }
        let tables = learned.routes().into_iter().map(|route| (route.name().to_owned(), route.table()));
        let tables: Vec<(String, Table)> = tables.collect();
        let written = self.write(tables.iter().map(|(name, table)| (name.as_str(), table)));
        if written.is_err() {
            learned.set_changed();
        }
        written
    }

    /// Replaces the content of the file with observations that were taken. Without any, nothing is written.
    ///
    /// # Errors
    /// Fails if the file cannot be replaced.
    pub(crate) fn save_taken(&self, taken: &Taken) -> io::Result<()> {
        if taken.tables().all(|(_, table)| table.since == 0) { Ok(()) } else { self.write(taken.tables()) }
    }

    fn write<'t>(&self, tables: impl Iterator<Item = (&'t str, &'t Table)>) -> io::Result<()> {
        let routes = tables.filter(|(_, table)| table.since != 0);
        let routes = collect_sorted(routes.map(|(name, table)| (name.to_owned(), RouteEntry::of(table))));
        let text = serde_json::to_vec(&Document { version: VERSION, routes }).map_err(io::Error::from)?;
        state_file::replace(&self.path, &text, 0o600)
    }

    /// Renames the file at the path. Returns the new path.
    ///
    /// # Errors
    /// Fails if the system refuses.
    pub(crate) fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = self.path.with_extension("json.unread");
        fs::rename(&self.path, &aside)?;
        Ok(aside)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use super::super::learned::Seen;
    use super::*;

    #[test]
    fn observations_are_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = ShadowFile::in_folder(&dir.path().join("state"));
        let learned = Learned::default();
        file.restore(&learned).unwrap();
        file.save(&learned).unwrap();
        assert!(!file.path().exists(), "nothing was learned");
        let route = learned.route("GET /a/*");
        for (client, refused, now) in [
            (None, Some(Refusal::NoToken), 86_400),
            (Some("shop"), Some(Refusal::MissingScope), 2 * 86_400),
            (Some("shop"), None, 3 * 86_400),
        ] {
            let address = "2001:db8::7".parse().unwrap();
            let now = Duration::from_secs(now);
            route.learn(&Seen { client, address, user_agent: Some(b"\"curl\""), refused, now });
        }
        file.save(&learned).unwrap();
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Learned::default();
        file.restore(&again).unwrap();
        assert_eq!(again.route("GET /a/*").table(), route.table());
        assert_eq!(route.table().week.0.len(), 3);
        file.restore(&again).unwrap();
        assert_eq!(again.route("GET /a/*").table(), route.table(), "it is not counted twice");
    }

    #[test]
    fn what_is_learned_after_a_takeover_is_added() {
        let dir = tempfile::tempdir().unwrap();
        let (file, late) = (ShadowFile::in_folder(dir.path()), ShadowFile::late_in_folder(dir.path()));
        let address = |last: u8| std::net::Ipv4Addr::new(10, 0, 0, last).into();
        let seen = |client, last, refused, now| {
            let now = Duration::from_secs(now);
            Seen { client, address: address(last), user_agent: Some(b"curl"), refused, now }
        };
        // The old process saves what it knows, and goes on with its open connections.
        let (old, new) = (Learned::default(), Learned::default());
        old.route("/a").learn(&seen(Some("shop"), 1, Some(Refusal::MissingScope), 1_000));
        old.route("/a").learn(&seen(None, 2, Some(Refusal::NoToken), 2_000));
        let taken = old.take();
        file.save_taken(&taken).unwrap();
        file.restore(&new).unwrap();
        new.route("/a").learn(&seen(Some("shop"), 1, None, 4_000));
        old.route("/a").learn(&seen(Some("shop"), 1, None, 3_000));
        old.route("/a").learn(&seen(None, 3, Some(Refusal::NoToken), 100_000));
        late.save(&old).unwrap();
        late.absorb(&new).unwrap();
        assert!(!late.path().exists());
        late.absorb(&new).unwrap();
        let table = new.route("/a").table();
        let shop = &table.clients["shop"];
        assert_eq!((shop.passed, shop.refused_in_all(), shop.last_passed), (2, 1, 4_000));
        assert_eq!((table.since, table.callers.len()), (1_000, 2));
        assert_eq!(table.week.sums(Duration::from_secs(100_000)), (2, 3));
        // If the other process fails, the old one has both.
        old.give_back(taken);
        let table = old.route("/a").table();
        assert_eq!((table.clients["shop"].passed, table.callers.len()), (1, 2));
        assert_eq!(table.week.sums(Duration::from_secs(100_000)), (1, 3));
    }

    #[test]
    fn a_foreign_file_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let file = ShadowFile::in_folder(dir.path());
        for (text, said) in [
            ("", "EOF"),
            ("[1]", "not what this program writes"),
            ("{\"version\": 2, \"routes\": []}", "another version of this program (2)"),
            ("{\"version\": 1, \"routes\": {\"a\": 1}}", "not what this program writes"),
        ] {
            fs::write(file.path(), text).unwrap();
            let error = file.restore(&Learned::default()).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert!(file.set_aside().unwrap().exists() && !file.path().exists());
    }
}
