//! `include`: other files whose tables become part of the configuration.
//!
//! Only the main file includes others. The files of a pattern are read in the order of their names. Tables
//! are joined: a scope, a client and an upstream is in one file, and `[[routes]]` of all files follow each
//! other. What is in two files is an error that names both places.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::ErrorKind,
    reading::{Reading, read_text},
};

use crate::sorting::{collect_sorted, sort};

/// The most files that are included.
const MAX_FILES: usize = 1000;

/// A file that is included.
pub(super) struct Included {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// The number of its first byte, behind all bytes of the files before it.
    pub(super) base: usize,
}

/// The files that `include` names.
#[derive(Default)]
pub(super) struct Found {
    pub(super) files: Vec<Named>,
    /// The folders in which a new file would match a pattern.
    pub(super) folders: Vec<PathBuf>,
}

/// A file, and where `include` names it.
pub(super) struct Named {
    pub(super) path: PathBuf,
    at: usize,
}

/// An error that is found before the configuration is compiled.
pub(super) struct Finding {
    pub(super) kind: ErrorKind,
    pub(super) at: usize,
    pub(super) key: String,
    pub(super) value: Option<String>,
    /// The message, with `§` for the position of `elsewhere`.
    pub(super) message: String,
    pub(super) elsewhere: Option<usize>,
}

impl Finding {
    /// An error of the TOML parser. Its own text is not shown, because it quotes the line, which may contain
    /// a secret.
    pub(super) fn syntax(error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        let message = format!("not TOML: {}", error.message());
        Self { kind: ErrorKind::Syntax, at, key: String::new(), value: None, message, elsewhere: None }
    }

    fn include(kind: ErrorKind, at: usize, value: Option<String>, message: String) -> Self {
        Self { kind, at, key: "include".to_owned(), value, message, elsewhere: None }
    }
}

/// Finds the files that a configuration includes. Values that are not texts are ignored here; the compiler
/// reports them.
pub(super) fn find(
    root: &DeTable<'_>,
    base_dir: &Path,
    main: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    findings: &mut Vec<Finding>,
) -> Found {
    let mut found = Found::default();
    let patterns = root.get("include").and_then(|value| value.get_ref().as_array()).into_iter().flatten();
    for pattern in patterns {
        let (at, Some(text)) = (pattern.span().start, pattern.get_ref().as_str()) else { continue };
        // An empty text and a variable that is not set are left to the compiler, too.
        let value = match text.strip_prefix("env:") {
            Some(name) => env(name).unwrap_or_default(),
            None => text.to_owned(),
        };
        if value.is_empty() {
            continue;
        }
        let mut fail = |kind, message| {
            findings.push(Finding::include(kind, at, Some(format!("{text:?}")), message));
        };
        let path = plain(base_dir.join(value));
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            fail(ErrorKind::InvalidValue, "must end with the name of a file, or a pattern for it".to_owned());
            continue;
        };
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        if is_pattern(&folder.to_string_lossy()) {
            let message = "can have `*` and `?` only behind the last slash, as in \"conf.d/*.toml\"";
            fail(ErrorKind::InvalidValue, message.to_owned());
            continue;
        }
        let paths = if is_pattern(name) {
            found.folders.push(folder.clone());
            match matching(&folder, name) {
                Ok(paths) => paths,
                Err(error) => {
                    let message = format!("cannot list the folder {}: {error}", folder.display());
                    fail(ErrorKind::FileUnavailable, message);
                    continue;
                }
            }
        } else {
            vec![path]
        };
        for path in paths {
            if is_same_file(&path, main) {
                fail(ErrorKind::Conflict, format!("matches {}, the file that it is in", path.display()));
            } else if found.files.len() == MAX_FILES {
                return fail_with(found, fail);
            } else if !found.files.iter().any(|known| known.path == path) {
                found.files.push(Named { path, at });
            }
        }
    }
    found
}

fn fail_with(found: Found, mut fail: impl FnMut(ErrorKind, String)) -> Found {
    fail(ErrorKind::TooMany, format!("matches more files than the {MAX_FILES} that can be included"));
    found
}

/// Returns the files that a configuration includes, as far as they can be found.
#[cfg(feature = "gateway")]
pub(crate) fn included_files(main: &Path) -> Vec<PathBuf> {
    let Ok(text) = fs::read_to_string(main) else { return Vec::new() };
    let (root, _) = DeTable::parse_recoverable(&text);
    let folder = main.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = find(root.get_ref(), folder, main, &|name| std::env::var(name).ok(), &mut Vec::new());
    found.files.into_iter().map(|file| file.path).collect()
}

