//! Loads the file into memory at the start.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Row;

use crate::clock::Millis;
use crate::oauth::client::ClientId;
use crate::oauth::grant::{Grant, Record};
use crate::store::journal::batch::{self, EPOCH, ISSUED, REVOKED, USED};
use crate::store::journal::boot::{Moment, Shift, shift};
use crate::store::journal::client_rows;
use crate::store::journal::error::JournalError;
use crate::store::journal::file::JournalFile;
use crate::store::journal::grant_ids::GrantIds;
use crate::store::journal::used::UsedNames;
use crate::store::memory::MemoryStore;
use crate::store::stored::{Interner, StoredGrant};

/// How much earlier a token ends after a restart than before it. Two readings of the clock can differ by a
/// step of the kernel's tick, and what remains of a lifetime must not grow.
const MARGIN: i64 = 10;

/// A callback that receives each grant of another process, its number, and the time until which the file
/// stores it.
pub(super) type Found<'a> = dyn Fn(&Arc<Grant>, u64, i64) + 'a;

/// The tables that the content of the file is loaded into.
pub(super) struct Target<'a> {
    pub(super) memory: &'a MemoryStore,
    pub(super) interner: &'a Interner,
    pub(super) used: &'a UsedNames,
    /// The difference to add to the gate's clock to get the journal's clock.
    pub(super) offset: i64,
    pub(super) found: Option<&'a Found<'a>>,
}

/// The result of loading a file.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// The tokens that are in memory now.
    pub(super) tokens: usize,
    /// The number of tokens that exceed the limit of the store.
    pub(super) no_room: usize,
    /// Whether all tokens were dropped, because it is unknown how much time has passed.
    pub(super) dropped: bool,
    /// The numbers of the grants. A grant without tokens is not kept alive by its number.
    pub(super) grants: GrantIds,
    /// The registrations of clients.
    pub(super) registrations: HashMap<ClientId, Vec<u8>>,
    /// The rows of registered clients.
    pub(super) registered: Vec<(String, Vec<u8>)>,
    /// When the last token expires.
    pub(super) last_expiry: i64,
    /// The last row that was read.
    pub(super) last_row: i64,
}

/// Loads the whole file. `before` is the last recorded moment. It is read before the clock shows `now`.
pub(super) fn load(
    file: &mut JournalFile,
    before: Option<&Moment>,
    now: &Moment,
    target: &Target<'_>,
) -> Result<Loaded, JournalError> {
    let mut loaded = Loaded::default();
    let by = match before.map(|before| (before, shift(before, now))) {
        None => 0,
        Some((_, Shift::Add(by))) => by,
        Some((before, Shift::Unknown)) => {
            loaded.dropped = true;
            file.drop_tokens().map_err(|error| file.sqlite(error))?;
            // A used name is remembered for the rest of the original time.
            now.boot - before.boot
        }
    };
    file.rebase(by, now).map_err(|error| file.sqlite(error))?;
    // Another process may be writing (an upgrade), so everything is read in one snapshot.
    file.connection().execute_batch("BEGIN").map_err(|error| file.sqlite(error))?;
    let grants = grants(file, now, target, &mut loaded)?;
    loaded.registrations = registrations(file)?;
    let registered = client_rows::rows(file.connection()).map_err(|error| file.sqlite(error))?;
    if registered.damaged > 0 {
        return Err(JournalError::Damaged(file.path().to_owned(), "the checksum of a row is wrong"));
    }
    loaded.registered = registered.rows;
    epochs(file, target)?;
    replay(file, now, target, &grants, &mut loaded)?;
    file.connection().execute_batch("COMMIT").map_err(|error| file.sqlite(error))?;
    loaded.tokens = target.memory.kept();
    Ok(loaded)
}

fn grants(
    file: &JournalFile,
    now: &Moment,
    target: &Target<'_>,
    loaded: &mut Loaded,
) -> Result<HashMap<u64, Arc<Grant>>, JournalError> {
    let mut grants = HashMap::new();
    each(file, "SELECT id, until, blob FROM grants", |row| {
        let (id, until): (i64, i64) = (row.get(0)?, row.get(1)?);
        let id = id.cast_unsigned();
        loaded.grants.skip(id);
        if until <= now.boot {
            return Ok(true);
        }
        let Some(grant) = grant(id, row.get_ref(2)?.as_blob()?, target) else { return Ok(false) };
        loaded.grants.keep(&grant, id, until);
        grants.insert(id, grant);
        Ok(true)
    })?;
    Ok(grants)
}

