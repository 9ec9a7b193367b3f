//! Writes to an engine, over a new connection, what the engine may have lost.

use redis::Pipeline;
use tokio::task::JoinSet;

use crate::clock::Millis;
use crate::oauth::client::ClientId;
use crate::oauth::token::TokenDigest;
use crate::store::redis::connect::{Data, Link};
use crate::store::redis::entry::{self, REVOKED, REVOKED_AND_LOGGED, Value};
use crate::store::redis::error::EngineError;
use crate::store::redis::revoke::tombstone;
use crate::store::redis::scripts::{Addition, append};
use crate::store::redis::shared::{Shared, lock};
use crate::store::stored::StoredGrant;

/// The maximum number of commands in flight.
const AT_ONCE: usize = 256;

/// How much is written to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The entries that the engine has not confirmed.
    Unconfirmed,
    /// Everything that the engine may have lost, because its history is not the one from before.
    Everything,
}

/// Writes tombstones, epochs and recently issued tokens to the engine.
pub(super) async fn replay(shared: &Shared, link: &Link, extent: Extent) -> Result<(), EngineError> {
    let all = extent == Extent::Everything;
    let tombstones = shared.tombstones.list(all);
    for some in tombstones.chunks(AT_ONCE) {
        replay_tombstones(shared, link, some).await?;
    }
    let known = if all { shared.interner().epochs() } else { Vec::new() };
    let lacking: Vec<ClientId> = lock(&shared.lacking_epochs).iter().cloned().collect();
    let known = known.into_iter().map(|(client, epoch)| Addition::Epoch(client, epoch));
    let ends = lacking.iter().map(|client| {
        // The epoch has already ended on this gateway. Tokens that others have issued in it since then end
        // too.
        Addition::End(client.clone(), shared.interner().client(client).epoch())
    });
    let additions: Vec<Addition> = known.chain(ends).collect();
    let mut writes = link.writes.clone();
    for some in additions.chunks(AT_ONCE) {
        let epochs = append(&mut writes, &shared.keys, some.iter()).await?;
        for (addition, epoch) in some.iter().zip(epochs) {
            if let Addition::Epoch(client, _) | Addition::End(client, _) = addition {
                shared.interner().client(client).advance_to(epoch);
                if lock(&shared.lacking_epochs).remove(client) {
                    shared.registrations.ended(client, true, shared.journal.as_ref());
                }
            }
        }
    }
    if all {
        let recent = shared.recent.list(shared.clock.now());
        let commands: Vec<_> = recent
            .iter()
            .map(|(token, record)| {
                let value = entry::token(&StoredGrant::of(record.grant()));
                keep(shared, token, &value, shared.left(record.expires()))
            })
            .collect();
        for some in commands.chunks(AT_ONCE) {
            let _: Vec<redis::Value> = each(&link.data, some.to_vec()).await?;
        }
    }
    Ok(())
}

/// Makes the command that stores a token, unless its key has a value. A tombstone is not replaced.
pub(super) fn keep(shared: &Shared, token: &TokenDigest, value: &[u8], left: u64) -> redis::Cmd {
    let mut command = redis::cmd("SET");
    command.arg(shared.keys.token(token)).arg(value).arg("NX").arg("PX").arg(left.max(1));
    command
}

async fn replay_tombstones(
    shared: &Shared,
    link: &Link,
    tombstones: &[(TokenDigest, Millis)],
) -> Result<(), EngineError> {
    let set = |value, only_if_there| {
        let command = |(token, until): &(TokenDigest, Millis)| {
            tombstone(shared, token, value, shared.left(*until), only_if_there)
        };
        tombstones.iter().map(command).collect::<Vec<_>>()
    };
    let before: Vec<Option<Vec<u8>>> = each(&link.data, set(REVOKED, false)).await?;
    let logged = |value: &Option<Vec<u8>>| {
        value.as_deref().and_then(Value::read) == Some(Value::Revoked { logged: true })
    };
    let additions: Vec<Addition> = tombstones
        .iter()
        .zip(&before)
        .filter(|(_, before)| !logged(before))
        .map(|((token, until), _)| Addition::Revoked(*token, shared.left(*until)))
        .collect();
    if !additions.is_empty() {
        append(&mut link.writes.clone(), &shared.keys, additions.iter()).await?;
    }
    let _: Vec<redis::Value> = each(&link.data, set(REVOKED_AND_LOGGED, true)).await?;
    shared.tombstones.are_carried_out(tombstones.iter().map(|(token, _)| token));
    Ok(())
}

/// Runs commands for different tokens. The responses have the order of the commands.
async fn each<T: redis::FromRedisValue + Send + 'static>(
    data: &Data,
    commands: Vec<redis::Cmd>,
) -> Result<Vec<T>, EngineError> {
    if let Data::One(_) = data {
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command);
        }
        return data.clone().query_all(&pipeline).await;
    }
    // The keys are on different nodes.
    let mut tasks = JoinSet::new();
    let count = commands.len();
    for (at, command) in commands.into_iter().enumerate() {
        let mut data = data.clone();
        tasks.spawn(async move { (at, data.query::<T>(&command).await) });
    }
    let mut answers: Vec<Option<T>> = std::iter::repeat_with(|| None).take(count).collect();
    while let Some(done) = tasks.join_next().await {
        let Ok((at, answer)) = done else { return Err(EngineError::Silent) };
        answers[at] = Some(answer?);
    }
    Ok(answers.into_iter().flatten().collect())
}
