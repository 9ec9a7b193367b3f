//! Drafts and their commit.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::desk::{Desk, Gateway, TEXT, actor, add_scope, operation};
use super::*;
use crate::change::actor::{Actor, Role, Via};
use crate::change::audit::{AuditLine, Event};
use crate::change::draft::{DraftId, MAX_DRAFT_SIZE, MAX_DRAFTS, MAX_OPERATIONS};
use crate::change::error::ChangeError;
use crate::change::operation::{Operation, millis};
use crate::change::submission::Submitted;
use crate::change::versions::VersionState;

#[test]
fn a_draft_becomes_a_version() {
    let desk = Desk::new(TEXT);
    let ann = actor("ann", Role::Editor);
    let draft = desk.control.begin(&ann, "First", vec![add_scope("write")]).unwrap();
    let scopes = operation(json!({ "op": "client_scopes", "id": "a", "scopes": { "add": ["write"] } }));
    let route = json!({ "path": "/write", "scopes": ["write"], "upstream": "shop" });
    let route = operation(json!({ "op": "route_add", "route": route }));
    let draft = desk.control.add(&ann, &draft.id, draft.revision, vec![scopes, route]).unwrap();
    assert_eq!((draft.revision, draft.operations.len()), (2, 3));
    desk.fixture.is(TEXT);

    let preview = desk.control.preview(&ann, &draft).unwrap();
    assert!(!preview.stale && preview.owner_only.is_empty() && preview.errors.is_none());
    let grants: Vec<String> = preview.grants.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(grants, ["client \"a\" gets through any /write"]);
    let diff = preview.diff(desk.control.key());
    assert!(diff.contains("+write = \"D\"\n") && diff.contains("@@") && diff.contains("--- a/"), "{diff}");
    assert!(!diff.contains("argon2"), "{diff}");

    let committed = desk.control.commit(&ann, &draft.id, 2, "For the importer", None).unwrap();
    assert_eq!(committed.generation, Some(7));
    let version = committed.version;
    assert_eq!((version.number, version.parent, version.state), (2, Some(1), VersionState::Applied));
    assert!(desk.fixture.text().contains("read = \"R\" # reading\nwrite = \"D\"\n"));
    assert!(matches!(desk.control.draft(&draft.id), Err(ChangeError::NotFound(_))));
    assert_eq!(desk.control.version(2).unwrap(), version);
    assert_eq!(desk.control.version_texts(2).unwrap().main(), desk.fixture.text());
    assert_eq!(version.granted[0].text, "client \"a\" gets through any /write");
    let lines: Vec<(Event, String)> =
        desk.audit().into_iter().map(|line| (line.event, line.outcome)).take(2).collect();
    assert_eq!(lines, [(Event::Commit, "applied".to_owned()), (Event::Commit, "begun".to_owned())]);
    assert_eq!(desk.audit()[0].address.as_deref(), Some("192.0.2.1"));
    for entry in walk(&desk.fixture.dir.path().join("state")) {
        let mode = fs::metadata(&entry).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if entry.is_dir() { 0o700 } else { 0o600 }, "{}", entry.display());
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_new_secret_is_nowhere_but_in_the_answer() {
    let desk = Desk::new(TEXT);
    let ann = actor("ann", Role::Owner);
    let submitted = Submitted::read(
        json!({ "op": "client_add", "id": "b", "scopes": ["read"], "secret": { "text": "Password1" } }),
        Role::Owner,
        now(),
    )
    .unwrap();
    assert_eq!(submitted.secret.unwrap().expose(), "Password1");
    assert!(submitted.warning.is_some());
    let draft = desk.control.begin(&ann, "", vec![submitted.operation]).unwrap();
    let upstream = json!({ "credentials": { "header": "X-Key", "value": "open sesame" } });
    let upstream = operation(json!({ "op": "upstream_set", "name": "shop", "settings": upstream }));
    let draft = desk.control.add(&ann, &draft.id, 1, vec![upstream]).unwrap();
    let route = json!({ "path": "/x", "request_headers": { "set": { "X-Key": "open sesame" } } });
    for of_route in [
        json!({ "op": "route_add", "route": route }),
        json!({ "op": "route_set", "route": { "path": "/x" }, "settings": route }),
    ] {
        let shown = operation(of_route).shown().to_string();
        assert!(!shown.contains("sesame") && shown.contains("/x"), "{shown}");
    }
    let preview = desk.control.preview(&ann, &draft).unwrap();
    let shown = format!("{}{:?}", preview.diff(desk.control.key()), draft.operations[1].shown());
    assert!(!shown.contains("sesame") && !shown.contains("argon2"), "{shown}");
    assert!(!preview.patch(desk.control.key()).contains("sesame"));
    assert!(!format!("{preview:?}").contains("sesame"));
    desk.control.commit(&ann, &draft.id, 2, "c", None).unwrap();
    assert!(desk.fixture.text().contains("open sesame"));
    for file in walk(&desk.fixture.dir.path().join("state")).iter().filter(|path| path.is_file()) {
        let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
        assert!(!text.contains("sesame") && !text.contains("Password1"), "{}: {text}", file.display());
    }
    for wrong in [json!({ "text": "short12" }), json!({ "generate": false }), json!("Password1"), json!({})] {
        let sent = json!({ "op": "client_reset_secret", "id": "a", "secret": wrong });
        let error = Submitted::read(sent, Role::Owner, now()).unwrap_err();
        assert!(!error.to_string().contains("Password1"), "{error}");
    }
    let generated =
        Submitted::read(json!({ "op": "client_reset_secret", "id": "a" }), Role::Owner, now()).unwrap();
    assert_eq!(generated.secret.unwrap().expose().len(), 43);
    let restore = json!({ "op": "restore", "version": 1, "keep_today": false, "files": [] });
    assert!(Submitted::read(restore, Role::Owner, now()).is_err());
}

#[test]
fn the_role_is_checked_before_a_secret_is_looked_at() {
    // The secret is too short: this error would show that it was looked at.
    let client = || json!({ "op": "client_add", "id": "b", "secret": { "text": "short" } });
    let user = || json!({ "op": "admin_user_password", "name": "ann", "password": { "text": "short" } });
    let error = |json, role| Submitted::read(json, role, now()).unwrap_err();
    assert!(matches!(error(client(), Role::Viewer), ChangeError::Role(Role::Editor)));
    assert!(matches!(error(client(), Role::Editor), ChangeError::Operation(_)));
    assert!(matches!(error(user(), Role::Editor), ChangeError::Role(Role::Owner)));
    assert!(matches!(error(user(), Role::Owner), ChangeError::Operation(_)));
}

#[test]
fn two_operators_and_a_stale_base() {
    let desk = Desk::new(TEXT);
    let (ann, bob) = (actor("ann", Role::Editor), actor("bob", Role::Editor));
    let hers = desk.control.begin(&ann, "", vec![add_scope("hers")]).unwrap();
    let his = desk.control.begin(&bob, "", vec![add_scope("his")]).unwrap();
    // Each changes only the own draft, and only as it is now.
    assert!(matches!(desk.control.rename(&bob, &hers.id, 1, "x"), Err(ChangeError::NotYours(_))));
    assert!(matches!(desk.control.commit(&bob, &hers.id, 1, "x", None), Err(ChangeError::NotYours(_))));
    desk.control.rename(&ann, &hers.id, 1, "Mine").unwrap();
    assert!(matches!(desk.control.rename(&ann, &hers.id, 1, "x"), Err(ChangeError::Revision(2))));
    desk.control.commit(&ann, &hers.id, 2, "hers", None).unwrap();

    let stale = desk.control.commit(&bob, &his.id, 1, "his", None).unwrap_err();
    assert_eq!((stale.name(), stale.status()), ("stale-base", 412));
    assert!(desk.control.preview(&bob, &his).unwrap().stale);
    // What was edited by hand survives, too.
    fs::write(&desk.fixture.path, desk.fixture.text().replace("# top", "# by hand")).unwrap();
    let his = desk.control.rebase(&bob, &his.id, 1).unwrap();
    desk.control.commit(&bob, &his.id, his.revision, "his", None).unwrap();
    let text = desk.fixture.text();
    assert!(text.starts_with("# by hand") && text.contains("hers = \"D\"\nhis = \"D\"\n"), "{text}");
    // The edit by hand is a version of its own, before his.
    let versions = desk.control.history(None, 10).unwrap();
    let of = |at: usize| (versions[at].number, versions[at].via, versions[at].comment.as_str());
    assert_eq!(of(0), (4, Via::Api, "his"));
    assert_eq!(of(1), (3, Via::File, "Edited outside of the gateway"));
    assert_eq!(desk.control.history(Some(3), 1).unwrap()[0].comment, "hers");

    // A conflict is typed, and names the operation.
    let draft = desk.control.begin(&ann, "", vec![add_scope("x"), add_scope("y")]).unwrap();
    fs::write(&desk.fixture.path, text.replace("[scopes]\n", "[scopes]\ny = \"by hand\"\n")).unwrap();
    let conflict = desk.control.rebase(&ann, &draft.id, 1).unwrap_err();
    assert!(matches!(conflict, ChangeError::Conflict(1, Conflict::Exists(Kind::Scope, _))), "{conflict}");
}

#[test]
fn a_commit_is_refused_and_changes_nothing() {
    let desk = Desk::new(TEXT);
    let ann = actor("ann", Role::Editor);
    let fails = |operations: Vec<Operation>, comment: &str| {
        let error = desk.control.change(&ann, &operations, comment, None).unwrap_err();
        desk.fixture.is(TEXT);
        assert_eq!(desk.control.history(None, 10).unwrap().len(), 1, "{error}");
        error.name()
    };
    assert_eq!(fails(vec![add_scope("w")], " \n"), "comment-required");
    assert_eq!(fails(vec![], "nothing"), "nothing-to-commit");
    assert_eq!(
        fails(vec![operation(json!({ "op": "scope_remove", "name": "read" }))], "c"),
        "invalid-configuration"
    );
    let replace = operation(json!({ "op": "replace_text", "text": "" }));
    assert_eq!(fails(vec![replace], "c"), "forbidden");
    let viewer = actor("eve", Role::Viewer);
    assert!(matches!(desk.control.begin(&viewer, "", vec![]), Err(ChangeError::Role(Role::Editor))));
    let within = Some(Duration::from_secs(9));
    let short = desk.control.change(&ann, &[add_scope("w")], "c", within).unwrap_err();
    assert_eq!(short.name(), "confirm-within");

    let read_only = Desk::new(&format!("{TEXT}[admin]\nlisten = \"http://127.0.0.1:0\"\nread_only = true\n"));
    let owner = actor("ann", Role::Owner);
    let refused = read_only.control.change(&owner, &[add_scope("w")], "c", None).unwrap_err();
    assert_eq!(refused.name(), "read-only");
    let draft = read_only.control.begin(&owner, "", vec![add_scope("w")]).unwrap();
    let patch = read_only.control.preview(&owner, &draft).unwrap().patch(read_only.control.key());
    assert!(patch.contains("+w = \"D\"\n"), "{patch}");
}

#[test]
fn a_change_that_cannot_be_applied_is_undone() {
    let refuses = Arc::new(AtomicBool::new(true));
    let desk = Desk::with(TEXT, Gateway { refuses: Arc::clone(&refuses) });
    let ann = actor("ann", Role::Editor);
    let within = Some(Duration::from_secs(60));
    assert!(desk.control.change(&ann, &[add_scope("w")], "c", within).is_err());
    desk.fixture.is(TEXT);
    assert_eq!(desk.control.version(2).unwrap().state, VersionState::Abandoned);
    assert!(desk.control.unconfirmed().unwrap().is_none());
    refuses.store(false, Ordering::Relaxed);
    assert_eq!(desk.control.change(&ann, &[add_scope("w")], "c", None).unwrap().version.parent, Some(1));
}

#[test]
fn without_an_audit_nothing_is_changed() {
    let desk = Desk::new(TEXT);
    let ann = actor("ann", Role::Owner);
    let audit = desk.fixture.dir.path().join("state/admin/audit.jsonl");
    fs::remove_file(&audit).unwrap();
    fs::create_dir(&audit).unwrap();
    let error = desk.control.change(&ann, &[add_scope("w")], "c", None).unwrap_err();
    assert_eq!((error.name(), error.status()), ("audit-unavailable", 503));
    assert!(desk.control.begin(&ann, "", vec![]).is_err());
    desk.fixture.is(TEXT);
    assert_eq!(desk.control.history(None, 10).unwrap().len(), 1);
}

#[test]
fn drafts_are_bounded_and_their_ids_are_no_paths() {
    let desk = Desk::new(TEXT);
    let ann = actor("ann", Role::Editor);
    for id in [
        "",
        "../../gateway.toml",
        "0123456789abcde",
        "0123456789ABCDEF",
        "0123456789abcde/",
        "é123456789abcdef",
    ] {
        assert!(DraftId::parse(id).is_none(), "{id}");
    }
    let enable = operation(json!({ "op": "client_enabled", "id": "a", "enabled": true }));
    let draft = desk.control.begin(&ann, "a\nb", vec![enable.clone(); MAX_OPERATIONS]).unwrap();
    assert_eq!(draft.title, "ab");
    let more = desk.control.add(&ann, &draft.id, 1, vec![enable]).unwrap_err();
    assert!(matches!(more, ChangeError::TooMany(..)));
    for _ in 1..MAX_DRAFTS {
        desk.control.begin(&ann, "", vec![]).unwrap();
    }
    assert!(matches!(desk.control.begin(&ann, "", vec![]), Err(ChangeError::TooMany(..))));
    assert_eq!(desk.control.drafts().unwrap().len(), MAX_DRAFTS);
    desk.control.discard(&ann, &draft.id, 1).unwrap();
    desk.control.begin(&ann, "", vec![]).unwrap();
    // A damaged draft is left out, and none of its text is shown.
    fs::write(desk.fixture.dir.path().join("state/admin/drafts/0123456789abcdef.json"), "{").unwrap();
    assert_eq!(desk.control.drafts().unwrap().len(), MAX_DRAFTS);
    let damaged = DraftId::parse("0123456789abcdef").unwrap();
    assert_eq!(desk.control.damaged_drafts().unwrap(), std::slice::from_ref(&damaged));
    // Its owner and its revision cannot be known, so every editor can discard it.
    let vera = actor("vera", Role::Viewer);
    assert!(matches!(desk.control.discard(&vera, &damaged, 0), Err(ChangeError::Role(_))));
    desk.control.discard(&ann, &damaged, 0).unwrap();
    assert!(matches!(desk.control.discard(&ann, &damaged, 0), Err(ChangeError::NotFound(_))));
    assert!(desk.control.damaged_drafts().unwrap().is_empty());
}

#[test]
fn the_size_of_a_draft_is_bounded() {
    let desk = Desk::new(TEXT);
    let ann = actor("ann", Role::Editor);
    let long = |length| {
        let name = "x".repeat(length);
        operation(json!({ "op": "scope_describe", "name": "read", "description": name }))
    };
    let error = desk.control.begin(&ann, "", vec![long(MAX_DRAFT_SIZE)]).unwrap_err();
    assert!(matches!(error, ChangeError::TooLarge(_)) && error.status() == 422, "{error}");
    let draft = desk.control.begin(&ann, "", vec![long(MAX_DRAFT_SIZE / 2)]).unwrap();
    let error = desk.control.add(&ann, &draft.id, 1, vec![long(MAX_DRAFT_SIZE / 2)]).unwrap_err();
    assert!(matches!(error, ChangeError::TooLarge(_)), "{error}");
    assert_eq!(desk.control.draft(&draft.id).unwrap().revision, 1);
}

#[test]
fn a_client_with_the_name_of_a_user_has_other_drafts() {
    let desk = Desk::new(TEXT);
    let client = actor("ann", Role::Editor);
    let user = Actor { via: Via::Console, ..client.clone() };
    let draft = desk.control.begin(&user, "", vec![]).unwrap();
    assert!(draft.is_of("ann", Via::Console) && !draft.is_of("ann", Via::Api));
    assert!(matches!(desk.control.rename(&client, &draft.id, 1, "x"), Err(ChangeError::NotYours(_))));
    desk.control.rename(&user, &draft.id, 1, "x").unwrap();
}

#[test]
fn the_drafts_of_a_removed_user_are_discarded() {
    let desk = Desk::new(&format!("{TEXT}[admin]\nlisten = \"http://127.0.0.1:0\"\n"));
    let owner = actor("owen", Role::Owner);
    let add = |name: &str| {
        let user = json!({ "op": "admin_user_add", "name": name, "password": { "text": "Password1" }, "role": "editor" });
        Submitted::read(user, Role::Owner, now()).unwrap().operation
    };
    desk.control.change(&owner, &[add("ann"), add("ben")], "c", None).unwrap();
    let begin = |name| {
        let user = Actor { via: Via::Console, ..actor(name, Role::Editor) };
        desk.control.begin(&user, "", vec![]).unwrap()
    };
    let (gone, kept) = (begin("ann"), begin("ben"));
    let remove = operation(json!({ "op": "admin_user_remove", "name": "ann" }));
    desk.control.change(&owner, &[remove], "c", None).unwrap();
    assert!(matches!(desk.control.draft(&gone.id), Err(ChangeError::NotFound(_))));
    desk.control.draft(&kept.id).unwrap();
}

#[test]
fn the_audit_is_rotated_and_read_from_its_end() {
    let desk = Desk::new(TEXT);
    let ann = actor("ann\u{1b}[2J\n", Role::Owner);
    let path = desk.fixture.dir.path().join("state/admin/audit.jsonl");
    for number in 0..3 {
        desk.control.audit().record(&AuditLine::now(&ann, Event::User, &number.to_string(), "ok")).unwrap();
    }
    let whole = fs::read_to_string(&path).unwrap();
    assert!(whole.lines().all(|line| !line.contains('\u{1b}')), "{whole}");
    // A sparse file stands for one that is full.
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(64 << 20).unwrap();
    desk.control.audit().record(&AuditLine::now(&ann, Event::User, "last", "ok")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
    assert!(path.with_file_name("audit.1.jsonl").exists());
    assert_eq!(desk.control.audit().newest(0, 1).unwrap()[0].object, "last");
    assert_eq!(millis(now()), NOW * 1000);
}
