//! Revokes a token, or ends the epoch of a client, on all gateways.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Millis;
use crate::oauth::client::ClientId;
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;
use crate::store::redis::connect::PATIENCE;
use crate::store::redis::entry::{REVOKED, REVOKED_AND_LOGGED, Value};
use crate::store::redis::scripts::Addition;
use crate::store::redis::shared::{Shared, State, lock};
use crate::store::token_store::{BoxFuture, Found, StoreError, TokenStore as _};

/// How much longer the engine stores a tombstone than the remaining lifetime of the token that this gateway
/// knows, in milliseconds.
const LONGER: u64 = 2_000;
/// The maximum time of a revocation, in addition to the lease.
const AT_MOST: Duration = PATIENCE.saturating_mul(2);

/// Revokes a token. `here` is the record of a token that was in memory; it has already been removed from
/// there.
pub(super) async fn revoke(
    shared: Arc<Shared>,
    token: TokenDigest,
    here: Option<Record>,
) -> Result<Option<Record>, StoreError> {
    let done = tokio::time::timeout(AT_MOST, carry_out(&shared, token, here.as_ref())).await;
    let done = done.unwrap_or(Err(StoreError::Unavailable));
    let outcome = match done {
        Ok(carried_out) => finish(&shared, token, carried_out).await,
        Err(error) => Err(error),
    };
    match (outcome, here) {
        // The caller receives the record and frees its place in the client's count.
        (Ok(Carried { was_valid: true, record, .. }), here) => Ok(here.or(record)),
        (outcome, here) => {
            if let Some(record) = here {
                record.release();
            }
            if outcome.is_err() && shared.tombstones.has(&token) {
                shared.tombstones.is_lacking(token);
                // The engine may not have the revocation. This gateway repeats it after a restart, so the
                // journal must have it before the client receives a response.
                if let Some(journal) = &shared.journal {
                    let _ = tokio::time::timeout(AT_MOST, journal.flush().get()).await;
                }
            }
            outcome.map(|_| None)
        }
    }
}

struct Carried {
    /// Whether the token was valid, so that the caller receives its record.
    was_valid: bool,
    record: Option<Record>,
    /// The time until which the tombstone is needed. `None` means that the token does not exist.
    until: Option<Millis>,
    /// A future that completes when the journal has the tombstone.
    journaled: Option<BoxFuture<'static, Result<(), StoreError>>>,
}

impl Carried {
    fn nothing() -> Self {
        Self { was_valid: false, record: None, until: None, journaled: None }
    }
}

/// Writes the tombstone to the engine and the entry to the log.
async fn carry_out(
    shared: &Shared,
    token: TokenDigest,
    here: Option<&Record>,
) -> Result<Carried, StoreError> {
    let (until, fetched, logged) = match here {
        Some(record) => (record.expires(), None, false),
        None => match shared.fetch(&token).await?.state {
            State::Absent => return Ok(Carried::nothing()),
            State::Revoked { logged, until } => (until, None, logged),
            State::Token(record) => (record.expires(), Some(record), false),
        },
    };
    shared.bury(token, until);
    // The following steps may fail, and must then be repeated after a restart.
    let journaled = shared.journal.as_ref().map(|journal| journal.remember_revoked(token, until));
    // The entry is appended again to a fenced engine: the one from before may not have been confirmed.
    if logged && !shared.is_fenced() {
        return Ok(Carried { was_valid: false, record: None, until: Some(until), journaled });
    }
    let left = shared.left(until);
    let before = set(shared, &token, REVOKED, left, false).await?;
    let was_valid = match before.as_deref().map(Value::read) {
        Some(Some(Value::Revoked { .. })) => false,
        // The engine has lost a token that is in the memory of this gateway.
        None => here.is_some(),
        Some(_) => true,
    };
    shared.add_to_log(Addition::Revoked(token, left)).await?;
    if let Some(record) = &fetched {
        // The token was never in memory and is not in the client's count, but the caller will free a place
        // for it.
        let _ = record.grant().client().take_place(record.grant().epoch(), u32::MAX);
    }
    Ok(Carried { was_valid, record: fetched, until: Some(until), journaled })
}

