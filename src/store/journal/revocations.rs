//! The journal of a gateway whose tokens are in a shared store. It contains only revocations.

use rusqlite::Row;

use crate::clock::Millis;
use crate::oauth::client::ClientId;
use crate::oauth::token::TokenDigest;
use crate::store::journal::Journal;
use crate::store::journal::batch::{self, Epoch, REVOKED};
use crate::store::journal::error::JournalError;
use crate::store::journal::file;
use crate::store::stored::Interner;
use crate::store::token_store::{BoxFuture, StoreError};

impl Journal {
    /// Returns the table of clients, with the epochs that are in the journal.
    pub(in crate::store) fn interner(&self) -> &Interner {
        &self.interner
    }

    /// Records the revocation of a token that would have expired at `until`. The revocation is in the queue
    /// when this returns, and survives a power loss when the future completes.
    pub(in crate::store) fn remember_revoked(
        &self,
        token: TokenDigest,
        until: Millis,
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        let until = self.on_journal_clock(until);
        self.shared.add_for_good(|batch| batch.revoked.push((token, until)))
    }

    /// Records a revocation by another gateway. It is written with the next batch, after at most 10 ms.
    pub(in crate::store) fn note_revoked(&self, token: TokenDigest, until: Millis) {
        let until = self.on_journal_clock(until);
        self.shared.add(|batch| batch.revoked.push((token, until)));
    }

    /// Records that a client has reached an epoch. The epoch is stored until `until`.
    pub(in crate::store) fn remember_epoch(
        &self,
        client: &ClientId,
        epoch: u32,
        until: Millis,
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        let ended = Epoch { client: client.as_str().to_owned(), epoch, until: self.on_journal_clock(until) };
        self.shared.add_for_good(|batch| batch.epochs.push(ended))
    }

    /// Lists the revoked tokens that have not expired, each with a time at which it has expired.
    pub(in crate::store) fn revoked(&self) -> Result<Vec<(TokenDigest, Millis)>, JournalError> {
        let Some((connection, path)) = file::open_to_read(&self.folder)? else { return Ok(Vec::new()) };
        let now = self.boot.boot_millis();
        let mut revoked = Vec::new();
        let mut read = |row: &Row<'_>| -> rusqlite::Result<()> {
            let (base, end): (i64, i64) = (row.get(0)?, row.get(1)?);
            if end <= now {
                return Ok(());
            }
            let until = Millis::new(u64::try_from(end - self.offset).unwrap_or(0));
            let content = batch::open(REVOKED, base, end, row.get_ref(2)?.as_blob()?);
            revoked.extend(content.into_iter().flat_map(batch::revoked).map(|token| (token, until)));
            Ok(())
        };
        let mut all = || {
            let mut statement =
                connection.prepare("SELECT base, until, blob FROM batches WHERE kind = ?1")?;
            let mut rows = statement.query([REVOKED])?;
            while let Some(row) = rows.next()? {
                read(row)?;
            }
            Ok(())
        };
        all().map_err(|error| JournalError::Sqlite(path.clone(), error))?;
        Ok(revoked)
    }
}
