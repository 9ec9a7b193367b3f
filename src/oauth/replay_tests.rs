use super::*;
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::atomic::AtomicU32;

fn memory(total: usize, per_owner: usize) -> ReplayMemory {
    ReplayMemory::new(Capacity { total, per_owner }, [7; 32])
}

const A: Owner<'static> = Owner::Client("a");
const B: Owner<'static> = Owner::Client("b");

#[test]
fn once_within_its_life() {
    let memory = memory(100, 100);
    assert_eq!(memory.check_and_remember(A, "one", 1000, 0), Ok(()));
    assert_eq!(memory.check_and_remember(A, "one", 1000, 0), Err(Replay::Seen));
    assert_eq!(
        memory.check_and_remember(A, "one", 9000, 999),
        Err(Replay::Seen),
        "another expiry changes nothing"
    );
    assert_eq!(memory.check_and_remember(A, "two", 1000, 999), Ok(()));
    assert_eq!(memory.check_and_remember(B, "one", 1000, 999), Ok(()));
    // From its expiry on it is refused as expired, remembered or not.
    assert_eq!(memory.check_and_remember(A, "one", 1000, 1000), Err(Replay::Expired));
    // The name can be used again.
    assert_eq!(memory.check_and_remember(A, "one", 3000, 1500), Ok(()));
    assert_eq!(memory.check_and_remember(A, "one", 3000, 1500), Err(Replay::Seen));
}

#[test]
fn owners_and_names_do_not_run_into_each_other() {
    let memory = memory(100, 100);
    let key = Thumbprint::from_bytes(*b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    let owners = [
        Owner::Client("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        Owner::Key(&key),
        Owner::Client("ab"),
        Owner::Client("a"),
    ];
    for owner in owners {
        for name in ["c", "bc", ""] {
            assert_eq!(memory.check_and_remember(owner, name, 10, 0), Ok(()), "{owner:?} {name:?}");
        }
    }
    assert_eq!(memory.len(), 12);
}

#[test]
fn a_full_memory_refuses_and_forgets_nothing() {
    let memory = memory(3, 100);
    for name in ["1", "2", "3"] {
        assert_eq!(memory.check_and_remember(A, name, 1000, 0), Ok(()));
    }
    assert_eq!(memory.check_and_remember(A, "4", 5000, 0), Err(Replay::Full));
    assert_eq!(memory.check_and_remember(B, "4", 5000, 999), Err(Replay::Full));
    for name in ["1", "2", "3"] {
        assert_eq!(memory.check_and_remember(A, name, 1000, 999), Err(Replay::Seen));
    }
    // Expiry makes room, in other shards too.
    for owner in ["b", "c", "d"] {
        assert_eq!(memory.check_and_remember(Owner::Client(owner), "4", 5000, 1000), Ok(()), "{owner}");
    }
    assert_eq!(memory.check_and_remember(A, "4", 5000, 1000), Err(Replay::Full));
    assert_eq!(memory.len(), 3);
}

#[test]
fn one_owner_cannot_crowd_out_the_others() {
    let memory = memory(100, 2);
    assert_eq!(memory.check_and_remember(A, "1", 1000, 0), Ok(()));
    assert_eq!(memory.check_and_remember(A, "2", 2000, 0), Ok(()));
    assert_eq!(memory.check_and_remember(A, "3", 2000, 0), Err(Replay::OwnerFull));
    assert_eq!(memory.check_and_remember(B, "3", 2000, 0), Ok(()));
    assert_eq!(memory.check_and_remember(A, "3", 2000, 1000), Ok(()));
    assert_eq!(memory.check_and_remember(A, "4", 2000, 1000), Err(Replay::OwnerFull));
}

#[test]
fn a_clock_that_steps_back_opens_no_gap() {
    let memory = memory(100, 100);
    assert_eq!(memory.check_and_remember(A, "one", 1000, 0), Ok(()));
    assert_eq!(memory.check_and_remember(A, "two", 9000, 2000), Ok(()), "by now \"one\" is forgotten");
    assert_eq!(memory.len(), 1);
    assert_eq!(memory.check_and_remember(A, "one", 1000, 500), Err(Replay::Expired));
    assert_eq!(memory.check_and_remember(A, "new", 1001, 500), Ok(()));
}

#[test]
fn memory_does_not_grow_with_time() {
    let memory = memory(1000, 1000);
    for step in 0..20_000u64 {
        let name = step.to_string();
        assert_eq!(memory.check_and_remember(A, &name, step + 50, step), Ok(()));
    }
    assert!(memory.len() <= 51, "{}", memory.len());
    // Names that expire all at once are forgotten faster than new ones are added.
    for step in 0..900 {
        assert_eq!(memory.check_and_remember(A, &format!("burst {step}"), 21_000, 20_500), Ok(()));
    }
    for step in 0..400u64 {
        assert_eq!(memory.check_and_remember(A, &format!("after {step}"), 90_000, 30_000), Ok(()));
    }
    assert_eq!(memory.len(), 400);
}

#[test]
fn of_many_that_race_one_wins() {
    let memory = memory(1000, 1000);
    let won = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for name in 0..200 {
                    if memory.check_and_remember(A, &name.to_string(), 10, 0).is_ok() {
                        won.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!((won.load(Ordering::Relaxed), memory.len()), (200, 200));
}

proptest! {
    #[test]
    fn never_accepts_twice_what_is_still_valid(steps in prop::collection::vec((0u8..3, 0u8..6, 1u64..40, 0u64..12), 1..200)) {
        let memory = memory(12, 6);
        let mut accepted = HashSet::new();
        let mut now = 100;
        for (owner, name, life, pause) in steps {
            now += pause;
            let expires = now + life;
            let owner_id = owner.to_string();
            if memory.check_and_remember(Owner::Client(&owner_id), &name.to_string(), expires, now).is_ok() {
                accepted.retain(|(_, _, until)| *until > now);
                prop_assert!(!accepted.iter().any(|(o, n, _)| (*o, *n) == (owner, name)));
                accepted.insert((owner, name, expires));
                prop_assert!(accepted.len() <= 12);
            }
        }
    }
}