/// Waits until no gateway accepts the token, and until the journal of this gateway has the revocation.
async fn finish(
    shared: &Shared,
    token: TokenDigest,
    mut carried_out: Carried,
) -> Result<Carried, StoreError> {
    let Some(until) = carried_out.until else { return Ok(carried_out) };
    // A gateway that has not read the entry by then has no lease.
    tokio::time::sleep(shared.options.lease).await;
    if let Some(journaled) = carried_out.journaled.take() {
        journaled.await?;
    }
    // The `logged` mark saves an entry if the client retries. It has no other effect, so the caller does not
    // wait for it.
    set(shared, &token, REVOKED_AND_LOGGED, shared.left(until), true).await.ok();
    shared.tombstones.are_carried_out([token].iter());
    Ok(carried_out)
}

/// Waits until no gateway accepts a token that was revoked earlier. Other tokens are not changed.
pub(super) async fn confirm(shared: Arc<Shared>, token: TokenDigest) -> Result<(), StoreError> {
    let fetched = tokio::time::timeout(PATIENCE, shared.fetch(&token)).await;
    match fetched.unwrap_or(Err(StoreError::Unavailable))?.state {
        State::Revoked { .. } => revoke(shared, token, None).await.map(|_| ()),
        // This gateway has revoked the token, and the engine does not know about it yet.
        State::Token(_) if shared.tombstones.has(&token) => Err(StoreError::Unavailable),
        State::Token(_) | State::Absent => Ok(()),
    }
}

/// Writes a tombstone. Returns the previous value.
async fn set(
    shared: &Shared,
    token: &TokenDigest,
    value: &[u8],
    left: u64,
    only_if_there: bool,
) -> Result<Option<Vec<u8>>, StoreError> {
    shared.query(&tombstone(shared, token, value, left, only_if_there)).await
}

/// Makes the command that writes a tombstone.
pub(super) fn tombstone(
    shared: &Shared,
    token: &TokenDigest,
    value: &[u8],
    left: u64,
    only_if_there: bool,
) -> redis::Cmd {
    let mut command = redis::cmd("SET");
    command.arg(shared.keys.token(token)).arg(value).arg("PX").arg(left.saturating_add(LONGER)).arg("GET");
    if only_if_there {
        command.arg("XX");
    }
    command
}

/// Writes the end of an epoch into the journal, in case the engine cannot be reached. The end is in the queue
/// of the journal when this returns.
pub(super) fn remember_end(
    shared: &Shared,
    client: &ClientId,
    epoch: u32,
) -> Option<BoxFuture<'static, Result<(), StoreError>>> {
    shared.registrations.ends(client);
    journal_epoch(shared, client, epoch)
}

fn journal_epoch(
    shared: &Shared,
    client: &ClientId,
    epoch: u32,
) -> Option<BoxFuture<'static, Result<(), StoreError>>> {
    let last_expiry = shared.last_expiry.load(std::sync::atomic::Ordering::Relaxed);
    let until = Millis::new(last_expiry.saturating_add(1));
    shared.journal.as_ref().map(|journal| journal.remember_epoch(client, epoch, until))
}

/// Ends an epoch of a client. Returns the epoch that has begun. `remembered` is what [`remember_end`] has
/// returned.
pub(super) async fn end_epoch(
    shared: Arc<Shared>,
    client: ClientId,
    epoch: u32,
    remembered: Option<BoxFuture<'static, Result<(), StoreError>>>,
) -> Result<u32, StoreError> {
    let added = tokio::time::timeout(AT_MOST, shared.add_to_log(Addition::End(client.clone(), epoch))).await;
    let outcome = async {
        let begun = added.unwrap_or(Err(StoreError::Unavailable))?;
        shared.interner().client(&client).advance_to(begun);
        let second = if begun > epoch { journal_epoch(&shared, &client, begun) } else { None };
        tokio::time::sleep(shared.options.lease).await;
        for journaled in [remembered, second].into_iter().flatten() {
            journaled.await?;
        }
        Ok(begun)
    };
    let outcome = outcome.await;
    if outcome.is_ok() {
        shared.registrations.ended(&client, false, shared.journal.as_ref());
    } else {
        lock(&shared.lacking_epochs).insert(client);
    }
    outcome
}

/// Removes a token from memory, so that this gateway refuses it at once, and returns its record.
pub(super) fn refuse_here(shared: &Shared, token: &TokenDigest) -> Option<Record> {
    let Found::Known(known) = shared.memory.find(token) else { return None };
    shared.tombstones.add(*token, known.expires());
    // Another thread may have removed it first.
    shared.memory.remove(token)
}
