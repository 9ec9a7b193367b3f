//! Edits change nothing but what they are meant to change.

mod confirm;
mod control;
mod desk;
mod edits;
mod file;
mod included;
mod operations;
mod permission;
mod property;
mod registration;
mod rollback;
mod shapes;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::clients::NewClient;
use super::conflict::{Conflict, Kind};
use super::document::Document;
use super::secrets::Rotation;
use super::*;
use crate::config::Config;
use crate::gate::SecretHash;

/// A hash with the lowest cost.
const OLD: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w";
const NEW: &str =
    "$argon2id$v=19$m=8,t=1,p=1$bmV3c2FsdG5ld3NhbHRuZQ$8Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w";
/// 2026-11-23T08:30:00Z.
const NOW: u64 = 1_795_422_600;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// A gateway.toml in its own folder. `OLD` and `NEW` are replaced by hashes.
struct Fixture {
    dir: TempDir,
    path: PathBuf,
}

impl Fixture {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gateway.toml");
        fs::write(&path, expand(text)).unwrap();
        Self { dir, path }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    #[track_caller]
    fn is(&self, wanted: &str) {
        let (text, wanted) = (self.text(), expand(wanted));
        assert!(text == wanted, "--- wanted\n{wanted}\n--- is\n{text}");
    }

    fn edit<T>(&self, change: impl FnOnce(&mut Document) -> Result<T, Conflict>) -> Result<T, EditError> {
        let mut file = ConfigFile::open(&self.path)?;
        let made = change(file.document())?;
        file.save()?;
        Ok(made)
    }

    fn add(&self, id: &str) -> Result<(), EditError> {
        self.edit(|file| add(file, id))
    }

    #[track_caller]
    fn nothing_else_in_the_folder(&self) {
        let names: Vec<_> = fs::read_dir(self.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["gateway.toml"]);
    }
}

fn expand(text: &str) -> String {
    text.replace("OLD", OLD).replace("NEW", NEW)
}

fn hash() -> SecretHash {
    SecretHash::parse(NEW).unwrap()
}

fn add(file: &mut Document, id: &str) -> Result<(), Conflict> {
    file.add_client(&NewClient {
        id,
        hash: &hash(),
        capabilities: &["client_credentials".to_owned()],
        scopes: &["read".to_owned()],
        default_scopes: &[],
        token_lifetime: None,
        now: now(),
    })
}

fn rotate(
    file: &mut Document,
    keep_old: Option<Duration>,
) -> Result<crate::change::secrets::Rotated, Conflict> {
    file.rotate("a", &Rotation { hash: &hash(), keep_old, now: now(), revoke_tokens: false })
}

const DAY: Duration = Duration::from_secs(86_400);

const ADDED: &str = "\n[clients.b]\nsecret = \"NEW\"\ncapabilities = [\"client_credentials\"]\nscopes = [\"read\"]\ntoken_generation = 1795422600000\n";

#[test]
fn a_client_is_added_after_the_others_and_removed_without_a_trace() {
    // The text before and after the place of the new client.
    let table = [
        ("[scopes]\nread = \"R\"\n[clients.a]\nsecret = \"OLD\"\n", "\n[server] # here\nthreads=1\n"),
        // A comment directly after a table belongs to it, and one above the next header belongs to that.
        (
            "# top\n\n[scopes]\nread = 'R'\n\n# the first\n[clients.a]   # a\nsecret = \"OLD\" # s\n# scopes = []\n",
            "\n# ---- server\n\n# it\n[server]\n\n\n# the end\n",
        ),
        ("[clients.a]\nsecret = \"OLD\"\n", "\n[scopes]\nread = \"R\""),
        ("[scopes]\nread = \"R\"\n", ""),
        ("[clients.a]\n[[clients.a.secrets]]\nid='1'\nhash='OLD'\n", "[scopes]\nread = \"R\"\n# the end\n"),
        ("scopes.read = \"R\"\n[clients]\na = { secret = \"OLD\" }\n", "\n[server]\n"),
        ("\u{feff}# CRLF\r\n[scopes]\r\nread = \"R\"\r\n", "\r\n# end\r\n"),
    ];
    for (before, behind) in table {
        let fixture = Fixture::new(&format!("{before}{behind}"));
        fixture.add("b").unwrap_or_else(|error| panic!("{before}{behind}: {error}"));
        let added = if before.contains('\r') { ADDED.replace('\n', "\r\n") } else { ADDED.to_owned() };
        fixture.is(&format!("{before}{added}{behind}"));
        fixture.edit(|file| file.remove_client("b")).unwrap();
        fixture.is(&format!("{before}{behind}"));
        fixture.nothing_else_in_the_folder();
    }
}

