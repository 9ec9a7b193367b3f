//! The ways in which servers may read a path that is not plain.

use super::marks::Marks;
use super::path::{Canonical, is_reserved_in_path, without_parameters};

/// Lists every reading of `path` except the literal one: cut at an encoded question mark or number sign,
/// reserved characters decoded, parameters removed, encoded slashes decoded, slashes merged, in the orders
/// that servers are known for (Java servers remove, then decode; others the reverse).
///
/// There are at most 63, each no longer than the path, and one or two unless the path has many marks.
pub(super) fn other_readings(path: &Canonical<'_>) -> Vec<String> {
    let mut readings = vec![path.as_str().to_owned()];
    let marks = path.marks();
    let step = |mark: Marks, step: fn(&str) -> String| marks.has(mark).then_some(step);
    let delimiter = step(Marks::ENCODED_DELIMITER, cut_at_delimiter);
    let parameters = step(Marks::SEMICOLON, cut_parameters);
    let slashes = step(Marks::ENCODED_SLASH, decode_slashes);
    let reserved = step(Marks::RESERVED_ESCAPE, decode_reserved);
    let empty = step(Marks::EMPTY_SEGMENT, merge_slashes);
    for step in [delimiter, reserved, parameters, slashes, parameters, empty].into_iter().flatten() {
        for at in 0..readings.len() {
            let Some(other) = readings.get(at).map(|reading| step(reading)) else { continue };
            if !readings.contains(&other) {
                readings.push(other);
            }
        }
    }
    readings.split_off(1)
}

/// Returns the path for a server that decodes first and then looks for the query.
fn cut_at_delimiter(path: &str) -> String {
    let end = ["%3F", "%23"].iter().filter_map(|escape| path.find(escape)).min();
    path.get(..end.unwrap_or(path.len())).unwrap_or(path).to_owned()
}

fn merge_slashes(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !out.ends_with('/') {
            out.push(character);
        }
    }
    out
}

fn cut_parameters(path: &str) -> String {
    path.split('/').map(without_parameters).collect::<Vec<_>>().join("/")
}

/// Decodes slashes and merges the empty segments that result, as most servers that decode them do.
fn decode_slashes(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for piece in path.split("%2F") {
        let piece = if out.ends_with('/') { piece.strip_prefix('/').unwrap_or(piece) } else { piece };
        out.push_str(piece);
        if !out.ends_with('/') {
            out.push('/');
        }
    }
    // The last piece is followed by a slash only if it had one or is empty.
    if !path.ends_with('/') && !path.ends_with("%2F") {
        out.pop();
    }
    out
}

fn decode_reserved(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut pieces = path.split('%');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let escape = piece.split_at_checked(2);
        let decoded = escape.and_then(|(hex, rest)| Some((u8::from_str_radix(hex, 16).ok()?, rest)));
        match decoded {
            Some((byte, rest)) if is_reserved_in_path(byte) => {
                out.push(char::from(byte));
                out.push_str(rest);
            }
            _ => {
                out.push('%');
                out.push_str(piece);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::path::canonical;

    #[test]
    fn readings() {
        for (path, want) in [
            ("/a;x/b", &["/a/b"][..]),
            ("/a;x/", &["/a/"]),
            ("/a%3Ab", &["/a:b"]),
            ("/a%2Fb", &["/a/b"]),
            ("/a%2F", &["/a/"]),
            ("/a/%2F/b", &["/a/b"]),
            ("/a%2F%2Fb%2F", &["/a/b/"]),
            ("/%2Fa", &["/a"]),
            // Cut and then decoded, or decoded and then cut.
            ("/a;x%2Fb", &["/a", "/a;x/b", "/a/b"]),
            ("/a%3Bx/b", &["/a;x/b", "/a/b"]),
            ("/a%20%C3%A9%3A", &["/a%20%C3%A9:"]),
            ("/a/b%3Fx=1", &["/a/b"]),
            ("/a/b%23c%3Fd", &["/a/b"]),
            ("/a//b/", &["/a/b/"]),
            ("/a//", &["/a/"]),
        ] {
            let canonical = canonical(path).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(other_readings(&canonical), want, "{path}");
        }
    }
}
