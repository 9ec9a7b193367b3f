//! Revoking a token, and ending the epoch of a client, everywhere.

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

/// How much longer the engine keeps a tombstone than this gateway thinks that the token lives, in milliseconds.
const LONGER: u64 = 2_000;
/// How long a revocation may take apart from the lease.
const AT_MOST: Duration = PATIENCE.saturating_mul(2);

/// Revokes a token. `here` is its record if it was in memory, from which it is removed already.
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
        // The record goes to the caller, who gives its place back.
        (Ok(Carried { was_valid: true, record, .. }), here) => Ok(here.or(record)),
        (outcome, here) => {
            if let Some(record) = here {
                record.release();
            }
            if outcome.is_err() && shared.tombstones.has(&token) {
                shared.tombstones.is_lacking(token);
            }
            outcome.map(|_| None)
        }
    }
}

struct Carried {
    /// Whether the token was valid, so that its record is the caller's.
    was_valid: bool,
    record: Option<Record>,
    /// When the tombstone is not needed any more. `None` means that there is no such token.
    until: Option<Millis>,
    /// Ends when the journal has the tombstone.
    journaled: Option<BoxFuture<'static, Result<(), StoreError>>>,
}

impl Carried {
    fn nothing() -> Self {
        Self { was_valid: false, record: None, until: None, journaled: None }
    }
}

/// Puts the tombstone into the engine and the entry into its log.
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
    // What follows may fail, and must be repeated after a restart then.
    let journaled = shared.journal.as_ref().map(|journal| journal.remember_revoked(token, until));
    if logged {
        return Ok(Carried { was_valid: false, record: None, until: Some(until), journaled });
    }
    let left = shared.left(until);
    let before = set(shared, &token, REVOKED, left, false).await?;
    let was_valid = match before.as_deref().map(Value::read) {
        Some(Some(Value::Revoked { .. })) => false,
        // The engine has lost a token that this gateway knows.
        None => here.is_some(),
        Some(_) => true,
    };
    shared.add_to_log(Addition::Revoked(token, left)).await?;
    if let Some(record) = &fetched {
        // It was never in memory, so it has no place among the tokens of its client, and the caller gives one back.
        let _ = record.grant().client().take_place(record.grant().epoch(), u32::MAX);
    }
    Ok(Carried { was_valid, record: fetched, until: Some(until), journaled })
}

/// Waits until nobody accepts the token any more, and until this gateway remembers that over a restart.
async fn finish(
    shared: &Shared,
    token: TokenDigest,
    mut carried_out: Carried,
) -> Result<Carried, StoreError> {
    let Some(until) = carried_out.until else { return Ok(carried_out) };
    // Whoever has not read the entry by then has no lease.
    tokio::time::sleep(shared.options.lease).await;
    if let Some(journaled) = carried_out.journaled.take() {
        journaled.await?;
    }
    // That it is logged spares a retry of the client an entry. It changes nothing else, so nobody waits for it.
    set(shared, &token, REVOKED_AND_LOGGED, shared.left(until), true).await.ok();
    shared.tombstones.are_carried_out([token].iter());
    Ok(carried_out)
}

/// Waits until nobody accepts a token that was revoked before. Any other token is left as it is.
pub(super) async fn confirm(shared: Arc<Shared>, token: TokenDigest) -> Result<(), StoreError> {
    let fetched = tokio::time::timeout(PATIENCE, shared.fetch(&token)).await;
    match fetched.unwrap_or(Err(StoreError::Unavailable))?.state {
        State::Revoked { .. } => revoke(shared, token, None).await.map(|_| ()),
        // It was revoked here, and the engine does not know that yet.
        State::Token(_) if shared.tombstones.has(&token) => Err(StoreError::Unavailable),
        State::Token(_) | State::Absent => Ok(()),
    }
}

/// Writes a tombstone. Returns what was there before.
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

/// Ends an epoch of a client. Returns the one that has begun.
pub(super) async fn end_epoch(shared: Arc<Shared>, client: ClientId, epoch: u32) -> Result<u32, StoreError> {
    let until = Millis::new(shared.last_expiry.load(std::sync::atomic::Ordering::Relaxed).saturating_add(1));
    let journaled =
        |epoch| shared.journal.as_ref().map(|journal| journal.remember_epoch(&client, epoch, until));
    // In the journal before anything else, in case that the engine cannot be reached.
    let first = journaled(epoch);
    let added = tokio::time::timeout(AT_MOST, shared.add_to_log(Addition::End(client.clone(), epoch))).await;
    let outcome = async {
        let begun = added.unwrap_or(Err(StoreError::Unavailable))?;
        shared.interner().client(&client).advance_to(begun);
        let second = if begun > epoch { journaled(begun) } else { None };
        tokio::time::sleep(shared.options.lease).await;
        for journaled in [first, second].into_iter().flatten() {
            journaled.await?;
        }
        Ok(begun)
    };
    let outcome = outcome.await;
    if outcome.is_err() {
        lock(&shared.lacking_epochs).insert(client);
    }
    outcome
}

/// Takes a token out of memory, so that it is refused here at once, and returns its record.
pub(super) fn refuse_here(shared: &Shared, token: &TokenDigest) -> Option<Record> {
    let Found::Known(known) = shared.memory.find(token) else { return None };
    shared.tombstones.add(*token, known.expires());
    // Somebody else may have been faster.
    shared.memory.remove(token)
}
