//! Staged changes with the real program: drafts, commits that are interrupted at every step, confirmation and
//! rollback.

use crate::support::config::{SECRET, cheap_hash};
use crate::support::program::{Output, finish};
use crate::support::{Config, Conn, Fixture, Gateway, Upstream, get, run};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many commits are made under load. `TOLLGATE_COMMITS=200` is for a run by hand.
fn commits() -> usize {
    std::env::var("TOLLGATE_COMMITS").ok().and_then(|commits| commits.parse().ok()).unwrap_or(20)
}

const FILE: &str = "# top
[server]
listen = [\"http://127.0.0.1:0\"]

[scopes]
read = \"R\" # reading

[upstreams.api]
servers = [\"http://127.0.0.1:9\"]

[[routes]]
path = \"/hello\"
scopes = [\"read\"]
upstream = \"api\"
";

#[track_caller]
fn good(dir: &Path, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
    output.stdout
}

#[track_caller]
fn json(dir: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&good(dir, arguments)).expect("JSON")
}

/// Begins a draft with operations, and returns its id.
#[track_caller]
fn draft(dir: &Path, operations: &[&str]) -> String {
    let id = good(dir, &["change", "new", "--title", "A change"]).trim().to_owned();
    for operation in operations {
        good(dir, &["change", "add", &id, operation]);
    }
    id
}

fn text(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("gateway.toml")).expect("gateway.toml")
}

#[track_caller]
fn eventually(gateway: &Gateway, what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what}\n{}", gateway.written());
        thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a command that ends itself at a point, as if it were killed there.
fn killed_at(dir: &Path, point: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.current_dir(dir).args(arguments).env("TOLLGATE_FAULT", point);
    finish(command, Duration::from_secs(15))
}

const SCOPE: &str = r#"{"op": "scope_add", "name": "write", "description": "W"}"#;

#[test]
fn a_kill_at_any_step_of_a_commit_leaves_one_configuration_and_the_history_says_which() {
    let points = [
        "begun",
        "text-written",
        "prepared",
        "armed",
        "written",
        "renamed",
        "replaced",
        "applied",
        "recorded",
    ];
    let mut new = 0;
    for (point, confirm) in points.iter().flat_map(|point| [(point, false), (point, true)]) {
        if *point == "armed" && !confirm {
            continue;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        std::fs::write(dir.join("gateway.toml"), FILE).expect("gateway.toml");
        let id = draft(dir, &[SCOPE]);
        let mut arguments = vec!["change", "commit", &id, "-m", "A scope"];
        if confirm {
            arguments.extend(["--confirm-within", "1h"]);
        }
        let output = killed_at(dir, point, &arguments);
        assert_eq!(output.code, None, "{point}: the command was not killed: {output:?}");

        let changed = FILE.replace("# reading\n", "# reading\nwrite = \"W\"\n");
        let there = text(dir);
        assert!(there == FILE || there == changed, "{point}: {there}");
        // The next command settles it.
        let history = json(dir, &["history", "--json"]);
        let versions = history.as_array().expect("a list");
        let state = versions.iter().find(|version| version["comment"] == "A scope");
        let state = state.map(|version| version["state"].as_str().expect("a state"));
        let wanted = match (there == changed, confirm, *point) {
            (true, false, _) => Some("applied"),
            (true, true, _) => Some("provisional"),
            (false, _, "begun" | "text-written") => None,
            (false, ..) => Some("abandoned"),
        };
        assert_eq!(state, wanted, "{point}: {history:#}");
        assert_eq!(text(dir), there, "{point}");
        let waits = dir.join("state/admin/unconfirmed.json").exists();
        assert_eq!(waits, wanted == Some("provisional"), "{point}");
        // The draft is still there unless it was committed whole, and another commit can be made.
        if there == FILE {
            good(dir, &["change", "commit", &id, "-m", "Again"]);
            assert_eq!(text(dir), changed, "{point}");
        } else if confirm {
            let number = versions[0]["number"].to_string();
            good(dir, &["confirm", &number]);
            assert!(!dir.join("state/admin/unconfirmed.json").exists());
        }
        new += usize::from(there == changed);
    }
    assert!(new >= 8, "{new}");
}

#[test]
fn a_kill_between_two_files_leaves_the_old_ones() {
    for (point, is_new) in [("pending", false), ("renamed", false), ("applied", true)] {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        let main = format!("include = [\"clients.toml\"]\n{FILE}");
        let clients = format!("# theirs\n[clients.one]\nsecret = \"{}\"\n", cheap_hash(SECRET));
        std::fs::write(dir.join("gateway.toml"), &main).expect("gateway.toml");
        std::fs::write(dir.join("clients.toml"), &clients).expect("clients.toml");
        let scopes = r#"{"op": "client_scopes", "id": "one", "scopes": {"add": ["write"]}}"#;
        let id = draft(dir, &[SCOPE, scopes]);
        let output = killed_at(dir, point, &["change", "commit", &id, "-m", "Both"]);
        assert_eq!(output.code, None, "{output:?}");
        let history = json(dir, &["history", "--json"]);
        let there = std::fs::read_to_string(dir.join("clients.toml")).expect("clients.toml");
        assert_eq!(text(dir).contains("write"), is_new, "{point}");
        assert_eq!(there.contains("write"), is_new, "{point}: {there}");
        assert_eq!(history[0]["state"], if is_new { "applied" } else { "abandoned" }, "{point}: {history:#}");
        assert!(!dir.join("state/admin/pending.json").exists());
        good(dir, &["check"]);
    }
}

const ROUTE: &str =
    r#"{"op": "route_add", "route": {"path": "/late", "access": "public", "upstream": "api"}}"#;

/// Moves the deadline of the commit that waits to the past, as if its time were over.
fn let_the_deadline_pass(state: &Path) {
    let path = state.join("admin/unconfirmed.json");
    let mut waits: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("a commit that waits")).expect("JSON");
    waits["deadline"] = 1.into();
    // The file is renamed into place, because a reader may open it at any moment.
    let beside = path.with_extension("test");
    std::fs::write(&beside, waits.to_string()).expect("the deadline");
    std::fs::rename(&beside, &path).expect("the deadline");
}

#[test]
fn a_commit_that_nobody_confirms_is_rolled_back_by_the_running_gateway_and_by_the_next_one() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let config = Config::standard(upstream.address()).server(&format!("state_dir = {:?}", state.path()));
    let fixture = Fixture { gateway: Gateway::start(&config), upstream };
    let (gateway, dir) = (&fixture.gateway, fixture.gateway.dir());
    let status = |fixture: &Fixture| fixture.raw(get("/late", &[])).code();
    let before = text(dir);
    let commit = || {
        let id = draft(dir, &[ROUTE]);
        let said = good(dir, &["change", "commit", &id, "-m", "A late route", "--confirm-within", "1h"]);
        assert!(said.contains("unless it is confirmed"), "{said}");
        eventually(gateway, "the new route", || status(&fixture) == 200);
    };
    commit();
    let id = draft(dir, &[SCOPE.replace("write", "more").as_str()]);
    let other = run(dir, &["change", "commit", &id, "-m", "Another"]);
    assert!(other.code == Some(2) && other.stderr.contains("waits for its confirmation"), "{other:?}");
    let_the_deadline_pass(state.path());
    eventually(gateway, "the rollback", || status(&fixture) == 404);
    eventually(gateway, "the record", || !state.path().join("admin/unconfirmed.json").exists());
    assert_eq!(text(dir), before);
    gateway.wait_for("was restored: ");

    // The gateway is killed, and the time is over when it starts again: it never serves the route.
    commit();
    let provisional = text(dir);
    let Fixture { mut gateway, upstream } = fixture;
    gateway.signal("KILL");
    gateway.wait(Duration::from_secs(12));
    let_the_deadline_pass(state.path());
    let fixture = Fixture { gateway: Gateway::start_text(&provisional, &[]), upstream };
    assert_eq!(status(&fixture), 404);
    assert_eq!(text(fixture.gateway.dir()), before);

    // A commit that still has time is served, and can be confirmed.
    let Fixture { mut gateway, upstream } = fixture;
    let id = draft(gateway.dir(), &[ROUTE]);
    good(gateway.dir(), &["change", "commit", &id, "-m", "Once more", "--confirm-within", "1h"]);
    let provisional = text(gateway.dir());
    gateway.signal("KILL");
    gateway.wait(Duration::from_secs(12));
    let fixture = Fixture { gateway: Gateway::start_text(&provisional, &[]), upstream };
    assert_eq!(status(&fixture), 200);
    let history = json(fixture.gateway.dir(), &["history", "--json"]);
    assert_eq!(history[0]["state"], "provisional", "{history:#}");
    good(fixture.gateway.dir(), &["confirm", &history[0]["number"].to_string()]);
    assert_eq!(status(&fixture), 200);
    let audit = std::fs::read_to_string(state.path().join("admin/audit.jsonl")).expect("the audit");
    for outcome in ["provisional", "rolled back", "confirmed"] {
        assert!(audit.contains(&format!("\"outcome\":\"{outcome}\"")), "{outcome}\n{audit}");
    }
}

