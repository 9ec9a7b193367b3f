//! What a store promises over a restart, and while it cannot keep its promises.

use std::thread;
use std::time::Duration;

use crate::oauth::grant::Record;
use crate::store::testing::support::{client_id, find, grant_to, insert, record, revoke, token, wait};
use crate::store::{Found, Health, StoreError, TokenStore, Use, UsedName};

/// How often, and for how long at most, a check looks whether a store has noticed a change.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const LOOKS: usize = 4_000;
/// The lifetime of the tokens: none expires while a check runs.
const LIFETIME: u64 = 3_600_000;

/// What was promised before a restart holds after it.
pub(super) fn keeps_its_promises_over_a_restart<S: TokenStore>(store: S, restart: &dyn Fn(S) -> S) {
    let grant = grant_to(store.client(&client_id()), LIFETIME);
    for number in 0..20 {
        insert(&store, number, &grant, 0);
    }
    assert!(revoke(&store, 3).is_some(), "revoking a token returns its record");
    assert_eq!(use_up(&store, "first"), Ok(Use::First), "a new name is accepted");
    assert_eq!(use_up(&store, "first"), Ok(Use::Again), "a name is accepted once");

    let store = restart(store);
    assert!(find(&store, 3).is_none(), "a revoked token stays revoked after a restart");
    assert!(revoke(&store, 3).is_none(), "a revoked token is revoked once");
    assert_eq!(use_up(&store, "first"), Ok(Use::Again), "a name stays used after a restart");
    assert_eq!(use_up(&store, "second"), Ok(Use::First), "another name is accepted after a restart");
    for number in (0..20).filter(|number| *number != 3) {
        let Some(found) = find(&store, number) else { panic!("token {number} is lost after a restart") };
        assert_eq!(found.grant().terms(), grant.terms(), "a token keeps its terms");
        assert_eq!(found.grant().client().id(), &client_id(), "a token keeps its client");
        assert!(found.grant().is_current(), "a token is valid in the epoch of its client");
    }
    let client = store.client(&client_id());
    assert!(
        find(&store, 0).is_some_and(|found| std::sync::Arc::ptr_eq(found.grant().client(), &client)),
        "the records share the state of their client with the gate"
    );

    let epoch = client.revoke_all();
    let ended = wait(store.end_epoch(client.id(), epoch));
    assert!(ended.is_ok_and(|ended| ended >= epoch), "an epoch ends, and a later one begins");
    client.advance_to(ended.unwrap_or_default());
    let later = grant_to(client, LIFETIME);
    insert(&store, 100, &later, 0);
    let store = restart(store);
    let is_valid = |number| find(&store, number).is_some_and(|found| found.grant().is_current());
    assert!(!(0..20).any(is_valid), "the tokens of an epoch that has ended stay revoked after a restart");
    assert!(is_valid(100), "a token of the later epoch is valid after a restart");
}

/// While the store cannot write, it says so, and nothing is lost.
pub(super) fn says_when_it_cannot_promise<S: TokenStore>(store: &S, breaks: &dyn Fn(&S, bool)) {
    let grant = grant_to(store.client(&client_id()), LIFETIME);
    for number in 0..20 {
        insert(store, number, &grant, 0);
    }
    breaks(store, true);
    let mut accepted = 20;
    let refused = (0..LOOKS).any(|_| {
        let inserted = wait(store.insert(token(accepted), record(&grant, 0)));
        accepted += u64::from(inserted.is_ok());
        thread::sleep(LOOK_EVERY);
        inserted == Err(StoreError::Unavailable)
    });
    assert!(refused, "a store that cannot write refuses new tokens");
    assert_ne!(store.health(), Health::Good, "a store that cannot write reports it");
    let revoked = wait(store.revoke(token(5)));
    assert_eq!(revoked.err(), Some(StoreError::Unavailable), "a revocation is not promised");
    assert_eq!(use_up(store, "while broken"), Err(StoreError::Unavailable), "a name is not accepted");
    let epoch = store.client(&client_id()).epoch();
    let ended = wait(store.end_epoch(&client_id(), epoch));
    assert_eq!(ended, Err(StoreError::Unavailable), "the end of an epoch is not promised");
    for number in (0..20).filter(|number| *number != 5) {
        let is_unknown = matches!(answer(store, number), Ok(None));
        assert!(!is_unknown, "failure is not absence: token {number} is not unknown");
    }

    breaks(store, false);
    let again = (0..LOOKS).any(|_| {
        let inserted = wait(store.insert(token(1_000), record(&grant, 0)));
        thread::sleep(LOOK_EVERY);
        inserted == Ok(())
    });
    assert!(again, "a store that can write again accepts tokens again");
    for number in (0..accepted).filter(|number| *number != 5) {
        assert!(find(store, number).is_some(), "token {number} is lost by a failure");
    }
    let revoked = wait(store.revoke(token(5)));
    assert!(revoked.is_ok(), "the revocation succeeds when it is tried again");
    assert!(find(store, 5).is_none(), "the token is revoked");
}

fn use_up(store: &dyn TokenStore, jti: &str) -> Result<Use, StoreError> {
    wait(store.use_once(UsedName::of_assertion("server", jti), Duration::from_secs(3_600)))
}

/// Returns what a request learns about a token.
fn answer(store: &dyn TokenStore, number: u64) -> Result<Option<Record>, StoreError> {
    match store.find(&token(number)) {
        Found::Known(record) => Ok(Some(record)),
        Found::Unknown => Ok(None),
        Found::Ask => wait(store.ask(token(number))),
    }
}
