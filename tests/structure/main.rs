//! The structure of the crate: rooms import only rooms above them, and no files import each other in a
//! circle.
//!
//! This binary does not depend on the crate, so it can also be built alone:
//! `rustc --edition 2024 --test -o target/structure tests/structure/main.rs && target/structure`.

mod imports;
mod modules;
mod self_test;
mod tokens;

use crate::imports::{Imports, backward, cycles, imports};
use crate::modules::{Crate, Files};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms of `src/`, from the bottom up: each may import those before it in this list, never those after
/// it. ARCHITECTURE.md describes them.
const ROOMS: &[&str] = &[
    "clock",
    "utc",
    "splitmix",
    "sorting",
    "threads",
    "tasks",
    "state_file",
    "json",
    "tcp",
    "response",
    "route",
    "oauth",
    "store",
    "gate",
    "headers",
    "http1",
    "tls",
    "http_client",
    "telemetry",
    "plugin",
    "config",
    "acme",
    "shadow",
    "limit",
    "upstream",
    "proxy",
    "access",
    "change",
    "import",
    "server",
    "admin",
    "gateway",
    "gateway_client",
    "bench",
    "self_test",
    "cli",
    // The functions for the fuzz targets. It exposes parts of every room.
    "fuzzing",
    // The documents whose snippets are documentation tests.
    "documents",
];

/// The room of a file: its first folder, or its name. The root of the crate is no room; it may import every
/// room.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

fn rank(file: &str) -> usize {
    ROOMS.iter().position(|name| *name == room(file)).unwrap_or(ROOMS.len())
}

fn src() -> PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("src")
}

fn files(folder: &Path, prefix: &str, found: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let entry = entry.expect("an entry of the folder");
        let (path, name) = (entry.path(), entry.file_name().into_string().expect("a name in UTF-8"));
        if path.is_dir() {
            files(&path, &format!("{prefix}{name}/"), found);
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            found.insert(format!("{prefix}{name}"), text);
        }
    }
}

fn sources() -> Files {
    let mut found = Files::new();
    files(&src(), "", &mut found);
    found
}

fn read(files: &Files) -> Crate {
    Crate::read(files).unwrap_or_else(|e| panic!("src/: {e}"))
}

/// What `file` imports of `from`, in one line.
fn listed(imports: &Imports, file: &str, from: &str) -> String {
    let Some(items) = imports.get(file).and_then(|all| all.get(from)) else { return String::new() };
    let line = items.values().min().unwrap_or(&0);
    let items: Vec<&str> = items.keys().map(String::as_str).collect();
    format!("    src/{file}:{line} imports {} from src/{from}\n", items.join(", "))
}

/// The imports of rooms that come later in the list, by pairs of rooms.
fn upward(imports: &Imports) -> Vec<String> {
    let mut found = BTreeMap::new();
    for (file, all) in imports.iter().filter(|(file, _)| room(file) != "lib") {
        for from in all.keys().filter(|from| rank(from) > rank(file)) {
            let text: &mut String = found.entry((room(file), room(from))).or_default();
            text.push_str(&listed(imports, file, from));
        }
    }
    let describe =
        |((room, later), text)| format!("`{room}` comes before `{later}` and must not import it:\n{text}");
    found.into_iter().map(describe).collect()
}

/// Every group of files that import each other.
fn circular(imports: &Imports) -> Vec<String> {
    let describe = |group: BTreeSet<&str>| {
        let files: Vec<&str> = group.iter().copied().collect();
        let mut text = format!("{} files import each other: {}\n", files.len(), files.join(", "));
        text += "  without these imports there is no cycle among them:\n";
        text.extend(backward(imports, &group).into_iter().map(|(file, from)| listed(imports, file, from)));
        text
    };
    cycles(imports).into_iter().map(describe).collect()
}

fn assert_none(violations: &[String], rule: &str) {
    assert!(violations.is_empty(), "{rule}\n\n{}\n{} in all", violations.join("\n"), violations.len());
}

#[test]
fn every_room_has_a_place_in_the_order() {
    let files = sources();
    let unknown: BTreeSet<&str> =
        files.keys().map(|file| room(file)).filter(|room| !["lib", "main"].contains(room)).collect();
    let unknown: Vec<String> =
        unknown.into_iter().filter(|room| rank(room) == ROOMS.len()).map(Into::into).collect();
    assert_none(&unknown, "these rooms are not in the list `ROOMS`:");
}

#[test]
fn every_file_belongs_to_a_module() {
    let files = sources();
    let krate = read(&files);
    let lost: Vec<String> =
        files.keys().filter(|file| *file != "main.rs" && !krate.reached.contains(*file)).cloned().collect();
    assert_none(&lost, "no `mod` leads to these files, so nothing compiles them:");
}

#[test]
fn no_room_imports_a_later_one() {
    let imports = imports(&read(&sources()));
    assert!(imports.len() > 100, "only {} files import anything: are the sources read?", imports.len());
    assert_none(&upward(&imports), "a room may import only the rooms before it in the list `ROOMS`:");
}

#[test]
fn no_files_import_each_other() {
    assert_none(&circular(&imports(&read(&sources()))), "files must not import each other in a circle:");
}

/// Everything that a page shows is escaped: ids, comments and user agents are chosen by others.
#[test]
fn no_template_turns_escaping_off() {
    let folder = src().with_file_name("templates");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("an entry of the folder").path();
        // askama escapes by the ending of the name.
        assert!(path.extension().is_some_and(|ending| ending == "html"), "{} is not HTML", path.display());
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let dense: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        for filter in ["|safe", "|escape", "|e(", "|e}", "filtersafe", "filterescape"] {
            assert!(!dense.contains(filter), "{} has {filter:?}", path.display());
        }
        count += 1;
    }
    assert!(count > 10, "the templates are in {}", folder.display());
    for (file, text) in sources() {
        let settings =
            text.contains("#[template(") && (text.contains("escape =") || text.contains("source ="));
        assert!(!settings, "{file} changes how a template is escaped");
        for line in text.lines().filter(|line| line.contains("HtmlSafe")) {
            let allowed = line == "use askama::filters::HtmlSafe;" || is_of_template(line, &text);
            assert!(allowed, "{file} marks something as HTML that is not a template: {line}");
        }
    }
}

/// Returns whether a line marks a template of the same file as HTML: what it shows is escaped by itself.
fn is_of_template(line: &str, text: &str) -> bool {
    let name = line.strip_prefix("impl HtmlSafe for ").and_then(|rest| rest.strip_suffix("<'_> {}"));
    let Some(name) = name else { return false };
    let templates = text.split("#[derive(Template)]\n#[template(path = \"").skip(1);
    let mut names = templates.filter_map(|rest| rest.split_once("struct ")?.1.split_once('<'));
    names.any(|(template, _)| template == name)
}