#[test]
fn edits_by_commands_and_by_hand_are_versions() {
    let fixture = Fixture::start(|standard| standard.server("state_dir = \"state\""));
    let dir = fixture.gateway.dir();
    assert!(!dir.join("state/admin").exists(), "the history begins when somebody asks for it");
    good(dir, &["client", "disable", "other"]);
    let first = json(dir, &["history", "--json"]);
    assert_eq!(first.as_array().map(Vec::len), Some(1));
    good(dir, &["client", "enable", "other"]);
    fixture.gateway.rewrite(|text| format!("# by hand\n{text}"));
    eventually(&fixture.gateway, "the edit by hand", || {
        json(dir, &["history", "--json"]).as_array().is_some_and(|versions| versions.len() >= 3)
    });
    let history = json(dir, &["history", "--json"]);
    let versions: Vec<(&str, &str)> = history
        .as_array()
        .expect("a list")
        .iter()
        .map(|version| (version["via"].as_str().expect("via"), version["comment"].as_str().expect("why")))
        .collect();
    assert_eq!(
        versions,
        [
            ("file", "Edited outside of the gateway"),
            ("cli", "enable the client \"other\""),
            ("file", "The first version that was seen"),
        ]
    );
    let shown = good(dir, &["history", "1", "--text"]);
    assert!(
        shown.contains("[clients.other]") && shown.contains("hidden:") && !shown.contains("argon2"),
        "{shown}"
    );

    let widened = good(dir, &["rollback", "1", "-m", "As it was"]);
    assert!(widened.contains("Version 4 is in place"), "{widened}");
    eventually(&fixture.gateway, "the rollback", || fixture.ask_token("other", "&scope=read").code() == 401);
    let described = good(dir, &["history", "4"]);
    assert!(described.contains("roll back to version 1"), "{described}");
    assert!(
        described.contains("- client \"other\" no longer gets through GET /hello")
            || described.contains("no longer gets through"),
        "{described}"
    );
}

