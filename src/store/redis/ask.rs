//! Queries the engine for a token that is not in memory.

use std::sync::Arc;
use std::time::Duration;

use crate::oauth::token::TokenDigest;
use crate::store::redis::clients;
use crate::store::redis::connect::PATIENCE;
use crate::store::redis::flights::{Answer, Joined};
use crate::store::redis::shared::{Shared, State};
use crate::store::token_store::{Pending, StoreError};
use crate::tasks::task;

/// The wait before a failed query is repeated.
const AGAIN: Duration = Duration::from_millis(10);

/// Queries the engine for a token.
pub(super) fn ask(
    shared: &Arc<Shared>,
    runtime: &tokio::runtime::Handle,
    token: TokenDigest,
) -> Pending<'static, Answer> {
    if shared.tombstones.has(&token) {
        return Pending::Ready(Ok(None));
    }
    let answer = match shared.flights.join(token) {
        Joined::TooMany => {
            shared.stats.unanswered.add(1);
            return Pending::Ready(Err(StoreError::Unavailable));
        }
        Joined::Waits(answer) => answer,
        Joined::First(answer) => {
            let shared = Arc::clone(shared);
            runtime.spawn(task(async move {
                let answer = tokio::time::timeout(PATIENCE, answer_to(&shared, token)).await;
                let answer = answer.unwrap_or(Err(StoreError::Unavailable));
                let counter = match &answer {
                    Ok(Some(_)) => &shared.stats.known,
                    Ok(None) => &shared.stats.unknown,
                    Err(_) => &shared.stats.unanswered,
                };
                counter.add(1);
                shared.flights.land(&token, &answer);
            }));
            answer
        }
    };
    // The sender is dropped if the store ends.
    Pending::Wait(Box::pin(async move { answer.await.unwrap_or(Err(StoreError::Unavailable)) }))
}

async fn answer_to(shared: &Shared, token: TokenDigest) -> Answer {
    let _place = shared.flights.places.acquire().await.map_err(|_| StoreError::Unavailable)?;
    loop {
        shared.flights.spend().await;
        let Ok(fetched) = shared.fetch(&token).await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        // A response that took longer than the lease may be older than a revocation that was confirmed in the
        // meantime.
        if !shared.lease.covers(fetched.sent) {
            continue;
        }
        return Ok(match fetched.state {
            State::Absent => None,
            State::Revoked { logged: _, until } => {
                shared.flights.refund();
                // This gateway refuses the token from now on, even if the engine loses the tombstone.
                shared.bury(token, until);
                None
            }
            State::Token(record) => {
                shared.flights.refund();
                clients::meet(shared, record.grant().client().id()).await?;
                shared.adopt(token, record, fetched.generation)
            }
        });
    }
}
