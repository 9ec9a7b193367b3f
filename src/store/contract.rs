//! What every [`TokenStore`] must do, run on each of them.

use std::sync::Arc;
use std::time::Duration;

use super::{MemoryStore, StoreError, TokenStore};
use crate::clock::Millis;
use crate::oauth::client::{ClientId, ClientState};
use crate::oauth::grant::{Grant, Record, Terms};
use crate::oauth::scope::Scopes;
use crate::oauth::token::{AccessToken, TokenDigest};

fn grant(lifetime: u64) -> Arc<Grant> {
    let client = ClientState::new(ClientId::new("server").unwrap());
    let lifetime = Duration::from_millis(lifetime);
    let terms = Terms { scopes: Scopes::none(), lifetime, audience: None, confirmation: None };
    Arc::new(Grant::new(client, 0, terms))
}

fn token(number: u64) -> TokenDigest {
    let mut random = [0; 32];
    random[..8].copy_from_slice(&number.to_be_bytes());
    AccessToken::from_random(&random).digest()
}

fn record(grant: &Arc<Grant>, issued: u64) -> Record {
    Record::new(Arc::clone(grant), Millis::new(issued))
}

/// Sweeps until nothing is due; how many went.
fn sweep(store: &dyn TokenStore, now: u64) -> usize {
    let mut gone = 0;
    while store.sweep(Millis::new(now), 100, &mut |_| gone += 1) {}
    gone
}

fn contract(make: &dyn Fn(usize) -> Box<dyn TokenStore>) {
    let grant = grant(10_000);

    let store = make(10);
    assert!(store.is_empty());
    assert!(store.find(&token(1)).unwrap().is_none());
    store.insert(token(1), record(&grant, 500)).unwrap();
    assert_eq!(store.find(&token(1)).unwrap().unwrap().expires(), Millis::new(10_500));
    let mut shown = Vec::new();
    assert!(store.look(&token(1), &mut |record| shown.push(record.expires())).unwrap());
    assert!(!store.look(&token(2), &mut |_| panic!("there is none")).unwrap());
    assert_eq!(shown, [Millis::new(10_500)]);
    assert!(store.remove(&token(1)).unwrap().is_some());
    assert!(store.find(&token(1)).unwrap().is_none());
    assert!(store.remove(&token(1)).unwrap().is_none());
    assert_eq!(store.len(), 0);

    // The cap is hard, evicts nothing, and what goes makes room.
    for number in 0..10 {
        store.insert(token(number), record(&grant, 0)).unwrap();
    }
    assert_eq!(store.insert(token(10), record(&grant, 0)), Err(StoreError::Full));
    assert!((0..10).all(|number| store.find(&token(number)).unwrap().is_some()));
    store.remove(&token(3)).unwrap();
    store.insert(token(10), record(&grant, 0)).unwrap();

    // Nothing goes before its time, everything soon after it.
    assert_eq!(sweep(&*store, 9_999), 0);
    assert_eq!(sweep(&*store, 12_000), 10);
    assert_eq!((store.len(), sweep(&*store, 20_000)), (0, 0));

    // Slices: no call does much more than it was asked to.
    let store = make(10_000);
    for number in 0..5_000 {
        store.insert(token(number), record(&grant, 0)).unwrap();
    }
    let mut gone = 0;
    assert!(store.sweep(Millis::new(60_000), 100, &mut |_| gone += 1));
    assert!((100..400).contains(&gone), "{gone}");
    assert_eq!(sweep(&*store, 60_000), 5_000 - gone);

    // Revoking most of a second's tokens loses none of the others.
    for number in 0..5_000 {
        store.insert(token(number), record(&grant, 100_000)).unwrap();
    }
    for number in 0..4_900 {
        store.remove(&token(number)).unwrap();
    }
    assert!((4_900..5_000).all(|number| store.find(&token(number)).unwrap().is_some()));
    assert_eq!(sweep(&*store, 200_000), 100);
    assert!(store.is_empty());
}

#[test]
fn memory() {
    contract(&|max| Box::new(MemoryStore::new(max)));
}

#[test]
fn memory_is_shared_between_threads() {
    let store = MemoryStore::new(100_000);
    let grant = grant(1_000);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, grant) = (&store, &grant);
            scope.spawn(move || {
                for number in 0..2_000 {
                    let token = token(thread * 1_000_000 + number);
                    store.insert(token, record(grant, number)).unwrap();
                    assert!(store.find(&token).unwrap().is_some());
                    if number % 2 == 0 {
                        assert!(store.remove(&token).unwrap().is_some());
                    }
                }
            });
        }
    });
    assert_eq!(store.len(), 4_000);
    assert_eq!(sweep(&store, 100_000), 4_000);
    assert!(store.is_empty());
}
