//! Writes the use of secrets to the journal, on behalf of one process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::earlier_file::EarlierFile;
use super::kept::{Kept, row, rows, since};
use crate::gate::{Gate, SeenSecret};
use crate::gateway::store::block_on;
use crate::store::Journal;
use crate::store::journal::UsageRow;

/// Writes changed counts to the journal.
///
/// While two processes share the journal (an upgrade), only the new process writes the regular rows. The old
/// process writes *late* rows, with the uses that it has counted since the new process read the journal. The
/// new process adds the late rows when the old process has ended.
pub(super) struct Record {
    journal: Arc<Journal>,
    folder: PathBuf,
    /// The rows that this process has written last.
    written: Vec<SeenSecret>,
    /// Rows to delete with the next ones.
    obsolete: Vec<UsageRow>,
    /// The rows that another process read when it took over.
    handed_over: Option<Vec<SeenSecret>>,
}

impl Record {
    /// Restores the uses from the journal and from the file of an earlier version.
    pub(super) fn start(gate: &Gate, journal: Arc<Journal>, folder: &Path, alone: bool) -> Self {
        let mut kept = Kept::default();
        let rows = rows(folder);
        // The late rows of a process that still runs are incomplete.
        let complete = rows.iter().filter(|row| alone || !row.is_late);
        complete.for_each(|row| kept.add_row(row));
        let earlier = EarlierFile::in_folder(folder);
        let has_earlier = match earlier.read() {
            Ok(None) => false,
            Ok(Some(seen)) => {
                seen.into_iter().for_each(|secret| kept.add_same(secret));
                true
            }
            Err(error) => {
                let aside = match earlier.rename("json.unread") {
                    Ok(aside) => format!("it is kept as {}", aside.display()),
                    Err(error) => format!("and it cannot be moved away: {error}"),
                };
                log::warn!(
                    "the use of secrets in {} is unknown: it {error} ({aside})",
                    earlier.path().display()
                );
                false
            }
        };
        gate.restore_seen_secrets(&kept.seen());
        let seen = gate.seen_secrets();
        let known: HashMap<_, _> = seen.iter().map(|secret| (key(secret), ())).collect();
        let is_obsolete = |row: &UsageRow| match row.is_late {
            true => alone,
            false => !known.contains_key(&(row.client.as_str(), row.secret.as_str())),
        };
        let obsolete = rows.into_iter().filter(is_obsolete).map(deleted).collect();
        let folder = folder.to_owned();
        let mut record = Self { journal, folder, written: Vec::new(), obsolete, handed_over: None };
        if alone && has_earlier {
            record.write(seen);
            // If the file were renamed before the rows are durable, a power loss would lose both.
            if matches!(block_on(record.journal.flush()), Ok(Ok(()))) {
                record.leave_earlier_file();
            }
        }
        record
    }

    /// Writes what has changed since the last call. While the journal cannot be written, the next call tries
    /// again.
    pub(super) fn write(&mut self, seen: Vec<SeenSecret>) {
        let (now, is_late) = match &self.handed_over {
            None => (seen, false),
            Some(before) => (later(before, seen), true),
        };
        if now == self.written && self.obsolete.is_empty() {
            return;
        }
        let mut rows = self.obsolete.clone();
        rows.extend(changes(&self.written, &now, is_late));
        if self.journal.keep_usage(rows).is_ok() {
            self.written = now;
            self.obsolete.clear();
        }
    }

    /// Switches to late rows. Everything else must have been written.
    pub(super) fn hand_over(&mut self) {
        if self.handed_over.is_none() {
            self.handed_over = Some(std::mem::take(&mut self.written));
        }
    }

    /// Writes all rows again, because another process may have changed them before it failed.
    pub(super) fn resume(&mut self) {
        if self.handed_over.take().is_some() {
            let late = std::mem::take(&mut self.written);
            self.obsolete.extend(late.iter().map(|secret| deleted(row(secret, true))));
        }
    }

    /// Adds the late rows of a process that has ended.
    pub(super) fn absorb(&mut self, gate: &Gate) {
        let late: Vec<UsageRow> = rows(&self.folder).into_iter().filter(|row| row.is_late).collect();
        let mut kept = Kept::default();
        late.iter().for_each(|row| kept.add_row(row));
        gate.restore_seen_secrets(&kept.seen());
        self.obsolete.extend(late.into_iter().map(deleted));
        self.leave_earlier_file();
    }

    /// Renames the file of an earlier version, if there is one, so that it is not read again.
    fn leave_earlier_file(&self) {
        let earlier = EarlierFile::in_folder(&self.folder);
        match earlier.rename("json.imported") {
            Ok(to) => log::info!(
                "the use of secrets in {} is in the journal now; the file is kept as {}",
                earlier.path().display(),
                to.display()
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => log::warn!("{} cannot be renamed: {error}", earlier.path().display()),
        }
    }
}

fn key(secret: &SeenSecret) -> (&str, &str) {
    (&secret.client_id, &secret.id)
}

fn deleted(row: UsageRow) -> UsageRow {
    UsageRow { entry: None, ..row }
}

/// Returns the uses that were counted since `before`.
fn later(before: &[SeenSecret], now: Vec<SeenSecret>) -> Vec<SeenSecret> {
    let before: HashMap<_, _> = before.iter().map(|secret| (key(secret), secret)).collect();
    let later = |secret: SeenSecret| {
        let known = before.get(&key(&secret)).filter(|known| known.fingerprint == secret.fingerprint);
        let usage = since(&known.map_or_else(Default::default, |known| known.usage), &secret.usage)?;
        Some(SeenSecret { usage, ..secret })
    };
    now.into_iter().filter_map(later).collect()
}

/// Returns the rows that turn `before` into `now`.
fn changes(before: &[SeenSecret], now: &[SeenSecret], is_late: bool) -> Vec<UsageRow> {
    let mut before: HashMap<_, _> = before.iter().map(|secret| (key(secret), secret)).collect();
    let mut rows = Vec::new();
    for secret in now {
        if before.remove(&key(secret)) != Some(secret) {
            rows.push(row(secret, is_late));
        }
    }
    rows.extend(before.into_values().map(|gone| deleted(row(gone, is_late))));
    rows
}
