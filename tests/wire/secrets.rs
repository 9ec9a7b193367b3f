//! Rotation of secrets as an operator sees it: when each secret was last used, across restarts, and warnings.

use crate::support::config::{SECRET, cheap_hash};
use crate::support::guard::Guard;
use crate::support::program::Output;
use crate::support::{Config, Conn, Gateway, PATIENCE, TOKEN, credentials, form, post_form, raw, run};
use serde_json::{Value, json};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// A gateway with its own state directory, which a later gateway may reuse.
fn config(state: &Path) -> Config {
    Config::bare().server(&format!("state_dir = {state:?}"))
}

fn request_token(gateway: &Gateway, id: &str, secret: &str) -> u16 {
    let body = format!("grant_type=client_credentials&client_id={}&client_secret={}", form(id), form(secret));
    raw(gateway.plain(), post_form(TOKEN, &[], body)).code()
}

/// Stops a gateway like a service manager does, and returns its output.
fn end(gateway: &mut Gateway) -> String {
    gateway.signal("TERM");
    gateway.wait(Duration::from_secs(12));
    let written = gateway.written();
    assert!(!written.contains("$m=") && !written.contains("panicked"), "{written}");
    written
}

/// Opens the journal beside a gateway.
fn journal(state: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(state.join("journal.db")).expect("a journal")
}

/// Returns the use of secrets in the journal: client, secret id and entry. No row may be late.
fn entries(state: &Path) -> Vec<(String, String, Value)> {
    let journal = journal(state);
    let mut rows = journal.prepare("SELECT client, secret, entry, late FROM secret_usage").expect("a table");
    let rows = rows.query_map([], |row| {
        assert_eq!(row.get::<_, i64>(3)?, 0, "a late row");
        Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
    });
    let rows = rows.expect("rows").map(|row| row.expect("a row"));
    rows.map(|(client, id, entry)| (client, id, serde_json::from_str(&entry).expect("JSON"))).collect()
}

