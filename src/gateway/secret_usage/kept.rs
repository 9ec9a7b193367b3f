//! Reads and merges the recorded use of secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{error, fmt};

use super::earlier_file::EarlierFile;
use super::entry::Entry;
use crate::config::{Config, StoreKind};
use crate::gate::{SecretUsage, SeenSecret};
use crate::json::parse_text;
use crate::state_file::DocumentError;
use crate::store::JournalError;
use crate::store::journal::{UsageRow, usage};

/// The reason why nothing is known about the use of secrets.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum UsageError {
    /// The configuration stores nothing on disk.
    InMemory,
    /// No gateway has run with this state folder.
    Missing(PathBuf),
    /// The journal cannot be read.
    Journal(JournalError),
    /// The file of an earlier version cannot be read, and the journal has no entries.
    Earlier(PathBuf, DocumentError),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InMemory => f.write_str("[store] kind = \"memory\" keeps it in the gateway's memory alone"),
            Self::Missing(folder) => write!(f, "{} has no journal yet", folder.display()),
            Self::Journal(error) => write!(f, "{error}"),
            Self::Earlier(path, error) => write!(f, "{} {error}", path.display()),
        }
    }
}

impl error::Error for UsageError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Journal(error) => Some(error),
            Self::Earlier(_, error) => Some(error),
            Self::InMemory | Self::Missing(_) => None,
        }
    }
}

/// Returns the recorded use of secrets, for the command line.
///
/// # Errors
/// Fails if there are no records.
pub(crate) fn recorded(config: &Config) -> Result<Vec<SeenSecret>, UsageError> {
    if config.store == StoreKind::Memory {
        return Err(UsageError::InMemory);
    }
    let folder = &config.server.state_dir;
    let rows = usage(folder).map_err(UsageError::Journal)?;
    let is_missing = rows.is_none();
    let mut kept = Kept::default();
    rows.into_iter().flatten().for_each(|row| kept.add_row(&row));
    let earlier = EarlierFile::in_folder(folder);
    match earlier.read() {
        Ok(Some(seen)) => seen.into_iter().for_each(|secret| kept.add_same(secret)),
        Ok(None) if is_missing => return Err(UsageError::Missing(folder.clone())),
        Err(error) if kept.0.is_empty() => return Err(UsageError::Earlier(earlier.path().to_owned(), error)),
        Ok(None) | Err(_) => {}
    }
    Ok(kept.seen())
}

/// Returns the rows of the journal in a folder. If they cannot be read, logs the error and returns none.
pub(super) fn rows(folder: &Path) -> Vec<UsageRow> {
    match usage(folder) {
        Ok(rows) => rows.unwrap_or_default(),
        Err(error) => {
            log::warn!("the earlier use of secrets is unknown: {error}");
            Vec::new()
        }
    }
}

/// The use of secrets, merged from several sources.
#[derive(Default)]
pub(super) struct Kept(BTreeMap<(String, String), SeenSecret>);

impl Kept {
    /// Adds a row of the journal. A late row is added to the row of the same secret. A row that was not
    /// written by this program is ignored.
    pub(super) fn add_row(&mut self, row: &UsageRow) {
        let UsageRow { client, secret: id, is_late, entry } = row;
        let Some(secret) = entry.as_deref().and_then(|entry| parse_text::<Entry>(entry).ok()) else {
            return;
        };
        let secret = secret.seen(client, id);
        self.add(secret, if *is_late { sum } else { latest });
    }

    /// Merges the records of another source about the same uses.
    pub(super) fn add_same(&mut self, secret: SeenSecret) {
        self.add(secret, latest);
    }

    fn add(&mut self, secret: SeenSecret, combine: fn(&mut SecretUsage, &SecretUsage)) {
        let key = (secret.client_id.clone(), secret.id.clone());
        match self.0.get_mut(&key) {
            // The record is about an earlier secret with the same id.
            Some(known) if known.fingerprint != secret.fingerprint => {
                if known.usage.since < secret.usage.since {
                    *known = secret;
                }
            }
            Some(known) => combine(&mut known.usage, &secret.usage),
            None => drop(self.0.insert(key, secret)),
        }
    }

