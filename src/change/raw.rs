//! A configuration as its files contain it, before references to files and variables are resolved.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};
use toml_edit::DocumentMut;

use super::layout;
use super::settings::table_as_json;
use super::texts::Texts;

/// The position of an error in a file that is not valid TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxProblem {
    /// The file.
    pub(crate) file: PathBuf,
    /// The line, counted from one.
    pub(crate) line: usize,
}

/// Parses the files of a configuration and merges their tables. Files and variables that they name are not
/// read.
///
/// # Errors
/// Returns the first line that is not valid TOML.
pub(super) fn merged(texts: &Texts) -> Result<Json, SyntaxProblem> {
    let mut merged = Map::new();
    for (path, text) in texts.iter() {
        join(&mut merged, parse(path, text)?);
    }
    Ok(Json::Object(merged))
}

fn parse(path: &Path, text: &str) -> Result<Map<String, Json>, SyntaxProblem> {
    let plain = layout::plain(text);
    let document: DocumentMut = plain.parse().map_err(|error: toml_edit::TomlError| {
        let before = error.span().and_then(|span| plain.get(..span.start)).unwrap_or_default();
        SyntaxProblem { file: path.to_owned(), line: 1 + before.matches('\n').count() }
    })?;
    match table_as_json(document.as_table()) {
        Json::Object(table) => Ok(table),
        _ => Ok(Map::new()),
    }
}

fn join(into: &mut Map<String, Json>, from: Map<String, Json>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Json::Object(old)), Json::Object(new)) => join(old, new),
            (Some(Json::Array(old)), Json::Array(new)) => old.extend(new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Calls `visit` for every string in a value, with its path of keys. The path does not contain the indexes of
/// lists.
pub(super) fn texts<'v>(value: &'v Json, path: &str, visit: &mut impl FnMut(&str, &'v str)) {
    match value {
        Json::String(text) => visit(path, text),
        Json::Array(items) => items.iter().for_each(|item| texts(item, path, visit)),
        Json::Object(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                texts(value, &path, visit);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// Returns the entries of a table, or of an array, as a list of names and values.
pub(super) fn entries<'v>(root: &'v Json, table: &str) -> Vec<(&'v str, &'v Json)> {
    let entries = root.get(table).and_then(Json::as_object);
    entries.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
}

/// Returns the items of a list. A single value counts as a list of one.
pub(super) fn items(value: Option<&Json>) -> &[Json] {
    match value {
        None | Some(Json::Null) => &[],
        Some(Json::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
    }
}
