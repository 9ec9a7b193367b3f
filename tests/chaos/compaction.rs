//! `kill -9` while the journal deletes rows that have expired.

use super::kills::{ask, config, status};
use super::number;
use crate::support::{Conn, Gateway, REVOKE, TOKEN, credentials, post_form, token_of};
use rusqlite::{Connection, OpenFlags};
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How many expired rows a gateway finds at its start. It deletes 512 of them at a time.
const EXPIRED: i64 = 20_000;
/// How long ago they have expired, in milliseconds.
const AGO: i64 = 7_200_000;

/// What must be so after the kill.
#[derive(Default)]
struct Promised {
    live: Vec<String>,
    revoked: Vec<String>,
}

/// Adds expired rows behind the rows of tokens that are live. The checksum of a row does not cover when the
/// row begins.
fn add_expired(journal: &Path) {
    let connection = Connection::open(journal).expect("a journal");
    let added = connection.execute(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)
         INSERT INTO batches (kind, base, until, blob)
         SELECT kind, base - ?2, until - ?2, blob FROM (SELECT * FROM batches WHERE kind = 1 LIMIT 1), number",
        [EXPIRED, AGO],
    );
    assert_eq!(added.expect("rows"), EXPIRED as usize, "the journal has the row of a token");
}

/// Opens the journal beside the gateway, for reading.
fn watch(journal: &Path) -> Connection {
    let connection = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let connection = connection.expect("a journal");
    connection.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    connection
}

/// Returns how many rows in the journal have expired.
fn expired(connection: &Connection) -> i64 {
    let count = "SELECT COUNT(*) FROM batches WHERE until <= (SELECT boot FROM tick)";
    connection.query_row(count, [], |row| row.get(0)).expect("a number")
}

/// Gets tokens and revokes every second one until the gateway is dead. The journal has a token for good once
/// a later revocation is confirmed.
fn work(address: SocketAddr) -> Promised {
    let mut promised = Promised::default();
    let request = post_form(TOKEN, &[], credentials("lasting") + "&grant_type=client_credentials&scope=read");
    let mut conn = Conn::plain(address);
    let issue = |conn: &mut Conn| ask(conn, &request).map(|answer| token_of(&answer));
    loop {
        let (Some(live), Some(to_revoke)) = (issue(&mut conn), issue(&mut conn)) else { return promised };
        let body = format!("{}&token={to_revoke}", credentials("lasting"));
        let Some(answer) = ask(&mut conn, &post_form(REVOKE, &[], body)) else { return promised };
        answer.status(200);
        promised.live.push(live);
        promised.revoked.push(to_revoke);
    }
}

/// Kills a gateway while it compacts its journal, `kills` times. Each time the next one starts at once, in
/// most cases while the killed process still has the lock.
fn killed_in_the_middle(kills: usize) {
    let state = tempfile::tempdir().expect("a folder");
    let (config, journal) = (config(super::load::upstream(), state.path()), state.path().join("journal.db"));
    let mut gateway = Gateway::start(&config);
    let before = token_of(&{
        let form = credentials("lasting") + "&grant_type=client_credentials&scope=read";
        Conn::plain(gateway.plain()).request(post_form(TOKEN, &[], form))
    });
    let (mut all, mut deleted) = (Promised { live: vec![before], ..Promised::default() }, Vec::new());
    for kill in 0..kills {
        gateway.signal("TERM");
        gateway.wait(Duration::from_secs(12));
        add_expired(&journal);
        gateway = Gateway::start(&config);
        let address = gateway.plain();
        let promised = thread::scope(|scope| {
            let working = scope.spawn(|| work(address));
            let (watching, deadline) = (watch(&journal), Instant::now() + Duration::from_secs(60));
            while expired(&watching) >= EXPIRED {
                assert!(Instant::now() < deadline, "nothing is deleted\n{}", gateway.written());
                thread::sleep(Duration::from_micros(500));
            }
            drop(watching);
            // At another moment of each deletion.
            thread::sleep(Duration::from_micros((kill as u64 * 7_919) % 40_000));
            gateway.signal("KILL");
            working.join().expect("clients")
        });
        gateway = Gateway::start(&config);
        deleted.push(EXPIRED - expired(&watch(&journal)));
        let mut conn = None;
        all.live.extend(promised.live);
        all.revoked.extend(promised.revoked);
        for (tokens, expected) in [(&all.live, 200), (&all.revoked, 401)] {
            for token in tokens {
                assert_eq!(status(&gateway, &mut conn, token), expected, "kill {kill}, of {deleted:?} rows");
            }
        }
    }
    gateway.signal("TERM");
    gateway.wait(Duration::from_secs(12));
    let sound: String = Connection::open(&journal)
        .and_then(|journal| journal.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
        .expect("a journal");
    assert_eq!(sound, "ok");
    eprintln!(
        "{kills} kills: {} live and {} revoked tokens; when the gateways started again, so many of {EXPIRED} expired rows were \
         deleted: {deleted:?}",
        all.live.len(),
        all.revoked.len()
    );
    assert!(deleted.iter().any(|&deleted| 0 < deleted && deleted < EXPIRED), "no kill was in the middle");
}

#[test]
fn killed_while_it_compacts_the_journal() {
    killed_in_the_middle(2);
}

#[test]
#[ignore = "takes minutes: tests/chaos/run compaction"]
fn killed_a_hundred_times_while_it_compacts_the_journal() {
    killed_in_the_middle(number("TOLLGATE_KILLS", 200) / 2);
}