#[test]
fn the_shipped_file_keeps_every_line() {
    let shipped = include_str!("../../gateway.toml");
    let fixture = Fixture::new(shipped);
    fixture.add("b").unwrap();
    let text = fixture.text();
    let (before, behind) = text.split_once(&expand(ADDED)).expect("the new client is in it");
    assert_eq!(format!("{before}{behind}"), shipped);
    assert!(before.trim_end().ends_with("# the scopes that its tokens can have"), "{before}");
    let maximal = include_str!("../config/tests/maximal.toml").replace("\"HASH\"", "\"OLD\"");
    // Its certificates do not exist, so it is not written. Its text does not change.
    let fixture = Fixture::new(&maximal);
    assert!(ConfigFile::open(&fixture.path).is_ok());
}

#[test]
fn a_client_is_disabled_and_enabled() {
    let text = "[clients.a]\nsecret = \"OLD\" # s  \n# more\n\n[clients.c]\nenabled = true  # now\nsecret = \"OLD\"\n";
    let fixture = Fixture::new(text);
    let switch = |id: &str, enabled| {
        let before = fixture.text();
        fixture.edit(|file| file.set_enabled(id, enabled, now())).unwrap();
        fixture.text() != before
    };
    assert!(!switch("a", true));
    assert!(!switch("c", true));
    fixture.is(text);
    assert!(switch("a", false));
    assert!(!switch("a", false));
    assert!(switch("c", false));
    fixture.is(
        "[clients.a]\nsecret = \"OLD\" # s  \nenabled = false\ntoken_generation = 1795422600000\n# more\n\n[clients.c]\nenabled = false  # now\nsecret = \"OLD\"\ntoken_generation = 1795422600000\n",
    );
    assert!(switch("c", true));
    assert!(switch("a", true));
}

#[test]
fn tokens_end_by_a_generation_that_is_never_used_again() {
    let fixture = Fixture::new("[scopes]\nread = \"R\"\n[clients.a]\nsecret = \"OLD\" # s\n");
    let generation = |id: &str| {
        let config = Config::load(&fixture.path).unwrap();
        config.client(id).unwrap().token_generation
    };
    assert_eq!(generation("a"), 0);
    fixture.edit(|file| file.end_tokens("a", now())).unwrap();
    assert_eq!(generation("a"), NOW * 1000);
    // Twice in one millisecond, and with a clock that was set back.
    fixture.edit(|file| file.end_tokens("a", now())).unwrap();
    fixture.edit(|file| file.end_tokens("a", SystemTime::UNIX_EPOCH)).unwrap();
    assert_eq!(generation("a"), NOW * 1000 + 2);
    // Disabled and enabled before a gateway reads the file.
    fixture.edit(|file| file.set_enabled("a", false, now())).unwrap();
    fixture.edit(|file| file.set_enabled("a", true, now())).unwrap();
    assert_eq!(generation("a"), NOW * 1000 + 3);
    // Removed and added again.
    fixture.edit(|file| file.remove_client("a")).unwrap();
    fixture.add("a").unwrap();
    let added = generation("a");
    fixture.edit(|file| file.remove_client("a")).unwrap();
    let later = now() + Duration::from_millis(1);
    fixture
        .edit(|file| {
            file.add_client(&NewClient {
                id: "a",
                hash: &hash(),
                capabilities: &["client_credentials".to_owned()],
                scopes: &["read".to_owned()],
                default_scopes: &[],
                token_lifetime: None,
                now: later,
            })
        })
        .unwrap();
    assert_eq!(generation("a"), added + 1);
    let rotation = Rotation { hash: &hash(), keep_old: None, now: later, revoke_tokens: true };
    fixture.edit(|file| file.rotate("a", &rotation)).unwrap();
    assert_eq!(generation("a"), added + 2);
    let missing = fixture.edit(|file| file.end_tokens("b", now())).unwrap_err();
    assert!(missing.to_string().contains("there is no client \"b\""), "{missing}");
}

#[test]
fn text_above_a_removed_client_stays_unless_it_belongs_to_the_client() {
    let fixture = Fixture::new(
        "[server]\n# threads = 1\n\n# ---- clients\n\n# the first\n[clients.a]\nsecret = \"OLD\"\n# scopes = []\n\n# the next\n[clients.c]\nsecret = \"OLD\"\n",
    );
    fixture.edit(|file| file.remove_client("a")).unwrap();
    fixture.is("[server]\n# threads = 1\n\n# ---- clients\n\n# the next\n[clients.c]\nsecret = \"OLD\"\n");
    fixture.edit(|file| file.remove_client("c")).unwrap();
    fixture.is("[server]\n# threads = 1\n\n# ---- clients\n");
}

