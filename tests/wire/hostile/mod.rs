//! Hostile requests, byte by byte. Each is refused, the connection is closed where the contract says so, and
//! no byte reaches the upstream.

mod bodies;
mod frames;
mod framing;
mod mutants;
mod targets;

use crate::support::{Conn, Fixture, get};
use std::sync::{Mutex, MutexGuard, OnceLock};

/// A gateway for this module: its upstream must stay silent while a table runs, so the tables run one by one.
fn alone() -> (&'static Fixture, String, MutexGuard<'static, ()>) {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let fixture = FIXTURE.get_or_init(|| Fixture::start(|config| config.listen("https://127.0.0.1:0")));
    let bearer = fixture.bearer("administrator", "read write admin");
    (fixture, bearer, turn)
}

/// What happens to the connection.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Closed,
    Either,
}

/// Sends every request, asserts its status and that the upstream received no byte, then that the gateway
/// still works.
#[track_caller]
fn table(rows: impl IntoIterator<Item = (String, Vec<u8>)>, statuses: &[u16], after: After) {
    let (fixture, bearer, _turn) = alone();
    let before = fixture.upstream.bytes();
    let mut failures = Vec::new();
    for (name, request) in rows {
        keep_as_corpus(&name, &request);
        let request = replace(&request, b"BEARER", bearer.as_bytes());
        let mut conn = fixture.connect();
        conn.send(&request);
        match conn.try_read(request.starts_with(b"HEAD")) {
            Err(e) => failures.push(format!("{name}: no answer: {e}\n{}", request.escape_ascii())),
            Ok(answer) => {
                if !statuses.contains(&answer.code()) {
                    failures.push(format!("{name}: {} is none of {statuses:?}\n{answer}", answer.code()));
                }
                if answer.code() < 400 {
                    failures.push(format!("{name}: let through"));
                } else if answer.all("cache-control") != ["no-store"] {
                    failures.push(format!("{name}: without no-store\n{answer}"));
                }
                if after == After::Closed && !is_closed(&mut conn) {
                    failures.push(format!("{name}: the connection stays open\n{answer}"));
                }
            }
        }
        if fixture.upstream.bytes() != before {
            panic!(
                "{name}: bytes reached the upstream\n{}\n{}",
                request.escape_ascii(),
                failures.join("\n\n")
            );
        }
    }
    assert!(failures.is_empty(), "{} of the rows:\n{}", failures.len(), failures.join("\n\n"));
    fixture.raw(get("/hello", &[&bearer])).status(200);
    assert!(fixture.upstream.bytes() > before, "the upstream records nothing, so this test shows nothing");
}

/// Writes a request to the folder that `TOLLGATE_CORPUS` names, as an input for the fuzz target `connection`.
fn keep_as_corpus(name: &str, request: &[u8]) {
    let Some(folder) = std::env::var_os("TOLLGATE_CORPUS") else { return };
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    // Rows of two tables may have the same name.
    let sum = crc32fast::hash(request);
    let file = std::path::Path::new(&folder).join(format!("{name}-{sum:08x}"));
    std::fs::write(file, replace(request, b"BEARER", b"Authorization: Bearer x"))
        .expect("the folder is writable");
}

fn is_closed(conn: &mut Conn) -> bool {
    let (rest, end) = conn.read_rest();
    let reset = |e: &std::io::Error| matches!(e.kind(), std::io::ErrorKind::ConnectionReset);
    rest.is_empty() && end.as_ref().map_or_else(reset, |()| true)
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match bytes.windows(from.len()).position(|window| window == from) {
        Some(at) => [&bytes[..at], to, &bytes[at + from.len()..]].concat(),
        None => bytes.to_vec(),
    }
}
