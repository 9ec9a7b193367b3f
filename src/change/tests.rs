//! Edits change nothing but what they are meant to change.

mod control;
mod edits;
mod included;
mod operations;
mod permission;
mod property;
mod registration;
mod rollback;
mod shapes;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
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
    assert!(before.trim_end().ends_with("# and these scopes with them"), "{before}");
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

#[test]
fn an_invalid_result_is_not_written() {
    let good = "[scopes]\nread = \"R\"\n[clients.a]\nsecret = \"OLD\"\n";
    let wrong = format!("{good}\n[serve]\n");
    let not_toml = format!("{good}secret : \"OLD\"\n");
    type Change = fn(&mut Document) -> Result<(), Conflict>;
    let table: [(&str, Change, &str); 9] = [
        (good, |file| add(file, "a"), "the client \"a\" already exists"),
        (good, |file| add(file, ""), "the changed file would have errors"),
        (good, |file| add(file, "ü"), "the changed file would have errors"),
        ("", |file| add(file, "b"), "[scopes]\n  read = \"What it allows\""),
        (good, |file| file.remove_client("b"), "there is no client \"b\" (did you mean \"a\"?)"),
        (good, |file| file.set_enabled("xyz", false, now()), "there is no client \"xyz\";"),
        (&wrong, |file| add(file, "b"), "the file already has errors"),
        (&not_toml, |file| add(file, "b"), "is not TOML"),
        ("clients = 1\nscopes.read = \"R\"\n", |file| add(file, "b"), "clients is not a table"),
    ];
    for (text, change, said) in table {
        let fixture = Fixture::new(text);
        let error = fixture.edit(change).expect_err(text);
        let shown = format!("{error}\n{error:?}");
        assert!(shown.contains(said), "{said:?} is not in\n{shown}");
        assert!(!shown.contains("argon2"), "a hash is shown\n{shown}");
        assert!(error.is_usage(), "{shown}");
        fixture.is(text);
        fixture.nothing_else_in_the_folder();
    }
}

#[test]
fn a_change_by_another_program_is_kept() {
    for how in ["written", "renamed"] {
        let fixture = Fixture::new("[scopes]\nread = \"R\"\n");
        let mut file = ConfigFile::open(&fixture.path).unwrap();
        add(file.document(), "b").unwrap();
        let theirs = "[scopes]\nread = \"S\"\n";
        if how == "written" {
            fs::write(&fixture.path, theirs).unwrap();
        } else {
            let beside = fixture.dir.path().join("theirs");
            fs::write(&beside, theirs).unwrap();
            fs::rename(&beside, &fixture.path).unwrap();
        }
        let error = file.save().unwrap_err();
        assert!(matches!(error, EditError::File(_, FileError::ChangedMeanwhile)), "{how}: {error}");
        assert!(!error.is_usage());
        fixture.is(theirs);
        fixture.nothing_else_in_the_folder();
    }
}

#[test]
fn edits_at_the_same_time_are_all_made() {
    let fixture = Fixture::new("[scopes]\nread = \"R\"\n");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let fixture = &fixture;
            scope.spawn(move || fixture.add(&format!("client-{number}")).unwrap());
        }
    });
    for number in 0..8 {
        assert!(fixture.text().contains(&format!("[clients.client-{number}]")), "{}", fixture.text());
    }
}

#[test]
fn a_link_stays_a_link_and_the_mode_stays() {
    let fixture = Fixture::new("[scopes]\nread = \"R\"\n");
    fs::set_permissions(&fixture.path, fs::Permissions::from_mode(0o640)).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("linked.toml");
    symlink(&fixture.path, &link).unwrap();
    let mut file = ConfigFile::open(&link).unwrap();
    add(file.document(), "b").unwrap();
    file.save().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fixture.text().contains("[clients.b]"));
    let mode = fs::metadata(&fixture.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    let names = |dir: &Path| fs::read_dir(dir).unwrap().count();
    assert_eq!((names(fixture.dir.path()), names(elsewhere.path())), (1, 1));
}

#[test]
fn a_folder_without_write_permission_is_named() {
    let fixture = Fixture::new("[scopes]\nread = \"R\"\n");
    let mut file = ConfigFile::open(&fixture.path).unwrap();
    add(file.document(), "b").unwrap();
    // The folder is removed, because permissions do not stop a privileged user.
    fs::remove_dir_all(fixture.dir.path()).unwrap();
    let error = file.save().unwrap_err();
    assert!(matches!(error, EditError::File(_, FileError::Folder(..))) && !error.is_usage(), "{error:?}");
    let (error, folder) = (error.to_string(), fixture.dir.path().display().to_string());
    assert!(error.contains(&format!("no file can be created in {folder}")), "{error}");
}

#[test]
fn a_file_that_cannot_be_replaced_is_explained() {
    let busy = FileError::Write(std::io::ErrorKind::ResourceBusy.into()).to_string();
    assert!(busy.contains("file itself mounted") && busy.contains("its folder"), "{busy}");
}
