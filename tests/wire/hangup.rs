//! Clients that disconnect: during hashing, in a head, in a body, in a response. The gateway keeps serving.

use crate::support::config::{SECRET, hash};
use crate::support::{Conn, Fixture, TOKEN, form, get, post_form, shared};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn clients_that_disconnect_during_hashing_leave_the_hashing_bounded() {
    // The default cost, which takes long enough to disconnect during the hash.
    let costly = hash(SECRET, 19 * 1024, 2);
    let mut fixture = Fixture::start(|config| {
        config.table(&format!(
            "[clients.costly]\nsecret = \"{costly}\"\ncapabilities = [\"client_credentials\"]\nscopes = [\"read\"]"
        ))
    });
    let bearer = fixture.bearer("server", "read");
    let mut validated = fixture.connect();
    for number in 0..20 {
        let secret = form(&format!("wrong {number}"));
        let body = format!("grant_type=client_credentials&client_id=costly&client_secret={secret}");
        let mut conn = fixture.connect();
        conn.send(post_form(TOKEN, &[], body));
        drop(conn);
        // Validated traffic is not affected.
        validated.request(get("/hello", &[&bearer])).status(200);
    }
    // Abandoned hashes are bounded, so the right secret is verified soon.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = fixture.ask_token("costly", "&scope=read");
        if answer.code() == 200 {
            break;
        }
        answer.oauth_error(503, "temporarily_unavailable");
        answer.one("retry-after");
        assert!(Instant::now() < deadline, "no slot within 60 s\n{answer}");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(fixture.gateway.is_running());
    let written = fixture.gateway.written();
    assert!(!written.contains("panicked"), "{written}");
}

#[test]
fn requests_that_stop_at_any_byte_leave_nothing_behind() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let whole = [
        post_form(TOKEN, &[], "grant_type=client_credentials&client_id=server&client_secret=Password1"),
        post_form("/api/x?m=hung-up", &[&bearer], "x".repeat(300)),
    ];
    for request in whole {
        for at in (0..request.len()).step_by(17) {
            let mut conn: Conn = gateway.connect();
            conn.send(&request[..at]);
            if at % 2 == 0 {
                conn.finish();
            }
        }
    }
    gateway.raw(get("/hello", &[&bearer])).status(200);
    let complete = gateway.upstream.requests("m=hung-up");
    assert!(complete.is_empty(), "half a request became a whole one: {}", complete[0].text());
}