    pub(super) fn seen(self) -> Vec<SeenSecret> {
        self.0.into_values().collect()
    }
}

/// Merges two records of the same uses, by choosing the more complete one.
fn latest(one: &mut SecretUsage, other: &SecretUsage) {
    combine(one, other, u64::max);
}

/// Adds two records of different uses.
fn sum(one: &mut SecretUsage, other: &SecretUsage) {
    combine(one, other, u64::saturating_add);
}

fn combine(one: &mut SecretUsage, other: &SecretUsage, counts: fn(u64, u64) -> u64) {
    one.since = one.since.min(other.since);
    one.count = counts(one.count, other.count);
    if other.last_used > one.last_used {
        (one.last_used, one.last_address) = (other.last_used, other.last_address);
    }
    one.refused_count = counts(one.refused_count, other.refused_count);
    if other.last_refused > one.last_refused {
        (one.last_refused, one.last_refused_address) = (other.last_refused, other.last_refused_address);
    }
}

/// Makes the row of a secret.
pub(super) fn row(secret: &SeenSecret, is_late: bool) -> UsageRow {
    // A struct of numbers and strings can always be serialized as JSON.
    let entry = serde_json::to_string(&Entry::of(secret)).ok();
    UsageRow { client: secret.client_id.clone(), secret: secret.id.clone(), is_late, entry }
}

/// Returns the use of a secret since an earlier record, or `None` if it was not used since then.
pub(super) fn since(before: &SecretUsage, now: &SecretUsage) -> Option<SecretUsage> {
    let mut later = SecretUsage::counted_since(now.since);
    later.count = now.count.saturating_sub(before.count);
    later.refused_count = now.refused_count.saturating_sub(before.refused_count);
    if later.count > 0 {
        (later.last_used, later.last_address) = (now.last_used, now.last_address);
    }
    if later.refused_count > 0 {
        (later.last_refused, later.last_refused_address) = (now.last_refused, now.last_refused_address);
    }
    (later.count > 0 || later.refused_count > 0).then_some(later)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn secret(count: u64, last_used: u64) -> SeenSecret {
        let mut usage = SecretUsage::counted_since(Duration::from_secs(10));
        usage.count = count;
        usage.last_used = (count > 0).then(|| Duration::from_secs(last_used));
        SeenSecret::new("a", "1", "00ff", usage)
    }

    #[test]
    fn late_rows_are_added_and_the_earlier_file_repeats_what_the_journal_says() {
        let mut kept = Kept::default();
        kept.add_row(&row(&secret(3, 20), false));
        kept.add_row(&row(&secret(2, 30), true));
        kept.add_same(secret(4, 25));
        assert_eq!(kept.seen(), [secret(5, 30)]);

        let mut kept = Kept::default();
        kept.add_same(secret(4, 25));
        kept.add_row(&UsageRow { entry: Some("{}".to_owned()), ..row(&secret(9, 90), false) });
        kept.add_row(&UsageRow { entry: None, ..row(&secret(9, 90), false) });
        assert_eq!(kept.seen(), [secret(4, 25)], "rows that say nothing");

        let mut kept = Kept::default();
        kept.add_row(&row(&secret(4, 25), false));
        let mut reset =
            SeenSecret::new("a", "1", "00fe", SecretUsage::counted_since(Duration::from_secs(30)));
        kept.add_same(reset.clone());
        assert_eq!(kept.seen(), [reset.clone()], "the later secret of the same id");
        reset.usage.since = Duration::from_secs(5);
    }

    #[test]
    fn the_use_since_a_record_is_what_was_counted_after_it() {
        let (before, now) = (secret(3, 20).usage, secret(5, 40).usage);
        assert_eq!(since(&before, &now).map(|later| later.count), Some(2));
        assert_eq!(since(&now, &now), None);
        let mut sum_of_both = before;
        sum(&mut sum_of_both, &since(&before, &now).unwrap());
        assert_eq!(sum_of_both, now);
    }
}