fn registrations(file: &JournalFile) -> Result<HashMap<ClientId, Vec<u8>>, JournalError> {
    let mut registrations = HashMap::new();
    each(file, "SELECT id, registration FROM clients", |row| {
        let Some(client) = ClientId::new(row.get_ref(0)?.as_str()?) else { return Ok(false) };
        registrations.insert(client, row.get(1)?);
        Ok(true)
    })?;
    Ok(registrations)
}

/// Reads the blob of a grant. Returns `None` if it is damaged.
pub(super) fn grant(id: u64, blob: &[u8], target: &Target<'_>) -> Option<Arc<Grant>> {
    let stored = StoredGrant::from_bytes(batch::open_grant(id, blob)?)?;
    // No token was issued in an epoch that had not begun.
    target.interner.client(&stored.client).advance_to(stored.epoch);
    Some(target.interner.grant(&stored))
}

fn epochs(file: &JournalFile, target: &Target<'_>) -> Result<(), JournalError> {
    each(file, &format!("SELECT base, until, blob FROM batches WHERE kind = {EPOCH}"), |row| {
        let content = batch::open(EPOCH, row.get(0)?, row.get(1)?, row.get_ref(2)?.as_blob()?);
        Ok(content.is_some_and(|content| epoch(content, target)))
    })
}

/// Returns whether the content is undamaged.
fn epoch(content: &[u8], target: &Target<'_>) -> bool {
    let Some((client, epoch)) = batch::epoch(content) else { return false };
    let Some(client) = ClientId::new(client) else { return false };
    target.interner.client(&client).advance_to(epoch);
    true
}

/// Applies the rows of the file to memory, in their order.
fn replay(
    file: &JournalFile,
    now: &Moment,
    target: &Target<'_>,
    grants: &HashMap<u64, Arc<Grant>>,
    loaded: &mut Loaded,
) -> Result<(), JournalError> {
    each(file, "SELECT kind, base, until, blob, seq FROM batches ORDER BY seq", |row| {
        let (kind, base): (u8, i64) = (row.get(0)?, row.get(1)?);
        let content = batch::open(kind, base, row.get(2)?, row.get_ref(3)?.as_blob()?);
        let Some(content) = content else { return Ok(false) };
        loaded.last_row = row.get(4)?;
        Ok(apply(kind, base, content, now.boot, target, grants, loaded))
    })
}

/// Applies one row to memory. Returns whether its content is undamaged.
pub(super) fn apply(
    kind: u8,
    base: i64,
    content: &[u8],
    now: i64,
    target: &Target<'_>,
    grants: &HashMap<u64, Arc<Grant>>,
    loaded: &mut Loaded,
) -> bool {
    match kind {
        ISSUED => {
            for (token, grant, issued) in batch::issued(content, base) {
                // A grant that is missing has ended, or all its tokens have expired.
                let Some(grant) = grants.get(&grant).filter(|grant| grant.is_current()) else { continue };
                // A token from before the origin of the gate's clock cannot be expressed, so it ends.
                let Ok(issued) = u64::try_from(issued - target.offset - MARGIN) else { continue };
                let record = Record::new(Arc::clone(grant), Millis::new(issued));
                let expires = i64::try_from(record.expires().as_u64()).unwrap_or(i64::MAX);
                let expires = expires.saturating_add(target.offset);
                if expires <= now {
                    continue;
                }
                loaded.last_expiry = loaded.last_expiry.max(expires);
                match target.memory.keep(token, record) {
                    Ok(()) => {
                        let _ = grant.client().take_place(grant.epoch(), u32::MAX);
                    }
                    Err(_) => loaded.no_room += 1,
                }
            }
        }
        REVOKED => {
            for token in batch::revoked(content) {
                if let Some(record) = target.memory.remove(&token) {
                    record.release();
                }
            }
        }
        EPOCH => return epoch(content, target),
        USED => {
            for (name, until) in batch::used(content, base).filter(|(_, until)| *until > now) {
                // A file with more names than there is room for was written by a version with more room.
                let _ = target.used.use_once(name, until, now);
            }
        }
        _ => {}
    }
    true
}

/// Calls `read` for each row. `read` returns `false` for a damaged row.
///
/// A damaged file is not used at all: a revocation may be in the part that cannot be read.
fn each(
    file: &JournalFile,
    query: &str,
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<bool>,
) -> Result<(), JournalError> {
    let mut all = || {
        let mut statement = file.connection().prepare(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if !read(row)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    match all() {
        Ok(true) => Ok(()),
        Ok(false) => Err(JournalError::Damaged(file.path().to_owned(), "the checksum of a row is wrong")),
        Err(error) => Err(file.sqlite(error)),
    }
}
