//! Tokens, grants and calls for the checks.

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::clock::Millis;
use crate::oauth::client::{ClientId, ClientState};
use crate::oauth::grant::{Grant, Record, Terms};
use crate::oauth::scope::Scopes;
use crate::oauth::token::{AccessToken, TokenDigest};
use crate::store::{Found, Pending, TokenStore};

/// Returns the id of the client that all grants are for.
pub(super) fn client_id() -> ClientId {
    let Some(id) = ClientId::new("server") else { unreachable!("the id is well-formed") };
    id
}

/// Makes a grant of tokens that live this many milliseconds.
pub(super) fn grant(lifetime: u64) -> Arc<Grant> {
    grant_to(ClientState::new(client_id()), lifetime)
}

/// Makes a grant in the current epoch of a client.
pub(super) fn grant_to(client: Arc<ClientState>, lifetime: u64) -> Arc<Grant> {
    let lifetime = Duration::from_millis(lifetime);
    let Ok(scopes) = Scopes::parse("read write") else { unreachable!("the scopes are well-formed") };
    let terms = Terms { scopes, lifetime, audience: None, confirmation: None };
    let epoch = client.epoch();
    Arc::new(Grant::new(client, epoch, terms))
}

pub(super) fn token(number: u64) -> TokenDigest {
    let mut random = [0; 32];
    random[..8].copy_from_slice(&number.to_be_bytes());
    AccessToken::from_random(&random).digest()
}

pub(super) fn record(grant: &Arc<Grant>, issued: u64) -> Record {
    Record::new(Arc::clone(grant), Millis::new(issued))
}

#[track_caller]
pub(super) fn insert(store: &dyn TokenStore, number: u64, grant: &Arc<Grant>, issued: u64) {
    let inserted = wait(store.insert(token(number), record(grant, issued)));
    assert_eq!(inserted, Ok(()), "the store accepts a token within its limit");
}

/// Inserts tokens, several at once.
#[track_caller]
pub(super) fn insert_all(store: &dyn TokenStore, numbers: Range<u64>, grant: &Arc<Grant>, issued: u64) {
    for first in numbers.clone().step_by(100) {
        let some = first..numbers.end.min(first + 100);
        let inserted: Vec<_> =
            some.map(|number| store.insert(token(number), record(grant, issued))).collect();
        for inserted in inserted {
            assert_eq!(wait(inserted), Ok(()), "the store accepts a token within its limit");
        }
    }
}

/// Finds a token as a request does.
#[track_caller]
pub(super) fn find(store: &dyn TokenStore, number: u64) -> Option<Record> {
    match store.find(&token(number)) {
        Found::Known(record) => Some(record),
        Found::Unknown => None,
        Found::Ask => match wait(store.ask(token(number))) {
            Ok(found) => found,
            Err(error) => panic!("the store cannot find: {error}"),
        },
    }
}

#[track_caller]
pub(super) fn revoke(store: &dyn TokenStore, number: u64) -> Option<Record> {
    match wait(store.revoke(token(number))) {
        Ok(revoked) => revoked,
        Err(error) => panic!("the store cannot revoke: {error}"),
    }
}

/// Sweeps until no more tokens are due. Returns how many were forgotten.
pub(super) fn sweep(store: &dyn TokenStore, now: u64) -> usize {
    let mut forgotten = 0;
    while store.sweep(Millis::new(now), 100, &mut |_| forgotten += 1) {}
    forgotten
}

/// Waits for a result on this thread.
pub(super) fn wait<T>(pending: Pending<'_, T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut result = pin!(pending.get());
    loop {
        match result.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}
