//! The journal as a store of tokens: memory answers, and changes go to the writer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Journal, lock};
use crate::clock::Millis;
use crate::oauth::client::{ClientId, ClientState};
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;
use crate::store::journal::batch::{Batch, Epoch, Issued};
use crate::store::lasting::Lasting;
use crate::store::token_store::{ClientTable, Found, Health, Pending, StoreError, TokenStore, Use};
use crate::store::used_name::UsedName;

impl TokenStore for Journal {
    fn find(&self, token: &TokenDigest) -> Found {
        match self.memory.find(token) {
            Found::Unknown if self.following.is_active() => Found::Ask,
            found => found,
        }
    }

    fn look(&self, token: &TokenDigest, look: &mut dyn FnMut(&Record)) -> Found<()> {
        match self.memory.look(token, look) {
            Found::Unknown if self.following.is_active() => Found::Ask,
            found => found,
        }
    }

    fn ask(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        Pending::Ready(self.catch_up().map(|()| self.memory.find(&token).known()))
    }

    fn insert(&self, token: TokenDigest, record: Record) -> Pending<'_, Result<(), StoreError>> {
        if self.shared.is_failing() {
            return Pending::Ready(Err(StoreError::Unavailable));
        }
        let (grant, issued) = (Arc::clone(record.grant()), self.on_journal_clock(record.issued()));
        let expires = self.on_journal_clock(record.expires());
        if let Err(full) = self.memory.keep(token, record) {
            return Pending::Ready(Err(full));
        }
        self.last_expiry.fetch_max(expires, Ordering::Relaxed);
        // The lock is held until both are in the queue, so that no token is written before its grant.
        let mut grants = lock(&self.grants);
        let (grant, row) = grants.number(&grant, expires);
        let add = |batch: &mut Batch| {
            batch.grants.extend(row);
            batch.issued.push(Issued { token, grant, issued, expires });
        };
        let written = if self.following.is_active() {
            // The client may present the token to the other process at once.
            self.shared.add_for_good(add)
        } else if self.tokens_wait.load(Ordering::Relaxed) && self.shared.is_late() {
            self.shared.add_until_written(add)
        } else {
            self.shared.add(add);
            return Pending::Ready(Ok(()));
        };
        Pending::Wait(Box::pin(async move {
            written.await.inspect_err(|_| {
                self.memory.remove(&token);
            })
        }))
    }

    fn revoke(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        if let Err(error) = self.catch_up() {
            return Pending::Ready(Err(error));
        }
        let Some(record) = self.memory.remove(&token) else {
            // An earlier call may have revoked the token without being able to promise that it stays revoked.
            let failing = self.shared.is_failing();
            return Pending::Ready(if failing { Err(StoreError::Unavailable) } else { Ok(None) });
        };
        let expires = self.on_journal_clock(record.expires());
        let written = self.shared.add_for_good(|batch| batch.revoked.push((token, expires)));
        Pending::Wait(Box::pin(async move {
            match written.await {
                Ok(()) => Ok(Some(record)),
                Err(error) => {
                    // No caller receives the record any more.
                    record.release();
                    Err(error)
                }
            }
        }))
    }

    fn end_epoch(&self, client: &ClientId, epoch: u32) -> Pending<'_, Result<u32, StoreError>> {
        // The epoch is stored until the last token of an earlier epoch has expired.
        let until = self.last_expiry.load(Ordering::Relaxed).saturating_add(1);
        let ended = Epoch { client: client.as_str().to_owned(), epoch, until };
        let written = self.shared.add_for_good(|batch| batch.epochs.push(ended));
        Pending::Wait(Box::pin(async move { written.await.map(|()| epoch) }))
    }

    fn use_once(&self, name: UsedName, keep: Duration) -> Pending<'_, Result<Use, StoreError>> {
        if let Err(error) = self.catch_up() {
            return Pending::Ready(Err(error));
        }
        let now = self.boot.boot_millis();
        let until = now.saturating_add(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        match self.used.use_once(name, until, now) {
            Ok(Use::First) => {
                let written = self.shared.add_for_good(|batch| batch.used.push((name, until)));
                Pending::Wait(Box::pin(async move { written.await.map(|()| Use::First) }))
            }
            known => Pending::Ready(known),
        }
    }

    fn lasting(&self) -> Option<&dyn Lasting> {
        Some(self)
    }

    fn client_table(&self) -> Option<&dyn ClientTable> {
        Some(self)
    }

    fn client(&self, id: &ClientId) -> Arc<ClientState> {
        self.interner.client(id)
    }

    fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool {
        self.memory.sweep(now, at_most, forgotten)
    }

    fn scan(&self, at_most: usize, look: &mut dyn FnMut(&Record)) -> bool {
        self.memory.scan(at_most, look)
    }

    fn len(&self) -> usize {
        self.memory.len()
    }

    fn health(&self) -> Health {
        if self.shared.is_failing() { Health::ReadOnly } else { Health::Good }
    }
}
