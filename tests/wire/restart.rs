//! What a gateway keeps over a restart, and over being killed.

use crate::support::{Config, Fixture, Gateway, REVOKE, Upstream, credentials, get, post_form, run};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// How often the gateway is killed. `TOLLGATE_KILLS=200` is for a run by hand.
fn kills() -> usize {
    std::env::var("TOLLGATE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(4)
}

fn config(upstream: &Upstream, state: &Path) -> Config {
    Config::standard(upstream.address()).server(&format!("state_dir = {state:?}"))
}

fn status(fixture: &Fixture, token: &str) -> u16 {
    fixture.raw(get("/hello", &[&format!("Authorization: Bearer {token}")])).code()
}

fn revoke(fixture: &Fixture, token: &str) {
    let body = format!("{}&token={token}", credentials("server"));
    fixture.raw(post_form(REVOKE, &[], body)).status(200);
}

fn end(mut fixture: Fixture, signal: &str) -> Upstream {
    fixture.gateway.signal(signal);
    fixture.gateway.wait(Duration::from_secs(12));
    assert!(!fixture.gateway.written().contains("panicked"), "{}", fixture.gateway.written());
    fixture.upstream
}

#[test]
fn a_killed_gateway_forgets_no_revocation_and_none_but_the_latest_tokens() {
    let state = tempfile::tempdir().expect("a folder");
    let mut upstream = Upstream::start();
    let (mut kept, mut revoked): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for kill in 0..kills() {
        let gateway = Gateway::start(&config(&upstream, state.path()));
        let fixture = Fixture { gateway, upstream };
        for token in &revoked {
            assert_eq!(status(&fixture, token), 401, "a revoked token after {kill} kills");
        }
        for token in &kept {
            assert_eq!(status(&fixture, token), 200, "a token after {kill} kills");
        }
        for _ in 0..5 {
            kept.push(fixture.token("server", "read"));
            let ended = fixture.token("server", "read");
            // What was issued before a revocation is written before its answer.
            revoke(&fixture, &ended);
            revoked.push(ended);
        }
        // The token of this moment may be lost.
        fixture.token("server", "read");
        upstream = end(fixture, "KILL");
    }
}

#[test]
fn a_stopped_gateway_forgets_nothing_and_state_shows_what_it_keeps() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let fixture = Fixture { gateway: Gateway::start(&config(&upstream, state.path())), upstream };
    let state_of = |fixture: &Fixture| {
        let output = run(fixture.gateway.dir(), &["state", "--json"]);
        assert_eq!(output.code, Some(0), "{output:?}");
        serde_json::from_str::<Value>(&output.stdout).expect("JSON")
    };
    let tokens: Vec<String> = (0..3).map(|_| fixture.token("server", "read")).collect();
    revoke(&fixture, &tokens[0]);
    let shown = state_of(&fixture);
    assert_eq!(shown["kind"], "journal");
    assert_eq!(
        (&shown["journal"]["tokens"], &shown["journal"]["revoked"]),
        (&3.into(), &1.into()),
        "{shown}"
    );
    let text = run(fixture.gateway.dir(), &["state"]).stdout;
    assert!(text.contains("3 issued, 1 of them revoked one by one"), "{text}");
    let last = fixture.token("server", "read");
    let upstream = end(fixture, "TERM");

    // A second gateway does not get the folder of a running one.
    let fixture = Fixture { gateway: Gateway::start(&config(&upstream, state.path())), upstream };
    let second = run(fixture.gateway.dir(), &["run"]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains("in use by another gateway"), "{second:?}");
    let found: Vec<u16> = tokens.iter().chain([&last]).map(|token| status(&fixture, token)).collect();
    assert_eq!(found, [401, 200, 200, 200]);
}

#[test]
fn adding_a_client_again_revives_none_of_its_tokens() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, state.path()));
    let fixture = Fixture { gateway, upstream };
    let (gone, stays) = (fixture.token("other", "read"), fixture.token("server", "read"));
    let upstream = end(fixture, "TERM");
    let without = config(&upstream, state.path()).text().replace("[clients.other]", "[clients.renamed]");
    let fixture = Fixture { gateway: Gateway::start_text(&without, &[]), upstream };
    assert_eq!((status(&fixture, &gone), status(&fixture, &stays)), (401, 200));
    let upstream = end(fixture, "KILL");
    let fixture = Fixture { gateway: Gateway::start(&config(&upstream, state.path())), upstream };
    assert_eq!((status(&fixture, &gone), status(&fixture, &stays)), (401, 200), "added again");
}

#[test]
fn a_store_in_memory_forgets_at_a_restart_and_check_says_so() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let text = format!("{}\n[store]\nkind = \"memory\"\n", config(&upstream, state.path()).text());
    let fixture = Fixture { gateway: Gateway::start_text(&text, &[]), upstream };
    let token = fixture.token("server", "read");
    let check = run(fixture.gateway.dir(), &["check"]);
    assert!(
        check.stderr.contains("forgets-on-restart") && check.stderr.contains("a restart ends all"),
        "{check:?}"
    );
    assert!(run(fixture.gateway.dir(), &["state"]).stdout.contains("in memory alone"));
    assert_eq!(status(&fixture, &token), 200);
    let upstream = end(fixture, "TERM");
    assert!(!state.path().join("journal.db").exists());
    let fixture = Fixture { gateway: Gateway::start_text(&text, &[]), upstream };
    assert_eq!(status(&fixture, &token), 401);
}