/// Reads the files. `base` is the number of the first byte behind the main file.
pub(super) fn read(
    files: &[Named],
    mut room: u64,
    mut base: usize,
    reading: &Reading<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<Included> {
    let mut included = Vec::new();
    for Named { path, at } in files {
        // A byte between two files: an error at the end of one is not one at the start of the next.
        base += 1;
        match read_text(path, room, reading) {
            Ok(text) => {
                room = room.saturating_sub(text.len() as u64);
                let length = text.len();
                included.push(Included { path: path.clone(), text, base });
                base += length;
            }
            Err((position, message)) => {
                let line = position.map(|position| format!(", line {}", position.line)).unwrap_or_default();
                let message = format!("cannot read {}{line}: {message}", path.display());
                findings.push(Finding::include(ErrorKind::FileUnavailable, *at, None, message));
            }
        }
    }
    included
}

/// Joins the tables of an included file with those read before.
pub(super) fn merge<'t>(root: &mut DeTable<'t>, file: &'t Included, findings: &mut Vec<Finding>) {
    let (table, syntax) = DeTable::parse_recoverable(&file.text);
    findings.extend(syntax.iter().map(|error| {
        let finding = Finding::syntax(error);
        Finding { at: finding.at + file.base, ..finding }
    }));
    let mut table = shifted_table(table.into_inner(), file.base);
    if let Some((key, _)) = table.remove_entry("include") {
        let message = "is in a file that is included itself: only the main file includes others";
        findings.push(Finding::include(ErrorKind::UnknownKey, key.span().start, None, message.to_owned()));
    }
    join(root, table, "", findings);
}

fn join<'t>(into: &mut DeTable<'t>, from: DeTable<'t>, path: &str, findings: &mut Vec<Finding>) {
    for (key, value) in from {
        let name = key.get_ref().clone();
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        let known = into.get_key_value(&*name).map(|(key, _)| key.span().start);
        let (Some(elsewhere), Some(old)) = (known, into.get_mut(&*name)) else {
            into.insert(key, value);
            continue;
        };
        let start = key.span().start;
        match (old.get_mut(), value.into_inner()) {
            (DeValue::Table(old), DeValue::Table(new)) if is_joined(&path) => join(old, new, &path, findings),
            (DeValue::Array(old), DeValue::Array(new)) if is_joined(&path) => {
                new.into_iter().for_each(|item| old.push(item));
            }
            _ => findings.push(Finding {
                kind: ErrorKind::Duplicate,
                at: start,
                key: path,
                value: None,
                message: "is at § already: keep it in one of the two files".to_owned(),
                elsewhere: Some(elsewhere),
            }),
        }
    }
}

/// Returns whether the values of a key are joined if it is in several files: tables at the top, those of
/// `[server]`, and lists of tables.
fn is_joined(path: &str) -> bool {
    !path.contains('.') || matches!(path, "server.tls" | "server.limits" | "server.tls.certificates")
}

fn shifted_table(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    let entries = table.into_iter();
    collect_sorted(entries.map(|(key, value)| (moved(key.span(), key.into_inner(), by), shifted(value, by))))
}

/// Adds to the positions of a value and of everything in it.
fn shifted(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let inner = match value.into_inner() {
        DeValue::Array(array) => {
            let mut items = toml::de::DeArray::new();
            array.into_iter().for_each(|item| items.push(shifted(item, by)));
            DeValue::Array(items)
        }
        DeValue::Table(table) => DeValue::Table(shifted_table(table, by)),
        other => other,
    };
    moved(span, inner, by)
}

fn moved<T>(span: std::ops::Range<usize>, value: T, by: usize) -> Spanned<T> {
    Spanned::new(span.start + by..span.end + by, value)
}

/// Returns the files of a folder whose names match, in the order of their names. As in a shell, a pattern
/// matches no name that begins with a dot: editors keep such files.
fn matching(folder: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = folder.join(name);
        if matches(pattern, name) && (pattern.starts_with('.') || !name.starts_with('.')) && path.is_file() {
            paths.push(path);
        }
    }
    sort(&mut paths);
    Ok(paths)
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Returns whether a name matches a pattern in which `*` is any text and `?` any character.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut star) = ((0, 0), None);
    while at.1 < name.len() {
        match pattern.get(at.0) {
            Some('*') => {
                star = Some(at);
                at.0 += 1;
            }
            Some(wanted) if *wanted == '?' || Some(wanted) == name.get(at.1) => at = (at.0 + 1, at.1 + 1),
            // The last `*` takes one character more.
            _ => match &mut star {
                Some(star) => {
                    star.1 += 1;
                    at = (star.0 + 1, star.1);
                }
                None => return false,
            },
        }
    }
    pattern.get(at.0..).is_some_and(|rest| rest.iter().all(|left| *left == '*'))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other
        || fs::canonicalize(one).is_ok_and(|one| fs::canonicalize(other).is_ok_and(|other| one == other))
}

/// Returns a path without `./` in front of it, as a person writes it.
fn plain(path: PathBuf) -> PathBuf {
    path.strip_prefix("./").map(Path::to_owned).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*.toml", "a.toml", true),
            ("*.toml", ".toml", true),
            ("*.toml", "a.toml~", false),
            ("?.toml", "a.toml", true),
            ("?.toml", "ab.toml", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-c-d", false),
            ("*", "", true),
            ("**", "x", true),
            ("é?", "éü", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