/// Waits until the command line says that the first secret of a client was used this many times.
#[track_caller]
fn wait_until_recorded(dir: &Path, id: &str, count: u64) {
    let started = Instant::now();
    loop {
        let usage = &show(dir, id)["secrets"][0]["usage"];
        if usage["count"] == count {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{usage}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Writes the file in which earlier versions kept what is in the journal.
fn write_earlier_file(state: &Path, entries: &[(String, String, Value)]) {
    let mut clients = serde_json::Map::new();
    for (client, id, entry) in entries {
        clients.entry(client).or_insert_with(|| json!({}))[id] = entry.clone();
    }
    let text = json!({ "version": 1, "clients": clients }).to_string();
    std::fs::write(state.join("secrets.json"), text).expect("secrets.json");
}

#[track_caller]
fn run_ok(dir: &Path, arguments: &[&str]) -> Output {
    let output = run(dir, arguments);
    assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
    assert!(!output.all().contains("$m="), "{output:?}");
    output
}

fn show(dir: &Path, id: &str) -> Value {
    let output = run_ok(dir, &["client", "show", id, "--json"]);
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[test]
fn the_use_of_secrets_is_reported_and_survives_a_restart() {
    let state = tempfile::tempdir().expect("a folder");
    let two = config(state.path()).client("one", SECRET, "scopes = []").client("two", SECRET, "scopes = []");
    let mut gateway = Gateway::start(&two);
    assert_eq!(show(gateway.dir(), "one")["secrets"][0]["usage"], Value::Null);
    for _ in 0..3 {
        assert_eq!(request_token(&gateway, "one", SECRET), 200);
    }
    assert_eq!(request_token(&gateway, "one", "wrong"), 401);
    let started = Instant::now();
    loop {
        let list = run_ok(gateway.dir(), &["client", "list"]).stdout;
        let of = |id: &str, said: &str| list.lines().any(|line| line.starts_with(id) && line.contains(said));
        if of("one ", "ago from 127.0.0.1, 3 times") && of("two ", "never used (since 2") {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{list}\n{}", gateway.written());
        thread::sleep(Duration::from_millis(50));
    }
    let shown = run_ok(gateway.dir(), &["state", "--json"]).stdout;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["journal"]["secrets"], 2, "{shown}");
    end(&mut gateway);
    assert!(!state.path().join("secrets.json").exists());

    let mut gateway = Gateway::start_text(&two.text().replace("[clients.two]", "[clients.three]"), &[]);
    assert_eq!(request_token(&gateway, "one", SECRET), 200);
    assert_eq!(request_token(&gateway, "three", SECRET), 200);
    let written = end(&mut gateway);
    assert!(!written.contains("secrets.json"), "{written}");
    let usage = &show(gateway.dir(), "one")["secrets"][0]["usage"];
    assert_eq!((&usage["count"], &usage["last_address"]), (&json!(4), &json!("127.0.0.1")), "{usage}");
    assert!(usage["since"].as_str() <= usage["last_used"].as_str() && usage["since"].is_string(), "{usage}");
    let shown = run_ok(gateway.dir(), &["client", "show", "one"]).stdout;
    assert!(shown.contains("does not expire; last used ") && shown.contains(", 4 times"), "{shown}");
    let kept = entries(state.path());
    let clients: Vec<&str> = kept.iter().map(|(client, ..)| &**client).collect();
    assert_eq!(clients, ["one", "three"], "a removed client is forgotten");
    assert!(!format!("{kept:?}").contains("argon2"), "{kept:?}");

    // A new secret under the same id counts as unused.
    run_ok(gateway.dir(), &["client", "reset-secret", "one"]);
    assert_eq!(show(gateway.dir(), "one")["secrets"][0]["usage"], Value::Null);
}

#[test]
fn an_old_secret_in_use_near_its_expiry_causes_a_warning() {
    let state = tempfile::tempdir().expect("a folder");
    let mut gateway = Gateway::start(&config(state.path()).client("shop", SECRET, "scopes = []"));
    run_ok(gateway.dir(), &["client", "reset-secret", "shop", "--keep-old", "1h"]);
    gateway.signal("HUP");
    let written = end(&mut gateway);
    assert!(!written.contains("still used"), "{written}");
    // Both have existed for a long time.
    let sql = "UPDATE secret_usage SET entry = json_set(entry, '$.since', 1)";
    assert_eq!(journal(state.path()).execute(sql, []).expect("changed"), 2);

    let text = std::fs::read_to_string(gateway.dir().join("gateway.toml")).expect("gateway.toml");
    let mut gateway = Gateway::start_text(&text, &[]);
    let list = run_ok(gateway.dir(), &["client", "list"]);
    assert!(list.stderr.contains("shop: the secret \"default\" expires at "), "{list:?}");
    assert_eq!(show(gateway.dir(), "shop")["secrets"][0]["still_used_near_end"], false);
    for _ in 0..2 {
        assert_eq!(request_token(&gateway, "shop", SECRET), 200);
    }
    let written = end(&mut gateway);
    let warned = written.lines().filter(|line| line.contains("WARN") && line.contains("still used"));
    assert_eq!(warned.count(), 1, "{written}");
    assert!(written.contains("shop: the secret \"default\" expires at 2"), "{written}");
    let list = run_ok(gateway.dir(), &["client", "list"]);
    assert!(
        list.stderr.contains("is still used (last ") && list.stderr.contains("from 127.0.0.1"),
        "{list:?}"
    );
    let secrets = &show(gateway.dir(), "shop")["secrets"];
    assert_eq!(secrets[0]["still_used_near_end"], true, "{secrets}");
    assert_eq!(secrets[1]["still_used_near_end"], false, "{secrets}");
}

#[test]
fn expired_secrets_and_their_use_cause_warnings() {
    let state = tempfile::tempdir().expect("a folder");
    let (old, new) = (cheap_hash("old-secret"), cheap_hash(SECRET));
    let mut gateway = Gateway::start(&config(state.path()).table(&format!(
        "[clients.shop]\nsecrets = [{{ id = \"old\", hash = \"{old}\", expires = 2020-01-01T00:00:00Z }}, \
         {{ id = \"new\", hash = \"{new}\" }}]\ncapabilities = [\"client_credentials\"]"
    )));
    let expired = "shop: the secret \"old\" expired at 2020-01-01T00:00:00Z and is still in the file";
    gateway.wait_for(expired);
    let known = || {
        raw(
            gateway.plain(),
            post_form(TOKEN, &[], "grant_type=client_credentials&client_id=shop&client_secret=old-secret"),
        )
    };
    let unknown = raw(
        gateway.plain(),
        post_form(TOKEN, &[], format!("grant_type=client_credentials&{}", credentials("nobody"))),
    );
    for _ in 0..2 {
        assert_eq!(known().oauth_error(401, "invalid_client").essence(), unknown.essence());
    }
    assert_eq!(request_token(&gateway, "shop", SECRET), 200);
    let written = end(&mut gateway);
    assert!(written.contains("shop: the secret \"old\" was refused "), "{written}");
    assert_eq!(written.matches("was refused").count(), 1, "{written}");
    let list = run_ok(gateway.dir(), &["client", "list"]);
    assert!(list.stderr.contains(expired), "{list:?}");
    assert!(list.stderr.contains("was refused 2 times after it expired"), "{list:?}");
    let secrets = &show(gateway.dir(), "shop")["secrets"];
    assert_eq!(
        (&secrets[0]["usage"]["refused_count"], &secrets[0]["usage"]["count"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(
        (&secrets[1]["usage"]["refused_count"], &secrets[1]["usage"]["count"]),
        (&json!(0), &json!(1))
    );
}

#[test]
fn a_foreign_usage_file_does_not_stop_the_gateway() {
    let state = tempfile::tempdir().expect("a folder");
    let kept = state.path().join("secrets.json");
    let config = config(state.path()).client("one", SECRET, "scopes = []");
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("gateway.toml"), config.text()).expect("gateway.toml");
    let refuses = |text: &str| {
        let list = run_ok(dir.path(), &["client", "list"]);
        let notes: Vec<&str> = list.stderr.lines().collect();
        assert!(notes.len() == 1 && notes[0].contains("use of secrets is unknown"), "{list:?}");
        assert!(notes[0].contains(text), "{list:?}");
    };
    refuses("has no journal yet");
    for (text, why) in [("gar\"bage", "is not what this program writes"), ("{\"version\":99}", "(99)")] {
        std::fs::write(&kept, text).expect("secrets.json");
        refuses(why);
    }
    let mut gateway = Gateway::start(&config);
    assert_eq!(request_token(&gateway, "one", SECRET), 200);
    let written = end(&mut gateway);
    assert_eq!(written.lines().filter(|line| line.contains("secrets.json")).count(), 1, "{written}");
    assert_eq!(show(gateway.dir(), "one")["secrets"][0]["usage"]["count"], 1);
    let aside = std::fs::read_to_string(state.path().join("secrets.json.unread")).expect("what was there");
    assert_eq!(aside, "{\"version\":99}");
}

#[test]
fn a_killed_gateway_keeps_the_use_of_secrets() {
    let state = tempfile::tempdir().expect("a folder");
    let config = config(state.path()).client("one", SECRET, "scopes = []");
    for count in [2, 4] {
        let mut gateway = Gateway::start(&config);
        for _ in 0..2 {
            assert_eq!(request_token(&gateway, "one", SECRET), 200);
        }
        wait_until_recorded(gateway.dir(), "one", count);
        gateway.signal("KILL");
        gateway.wait(Duration::from_secs(12));
        wait_until_recorded(gateway.dir(), "one", count);
    }
}

#[test]
fn the_file_of_an_earlier_version_is_imported_once() {
    let state = tempfile::tempdir().expect("a folder");
    let config = config(state.path()).client("one", SECRET, "scopes = []");
    let mut gateway = Gateway::start(&config);
    assert_eq!(request_token(&gateway, "one", SECRET), 200);
    end(&mut gateway);
    let kept = entries(state.path());
    write_earlier_file(state.path(), &kept);
    for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = std::fs::remove_file(state.path().join(file));
    }
    wait_until_recorded(gateway.dir(), "one", 1);

    let mut gateway = Gateway::start(&config);
    gateway.wait_for("is in the journal now");
    assert_eq!(request_token(&gateway, "one", SECRET), 200);
    gateway.signal("KILL");
    gateway.wait(Duration::from_secs(12));
    assert!(state.path().join("secrets.json.imported").exists());
    assert!(!state.path().join("secrets.json").exists());
    // This is the state after a crash between the two steps, or after a rename that was undone.
    std::fs::rename(state.path().join("secrets.json.imported"), state.path().join("secrets.json"))
        .expect("renamed");
    let before = entries(state.path())[0].2["count"].as_u64().expect("a count");
    let mut gateway = Gateway::start(&config);
    assert_eq!(request_token(&gateway, "one", SECRET), 200);
    end(&mut gateway);
    assert_eq!(entries(state.path())[0].2["count"], before + 1, "nothing is counted twice");
}

#[test]
fn the_counts_of_a_replaced_process_are_added_until_its_end() {
    let state = tempfile::tempdir().expect("a folder");
    let config = config(state.path()).client("one", SECRET, "scopes = []").server("shutdown_grace = \"4s\"");
    let mut gateway = Gateway::start(&config);
    let request = || {
        let ask = format!("grant_type=client_credentials&client_id=one&client_secret={}", form(SECRET));
        post_form(TOKEN, &[], ask)
    };
    let mut idle = Conn::plain(gateway.plain());
    idle.request(request()).status(200);
    gateway.signal("USR2");
    gateway.wait_for(" has taken over");
    let _guard = Guard::of_successor(&gateway);
    let mut count = 1;
    loop {
        let answer = idle.request(request());
        answer.status(200);
        count += 1;
        if answer.all("connection").iter().any(|value| value.eq_ignore_ascii_case("close")) {
            break;
        }
    }
    assert_eq!(request_token(&gateway, "one", SECRET), 200);
    count += 1;
    assert!(gateway.wait(Duration::from_secs(12)).success());
    gateway.wait_for("the previous gateway process has ended");
    wait_until_recorded(gateway.dir(), "one", count);
    let started = Instant::now();
    let late = || -> i64 {
        let sql = "SELECT COUNT(*) FROM secret_usage WHERE late";
        journal(state.path()).query_row(sql, [], |row| row.get(0)).expect("a count")
    };
    while late() > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "late rows are left");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(entries(state.path())[0].2["count"], count);
}

#[test]
fn the_gateway_runs_without_a_writable_state_directory() {
    let state = tempfile::NamedTempFile::new().expect("a file");
    // A directory cannot be created where a file exists.
    let mut gateway = Gateway::start(&config(state.path()).client("one", SECRET, "scopes = []"));
    assert_eq!(request_token(&gateway, "one", SECRET), 200);
    let written = end(&mut gateway);
    assert_eq!(written.matches("tokens are kept in memory alone").count(), 1, "{written}");
    let list = run_ok(gateway.dir(), &["client", "list"]);
    assert!(list.stderr.contains("the last use of secrets is unknown"), "{list:?}");
}
