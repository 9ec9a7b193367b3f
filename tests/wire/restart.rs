//! The state that a gateway keeps when it is restarted or killed.

use crate::support::{
    Config, Fixture, Gateway, INTROSPECT, REVOKE, Upstream, credentials, get, post_form, run,
};
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
            // Tokens that were issued before a revocation are written before its response.
            revoke(&fixture, &ended);
            revoked.push(ended);
        }
        // The latest token may be lost.
        fixture.token("server", "read");
        upstream = end(fixture, "KILL");
    }
}

#[test]
fn a_stopped_gateway_forgets_nothing_and_state_shows_what_it_keeps() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let file = format!("{}\n[store]\nkind = \"journal\"\n", config(&upstream, state.path()).text());
    let fixture = Fixture { gateway: Gateway::start_text(&file, &[]), upstream };
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

    // A second gateway cannot use the folder of a running one.
    let fixture = Fixture { gateway: Gateway::start_text(&file, &[]), upstream };
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
fn a_state_folder_that_other_users_can_change_is_corrected_or_refused() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let state = tempfile::tempdir().expect("a folder");
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("the mode is set");
    };
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let (database, elsewhere) = (state.path().join("journal.db"), state.path().join("elsewhere"));
    let upstream = Upstream::start();
    set(state.path(), 0o777);
    let fixture = Fixture { gateway: Gateway::start(&config(&upstream, state.path())), upstream };
    fixture.gateway.wait_for("was 0777, so other users could have changed or read it");
    let token = fixture.token("server", "read");
    let upstream = end(fixture, "TERM");
    set(&database, 0o644);
    let fixture = Fixture { gateway: Gateway::start(&config(&upstream, state.path())), upstream };
    fixture.gateway.wait_for("journal.db was 0644");
    assert_eq!((mode(state.path()), mode(&database)), (0o755, 0o600));
    assert_eq!(status(&fixture, &token), 200);
    let upstream = end(fixture, "TERM");

    // A file that somebody else chooses may hold tokens that nobody has issued.
    std::fs::rename(&database, &elsewhere).expect("the journal is moved");
    symlink(&elsewhere, &database).expect("a link");
    for store in
        ["", "[store]\nkind = \"journal\"", "[store]\nkind = \"redis\"\nurl = \"redis://127.0.0.1:9\""]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("{}\n{store}\n", config(&upstream, state.path()).text());
        std::fs::write(folder.path().join("gateway.toml"), text).expect("gateway.toml");
        let refused = run(folder.path(), &["run"]);
        assert_eq!(refused.code, Some(1), "{store}: {refused:?}");
        assert!(refused.stderr.contains("journal.db is not safe: it is a symbolic link"), "{refused:?}");
    }
    assert_eq!(std::fs::read_link(&database).ok().as_deref(), Some(&*elsewhere), "nothing is removed");
}

/// Changes a gateway.toml with the command line.
fn edited(text: &str, commands: &[&[&str]]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, text).expect("gateway.toml");
    for command in commands {
        let output = run(folder.path(), command);
        assert_eq!(output.code, Some(0), "{command:?}: {output:?}");
    }
    std::fs::read_to_string(file).expect("gateway.toml")
}

#[test]
fn changes_while_the_gateway_is_stopped_end_and_narrow_tokens() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let before = config(&upstream, state.path()).text();
    let fixture = Fixture { gateway: Gateway::start_text(&before, &[]), upstream };
    let revoked = fixture.token("server", "read");
    let disabled = fixture.token("other", "read");
    let (narrowed, kept) =
        (fixture.token("administrator", "read write"), fixture.token("administrator", "read"));
    let (shortened, unchanged) = (fixture.token("minute", "read"), fixture.token("defaulted", "read"));
    let upstream = end(fixture, "TERM");

    let after = edited(
        &before,
        &[
            &["client", "revoke-tokens", "server"],
            &["client", "disable", "other"],
            &["client", "enable", "other"],
        ],
    );
    let after = after
        .replace("scopes = [\"admin\", \"read\", \"write\"]", "scopes = [\"admin\", \"read\"]")
        .replace("token_lifetime = \"1m\"", "token_lifetime = \"30s\"");
    let look = |fixture: &Fixture| {
        for (what, token) in [("revoked", &revoked), ("disabled", &disabled), ("without a scope", &narrowed)]
        {
            assert_eq!(status(fixture, token), 401, "{what}");
        }
        for (what, token) in [("another scope", &kept), ("shorter", &shortened), ("unchanged", &unchanged)] {
            assert_eq!(status(fixture, token), 200, "{what}");
        }
        let body = format!("{}&token={shortened}", credentials("introspector"));
        let seen = fixture.raw(post_form(INTROSPECT, &[], body)).status(200).json();
        let of = |member: &str| seen[member].as_u64().unwrap_or_else(|| panic!("{member} in {seen}"));
        assert_eq!(of("exp") - of("iat"), 30, "{seen}");
    };
    let fixture = Fixture { gateway: Gateway::start_text(&after, &[]), upstream };
    look(&fixture);
    let new = fixture.token("server", "read");
    // The scope returns. The tokens that ended do not.
    let upstream = end(fixture, "KILL");
    let fixture = Fixture { gateway: Gateway::start_text(&before, &[]), upstream };
    look(&fixture);
    assert_eq!(status(&fixture, &new), 401, "another generation is in the file");
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