#[test]
fn a_draft_shows_what_it_grants_and_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    std::fs::write(dir.join("gateway.toml"), FILE).expect("gateway.toml");
    let id = good(dir, &["change", "new"]).trim().to_owned();
    let add = r#"{"op": "client_add", "id": "report", "scopes": ["read"], "secret": {"text": "Password1"}}"#;
    let added = run(dir, &["change", "add", &id, add]);
    assert!(added.stdout.contains("Password1") && added.stderr.contains("can be guessed"), "{added:?}");
    let shown = good(dir, &["change", "show", &id]);
    for line in [
        "  1. add the client \"report\" with the scope read\n",
        "  + client \"report\" gets through any /hello\n",
        "+[clients.report]\n",
        "+secret = \"hidden:",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let all = format!("{shown}{}", good(dir, &["change", "show", &id, "--json"]));
    assert!(!all.contains("Password1") && !all.contains("argon2"), "{all}");
    // The patch applies in the repository that has the file.
    let patch = good(dir, &["change", "show", &id, "--patch"]);
    assert!(
        patch.starts_with("--- a/gateway.toml\n+++ b/gateway.toml\n")
            && patch.contains("+secret = \"$argon2id")
    );
    let wrong = run(dir, &["change", "add", &id, r#"{"op": "fly", "secret": "Password1"}"#]);
    assert!(wrong.code == Some(2) && !wrong.all().contains("Password1"), "{wrong:?}");
    let wrong = run(dir, &["change", "show", "../../gateway"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("the draft does not exist"), "{wrong:?}");
    good(dir, &["change", "undo", &id, "1"]);
    good(dir, &["change", "discard", &id]);
    assert!(good(dir, &["change", "list"]).contains("There are no drafts"));
    assert_eq!(text(dir), FILE);
}

#[test]
fn a_commit_that_violates_an_access_test_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let file = format!("{FILE}\n[[expect]]\nnever = [\"GET /late\"]\n");
    std::fs::write(dir.join("gateway.toml"), &file).expect("gateway.toml");
    let id = draft(dir, &[ROUTE]);
    assert!(good(dir, &["change", "show", &id]).contains("expect[0].never[0]"));
    let refused = run(dir, &["change", "commit", &id, "-m", "Open it"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("expect[0].never[0]"), "{refused:?}");
    assert_eq!(text(dir), file);
}

fn resident_kib(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn commits_under_load_lose_no_request_and_no_memory() {
    let fixture = Fixture::start(|standard| standard.server("state_dir = \"state\""));
    let (gateway, dir) = (&fixture.gateway, fixture.gateway.dir());
    let id = draft(dir, &[ROUTE]);
    good(dir, &["change", "commit", &id, "-m", "A route"]);
    eventually(gateway, "the route", || fixture.raw(get("/late", &[])).code() == 200);
    let (done, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let bearer = fixture.bearer("server", "read");
    let mut memory = Vec::new();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = Conn::plain(gateway.plain());
                while !done.load(Ordering::Relaxed) {
                    connection.send(get("/hello", &[&bearer]));
                    assert_eq!(connection.read().code(), 200);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 0..commits() {
            // Each rollback changes between the version without the route and the one with it.
            let version = if number % 2 == 0 { "1" } else { "2" };
            let said = good(dir, &["rollback", version, "-m", "To and fro"]);
            assert!(said.contains("is in place"), "{said}");
            let wanted = if number % 2 == 0 { 404 } else { 200 };
            eventually(gateway, "the change", || fixture.raw(get("/late", &[])).code() == wanted);
            memory.push(resident_kib(gateway.pid()));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(sent.load(Ordering::Relaxed) > 10 * commits(), "{sent:?}");
    // After the first quarter, caches are full and pools have their final size.
    let (early, late) = (memory[memory.len() / 4], memory[memory.len() - 1]);
    assert!(late < early + 8 * 1024, "{memory:?}");
    if commits() > 100 {
        eprintln!("{} requests, memory in KiB: {memory:?}", sent.load(Ordering::Relaxed));
    }
    assert!(!gateway.written().contains("is not applied"), "{}", gateway.written());
}
