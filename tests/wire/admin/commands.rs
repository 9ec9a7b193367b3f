//! `tollgate admin …`.

use crate::support::config::cheap_hash;
use crate::support::program::Output;
use crate::support::run;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// Runs `tollgate ARGUMENTS` with this standard input.
#[track_caller]
fn run_with_input(dir: &Path, arguments: &[&str], input: &str) -> Output {
    let file = dir.join("input");
    fs::write(&file, input).expect("write");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let output = command.args(arguments).current_dir(dir).stdin(File::open(file).expect("the file")).output();
    let output = output.expect("tollgate runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

#[test]
fn users_are_managed_from_the_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.toml");
    fs::write(&file, "# kept\n[admin]\nlisten = \"http://127.0.0.1:9465\"\n").expect("write");
    let text = || fs::read_to_string(&file).expect("the file");
    let added =
        run_with_input(folder.path(), &["admin", "user", "alice", "--role", "owner"], "Passw0rd-of-alice\n");
    assert_eq!(added.code, Some(0), "{}", added.stderr);
    assert!(
        text().contains("[admin.users.alice]")
            && text().contains("role = \"owner\"")
            && text().contains("# kept")
    );
    assert!(text().contains("$argon2id$") && !text().contains("Passw0rd"), "{}", text());
    let before = text();
    assert_eq!(
        run_with_input(folder.path(), &["admin", "user", "alice"], "An0ther-password\n").code,
        Some(0)
    );
    assert_ne!(text(), before, "another password");
    assert_eq!(run(folder.path(), &["admin", "user", "alice", "--role", "viewer"]).code, Some(0));
    assert!(text().contains("role = \"viewer\""), "{}", text());
    let short = run_with_input(folder.path(), &["admin", "user", "bob"], "short\n");
    assert_eq!(short.code, Some(2), "{}", short.stderr);
    assert!(short.stderr.contains("at least 8 characters"), "{}", short.stderr);
    assert_eq!(run(folder.path(), &["admin", "user", "alice", "--remove"]).code, Some(0));
    assert!(!text().contains("alice"), "{}", text());
    assert_eq!(run(folder.path(), &["admin", "user", "alice", "--remove"]).code, Some(2));
    assert_eq!(run(folder.path(), &["admin", "user", "a b", "--role", "king"]).code, Some(2));
}

#[test]
fn a_link_is_printed_for_the_owner_of_the_state_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.toml");
    fs::write(&file, "").expect("write");
    let without = run(folder.path(), &["admin", "link"]);
    assert_eq!(without.code, Some(2));
    assert!(without.stderr.contains("has no [admin]"), "{}", without.stderr);
    let hash = cheap_hash("Password1");
    fs::write(&file, format!("[admin]\nlisten = \"http://127.0.0.1:9465\"\n[admin.users.a]\nrole = \"owner\"\npassword = \"{hash}\"\n"))
        .expect("write");
    let link = run(folder.path(), &["admin", "link"]);
    assert_eq!(link.code, Some(0), "{}", link.stderr);
    let code = link
        .stdout
        .trim()
        .strip_prefix("http://127.0.0.1:9465/setup?code=")
        .unwrap_or_else(|| panic!("{}", link.stdout));
    assert_eq!(code.len(), 43);
    let kept = fs::read_to_string(folder.path().join("state/admin/setup.json")).expect("the file");
    assert!(!kept.contains(code), "{kept}");
}