#[test]
fn a_secret_is_replaced_in_place() {
    let fixture = Fixture::new("[clients.a]\n# why\nsecret = \"OLD\"  # s\nenabled = true\n");
    let rotated = fixture.edit(|file| rotate(file, None)).unwrap();
    fixture.is("[clients.a]\n# why\nsecret = \"NEW\"  # s\nenabled = true\n");
    assert_eq!(
        (rotated.id.as_str(), rotated.kept, rotated.dropped),
        ("default", vec![], vec!["default".to_owned()])
    );
}

#[test]
fn the_old_secret_stays_for_a_while() {
    let fixture = Fixture::new("[clients.a]\n# why\nsecret = \"OLD\"  # s\nenabled = true\n");
    let rotated = fixture.edit(|file| rotate(file, Some(DAY))).unwrap();
    fixture.is(
        "[clients.a]\n# why\nsecrets = [\n  { id = \"default\", hash = \"OLD\", expires = 2026-11-24T08:30:00Z },\n  { id = \"2026-11-23\", hash = \"NEW\" },\n]  # s\nenabled = true\n",
    );
    assert_eq!((rotated.id.as_str(), rotated.kept), ("2026-11-23", vec!["default".to_owned()]));
    // Again on the same day: ids are distinct, and no expiry becomes later.
    fixture.edit(|file| rotate(file, Some(2 * DAY))).unwrap();
    fixture.is(
        "[clients.a]\n# why\nsecrets = [\n  { id = \"default\", hash = \"OLD\", expires = 2026-11-24T08:30:00Z },\n  { id = \"2026-11-23\", hash = \"NEW\", expires = 2026-11-25T08:30:00Z },\n  { id = \"2026-11-23-2\", hash = \"NEW\" },\n]  # s\nenabled = true\n",
    );
    fixture.edit(|file| rotate(file, None)).unwrap();
    fixture.is(
        "[clients.a]\n# why\nsecrets = [\n  { id = \"2026-11-23\", hash = \"NEW\" },\n]  # s\nenabled = true\n",
    );
}

#[test]
fn a_list_of_secrets_keeps_its_shape_and_loses_what_expired() {
    let table = [
        (
            "secrets = [ # all\n    { id = \"x\", hash = \"OLD\", expires = 2020-01-01T00:00:00Z }, # gone\n    # the good one\n    { hash = \"OLD\", id = \"y\" } # y\n  ]\n",
            "secrets = [ # gone\n    # the good one\n    { hash = \"OLD\", id = \"y\", expires = 2026-11-24T08:30:00Z } # y\n  ,\n    { id = \"2026-11-23\", hash = \"NEW\" }\n]\n",
        ),
        (
            "secrets = [{ id = \"y\", hash = \"OLD\" }]\n",
            "secrets = [{ id = \"y\", hash = \"OLD\", expires = 2026-11-24T08:30:00Z }, { id = \"2026-11-23\", hash = \"NEW\" }]\n",
        ),
        (
            "secrets = [\n\t{ id = \"y\", hash = \"OLD\", expires = 2026-11-23T12:00:00+02:00 }, # y\n]\n",
            "secrets = [\n\t{ id = \"y\", hash = \"OLD\", expires = 2026-11-23T12:00:00+02:00 }, # y\n\t{ id = \"2026-11-23\", hash = \"NEW\" },\n]\n",
        ),
        (
            "[[clients.a.secrets]] # y\nid = \"y\"\nhash = \"OLD\" # h\n",
            "[[clients.a.secrets]] # y\nid = \"y\"\nhash = \"OLD\" # h\nexpires = 2026-11-24T08:30:00Z\n\n[[clients.a.secrets]]\nid = \"2026-11-23\"\nhash = \"NEW\"\n",
        ),
    ];
    for (before, after) in table {
        let around = |secrets: &str| format!("[clients.a]\n{secrets}\n# end\n");
        let fixture = Fixture::new(&around(before));
        fixture.edit(|file| rotate(file, Some(DAY))).unwrap_or_else(|error| panic!("{before}: {error}"));
        let text = fixture.text();
        // Commas and comments of the first row may move. Everything must still be there.
        if before.contains("# all") {
            for part in ["# the good one", "# y", "id = \"y\"", "2026-11-24T08:30:00Z", "id = \"2026-11-23\""]
            {
                assert!(text.contains(part), "{part}\n{text}");
            }
            assert!(!text.contains("id = \"x\""), "{text}");
        } else {
            fixture.is(&around(after));
        }
    }
}

#[test]
fn a_file_that_only_lacks_the_secret_is_corrected() {
    for secret in ["secret = \"Password1\"\n", ""] {
        let fixture = Fixture::new(&format!("[clients.a]\n{secret}enabled = true\n"));
        fixture.edit(|file| rotate(file, None)).unwrap();
        assert!(fixture.text().contains(NEW) && !fixture.text().contains("Password1"), "{}", fixture.text());
    }
}
