use super::*;
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::atomic::AtomicU32;

fn memory(total: usize) -> ReplayMemory {
    ReplayMemory::new(Capacity { total }, [7; 32])
}

const fn name<'a>(client: &'a str, jti: &'a str) -> UsedJti<'a> {
    UsedJti { client, key: None, jti }
}

fn remember(memory: &ReplayMemory, client: &str, jti: &str, until: u64, now: u64) -> Result<(), Replay> {
    memory.check_and_remember(name(client, jti), Millis::new(until), Millis::new(now), 4)
}

#[test]
fn once_within_its_life() {
    let memory = memory(100);
    assert_eq!(remember(&memory, "a", "one", 1000, 0), Ok(()));
    assert_eq!(remember(&memory, "a", "one", 1000, 0), Err(Replay::Seen));
    assert_eq!(remember(&memory, "a", "one", 9000, 999), Err(Replay::Seen), "another expiry changes nothing");
    assert_eq!(remember(&memory, "a", "two", 1000, 999), Ok(()));
    assert_eq!(remember(&memory, "b", "one", 1000, 999), Ok(()));
    // After its expiry it is refused as expired, whether it is remembered or not.
    assert_eq!(remember(&memory, "a", "one", 1000, 1000), Err(Replay::Expired));
    // The name can be used again.
    assert_eq!(remember(&memory, "a", "one", 3000, 1500), Ok(()));
    assert_eq!(remember(&memory, "a", "one", 3000, 1500), Err(Replay::Seen));
}

#[test]
fn clients_keys_and_names_do_not_run_into_each_other() {
    let memory = memory(1000);
    let (one, other) = (Thumbprint::from_bytes([b'k'; 32]), Thumbprint::from_bytes([b'l'; 32]));
    for client in ["a", "ab", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"] {
        for key in [None, Some(&one), Some(&other)] {
            for jti in ["c", "bc", "", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkc"] {
                let name = UsedJti { client, key, jti };
                assert_eq!(
                    memory.check_and_remember(name, Millis::new(10), Millis::new(0), 4),
                    Ok(()),
                    "{name:?}"
                );
            }
        }
    }
    assert_eq!(memory.len(), 36);
}

#[test]
fn a_full_memory_refuses_and_forgets_nothing() {
    // 16 names: four of each client, and the last four are shared out among the four clients.
    let memory = memory(16);
    for client in ["a", "b", "c"] {
        for jti in ["1", "2", "3", "4"] {
            assert_eq!(remember(&memory, client, jti, 1000, 0), Ok(()));
        }
        assert_eq!(remember(&memory, client, "5", 1000, 0), Err(Replay::ClientFull));
    }
    for (client, room) in [("d", Ok(())), ("e", Ok(())), ("d", Err(Replay::ClientFull))] {
        let jti = memory.len().to_string();
        assert_eq!(remember(&memory, client, &jti, 5000, 999), room, "{client}");
    }
    assert_eq!(remember(&memory, "f", "1", 5000, 999), Ok(()));
    assert_eq!(remember(&memory, "g", "1", 5000, 999), Ok(()));
    assert_eq!((remember(&memory, "h", "1", 5000, 999), memory.len()), (Err(Replay::Full), 16));
    for client in ["a", "b", "c"] {
        for jti in ["1", "2", "3", "4"] {
            assert_eq!(remember(&memory, client, jti, 1000, 999), Err(Replay::Seen));
        }
    }
    // Expiry makes room, in other shards too.
    for client in ["h", "i", "j"] {
        assert_eq!(remember(&memory, client, "4", 5000, 1000), Ok(()), "{client}");
    }
}

#[test]
fn a_client_with_many_keys_takes_no_room_from_the_share_of_another() {
    let memory = memory(1600);
    // The attack: one client, and a new key for each proof.
    let mut accepted = 0;
    for number in 0..2000_u32 {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        let key = Thumbprint::from_bytes(key);
        let name = UsedJti { client: "flood", key: Some(&key), jti: "x" };
        accepted += u32::from(memory.check_and_remember(name, Millis::new(1000), Millis::new(0), 4).is_ok());
    }
    assert_eq!(accepted, 400);
    // Three such clients together cannot do it either.
    for client in ["flood 2", "flood 3"] {
        for number in 0..2000 {
            let _ = remember(&memory, client, &number.to_string(), 1000, 0);
        }
    }
    assert_eq!(memory.len(), 1200);
    for number in 0..100 {
        assert_eq!(remember(&memory, "good", &number.to_string(), 1000, 0), Ok(()), "{number}");
    }
    assert_eq!(remember(&memory, "good", "101", 1000, 0), Err(Replay::ClientFull), "its share is used up");
}

#[test]
fn memory_does_not_grow_with_time() {
    let memory = memory(4000);
    for step in 0..20_000u64 {
        assert_eq!(remember(&memory, "a", &step.to_string(), step + 50, step), Ok(()));
    }
    assert!(memory.len() <= 51, "{}", memory.len());
    // Names that expire all at once are forgotten faster than new ones are added.
    for step in 0..900 {
        assert_eq!(remember(&memory, "a", &format!("burst {step}"), 21_000, 20_500), Ok(()));
    }
    for step in 0..400u64 {
        assert_eq!(remember(&memory, "a", &format!("after {step}"), 90_000, 30_000), Ok(()));
    }
    assert_eq!(memory.len(), 400);
}

#[test]
fn of_many_that_race_one_wins() {
    let memory = memory(1000);
    let won = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for name in 0..200 {
                    if remember(&memory, "a", &name.to_string(), 10, 0).is_ok() {
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
        let memory = memory(16);
        let mut accepted = HashSet::new();
        let mut now = 100;
        for (client, name, life, pause) in steps {
            now += pause;
            let until = now + life;
            if remember(&memory, &client.to_string(), &name.to_string(), until, now).is_ok() {
                accepted.retain(|(_, _, until)| *until > now);
                prop_assert!(!accepted.iter().any(|(c, n, _)| (*c, *n) == (client, name)));
                accepted.insert((client, name, until));
                prop_assert!(accepted.len() <= 16);
            }
        }
    }
}
