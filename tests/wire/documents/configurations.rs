//! The TOML in the documents.

use super::document::{Document, read};
use crate::support::certificates::{pem, self_signed};
use crate::support::config::cheap_hash;
use crate::support::program::finish;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use toml::{Table, Value};

/// The small configuration that completes an excerpt.
const BASE: &str = r#"
[server]
listen = ["https://127.0.0.1:8443"]
[scopes]
read = "Read"
write = "Write"
[upstreams.api]
servers = ["http://127.0.0.1:9000"]
[[routes]]
prefix = "/"
scopes = ["read"]
upstream = "api"
"#;

/// An excerpt shows one setting, and leaves out the parts that use it.
const OF_EXCERPTS: [&str; 6] =
    ["local-issuer", "no-scopes", "unused-upstream", "unused-scope", "opens-nothing", "shadow-mode"];

#[test]
fn configurations_pass_check() {
    let (mut whole, mut parts) = (0, 0);
    for document in Document::all() {
        for block in document.blocks.iter().filter(|block| block.language == "toml") {
            let at = format!("{}:{}", document.name, block.line);
            let text = match block.mark.as_str() {
                "part of Cargo.toml" => continue,
                "part of gateway.toml" => {
                    parts += 1;
                    completed(&block.text, &at)
                }
                _ => {
                    whole += 1;
                    block.text.clone()
                }
            };
            let refused = block.mark.ends_with(", refused");
            let excerpt = block.mark == "part of gateway.toml";
            check(&text, if refused { 2 } else { 0 }, excerpt, &at);
        }
    }
    assert!(whole > 0 && parts > 0, "the documents have no configuration");
}

#[test]
fn dependencies_ask_for_features_that_there_are() {
    let manifest: Table = read("Cargo.toml").parse().expect("Cargo.toml");
    let there = manifest["features"].as_table().expect("[features]");
    for document in Document::all() {
        for block in document.blocks.iter().filter(|block| block.mark == "part of Cargo.toml") {
            let table: Table = block.text.parse().expect("TOML");
            let features = table["dependencies"]["tollgate"].get("features").and_then(Value::as_array);
            for feature in features.into_iter().flatten().filter_map(Value::as_str) {
                assert!(there.contains_key(feature), "{}:{}: {feature}", document.name, block.line);
            }
        }
    }
}

/// Joins an excerpt and the small configuration in one file. Values and lists of the excerpt replace those of
/// the other.
fn completed(excerpt: &str, at: &str) -> String {
    let parse = |text: &str| text.parse::<Table>().unwrap_or_else(|e| panic!("{at}: {e}"));
    let mut all = parse(BASE);
    merge(&mut all, parse(excerpt));
    all.to_string()
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

#[track_caller]
fn check(text: &str, code: i32, is_excerpt: bool, at: &str) {
    let dir = tempfile::tempdir().expect("a folder");
    // Documents shorten hashes. Files of the system are replaced by files in the folder.
    let text = text.replace("$argon2id$…", &cheap_hash("a secret")).replace("\"/etc/", "\"etc/");
    make_file(&dir.path().join("gateway.toml"), &text);
    let mut tollgate = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    tollgate.args(["check", "--strict"]);
    // The test has its own small hash.
    for lint in ["absurd-hash"].into_iter().chain(OF_EXCERPTS.into_iter().filter(|_| is_excerpt)) {
        tollgate.args(["--allow", lint]);
    }
    tollgate.current_dir(dir.path()).env("NO_COLOR", "1").env_remove("RUST_LOG");
    for value in strings(&text) {
        if let Some(name) = value.strip_prefix("env:") {
            tollgate.env(name, if name.ends_with("_URL") { "https://api.example.com" } else { "a value" });
        } else if let Some(file) = value.strip_prefix("file:") {
            make_file(&dir.path().join(file), "a value");
        } else if value.ends_with(".pem") {
            make_file(&dir.path().join(&*value), identity());
        } else if value.ends_with(".toml") {
            make_file(
                &dir.path().join(value.replace('*', "orders")),
                "[scopes]\n\"orders.read\" = \"See orders\"\n",
            );
        } else if value.ends_with(".log") {
            make_file(&dir.path().join(&*value), "");
        }
    }
    let output = finish(tollgate, Duration::from_secs(20));
    assert_eq!(output.code, Some(code), "{at}\n{}\n{text}", output.all());
}

fn make_file(path: &Path, text: &str) {
    assert!(path.starts_with(std::env::temp_dir()), "{}", path.display());
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).expect("its mode");
}

/// Writes a certificate with its key to every file that a configuration names.
fn identity() -> &'static str {
    static IDENTITY: OnceLock<String> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let identity = self_signed("localhost");
        pem("CERTIFICATE", &identity.certificate) + &pem("PRIVATE KEY", &identity.key)
    })
}

/// Returns every string in a TOML file.
fn strings(text: &str) -> BTreeSet<String> {
    fn collect(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => drop(into.insert(text.clone())),
            Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
            Value::Table(table) => table.values().for_each(|value| collect(value, into)),
            _ => {}
        }
    }
    let mut all = BTreeSet::new();
    let table: Table = text.parse().unwrap_or_else(|e| panic!("{e}\n{text}"));
    table.values().for_each(|value| collect(value, &mut all));
    all
}
