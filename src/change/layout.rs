//! Keeps comments, blank lines and line endings with the table that they belong to.

use toml_edit::{DocumentMut, Item, Table};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Returns the text as the TOML library writes it without changes.
pub(super) fn plain(text: &str) -> String {
    let mut plain = text.trim_start_matches(BYTE_ORDER_MARK).replace('\r', "");
    if !plain.is_empty() && !plain.ends_with('\n') {
        plain.push('\n');
    }
    plain
}

/// Returns the first line in which two texts differ, counted from one.
pub(super) fn first_difference(one: &str, other: &str) -> Option<usize> {
    if one == other {
        return None;
    }
    let same = one.split('\n').zip(other.split('\n')).take_while(|(one, other)| one == other).count();
    Some(same + 1)
}

/// Returns the edited text, in which every line before and after the change has its original bytes: line
/// endings, a byte order mark, a missing final line ending. New lines get the ending of the first line.
pub(super) fn keep_lines(original: &str, edited: &str) -> String {
    let body = original.strip_prefix(BYTE_ORDER_MARK).unwrap_or(original);
    let mark = original.strip_suffix(body).unwrap_or_default();
    let old: Vec<&str> = body.split_inclusive('\n').collect();
    let new: Vec<&str> = edited.split_inclusive('\n').collect();
    let same = |old: &&str, new: &&str| plain(old) == **new;
    let before = old.iter().zip(&new).take_while(|(old, new)| same(old, new)).count();
    let longest = old.len().min(new.len()) - before;
    let after = old.iter().rev().zip(new.iter().rev()).take(longest).take_while(|(o, n)| same(o, n)).count();
    let line_end = if old.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let mut text = mark.to_owned();
    for (at, line) in old.iter().take(before).enumerate() {
        text.push_str(line);
        // The line was the last one, and is now followed by another line.
        if !line.ends_with('\n') && at + 1 < new.len() {
            text.push_str(line_end);
        }
    }
    for line in new.iter().take(new.len() - after).skip(before) {
        text.push_str(&line.replace('\n', line_end));
    }
    text.extend(old.iter().skip(old.len() - after).copied());
    text
}

/// Splits the text above a header, or at the end of the file, at its first blank line. The first part belongs
/// to the table before it. Without a blank line, all of the text is in the second part.
fn split_head(text: &str) -> (&str, &str) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            return text.split_at(at);
        }
        at += line.len();
    }
    ("", text)
}

/// Splits the text above a header. The second part belongs to the table: the comment directly above it and
/// the blank line before that.
fn split_own(text: &str) -> (&str, &str) {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let comment = lines.iter().rev().take_while(|line| !line.trim().is_empty()).count();
    let blank = usize::from(comment < lines.len());
    let own: usize = lines.iter().rev().take(comment + blank).map(|line| line.len()).sum();
    text.split_at(text.len() - own)
}

/// Returns the last position that a table of an item has in the file.
pub(super) fn last_position(item: &Item) -> Option<isize> {
    positions(item).into_iter().max()
}

/// Returns the positions of all tables of an item that have a header.
fn positions(item: &Item) -> Vec<isize> {
    let tables: Vec<&Table> = match item {
        Item::Table(table) => vec![table],
        Item::ArrayOfTables(tables) => tables.iter().collect(),
        Item::None | Item::Value(_) => Vec::new(),
    };
    let of = |table: &&Table| {
        let own = table.position().filter(|_| has_header(table));
        let inner = table.iter().flat_map(|(_, item)| positions(item));
        inner.chain(own).collect::<Vec<_>>()
    };
    tables.iter().flat_map(of).collect()
}

/// Returns whether a table has a header line, `[name]` or `[[name]]`.
fn has_header(table: &Table) -> bool {
    !table.is_implicit() && !table.is_dotted()
}

/// Changes the text between the table at `position` and the next table.
fn change_text_after(document: &mut DocumentMut, position: isize, change: impl FnOnce(&str) -> String) {
    match next_table(document.as_table_mut(), position) {
        Some(table) => {
            let prefix = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
            let changed = change(prefix);
            table.decor_mut().set_prefix(changed);
        }
        None => {
            let changed = change(document.trailing().as_str().unwrap_or_default());
            document.set_trailing(changed);
        }
    }
}

/// Returns the first table with a header after `position`.
fn next_table(root: &mut Table, position: isize) -> Option<&mut Table> {
    let next = root.iter().flat_map(|(_, item)| positions(item)).filter(|at| *at > position).min()?;
    root.iter_mut().find_map(|(_, item)| table_at(item, next))
}

fn table_at(item: &mut Item, position: isize) -> Option<&mut Table> {
    let tables: Vec<&mut Table> = match item {
        Item::Table(table) => vec![table],
        Item::ArrayOfTables(tables) => tables.iter_mut().collect(),
        Item::None | Item::Value(_) => Vec::new(),
    };
    tables.into_iter().find_map(|table| {
        if has_header(table) && table.position() == Some(position) {
            return Some(table);
        }
        table.iter_mut().find_map(|(_, item)| table_at(item, position))
    })
}

/// Removes the part that belongs to the table at `position` from the text after it, and returns that part.
pub(super) fn take_tail(document: &mut DocumentMut, position: isize) -> String {
    let mut tail = String::new();
    change_text_after(document, position, |text| {
        let (head, rest) = split_head(text);
        head.clone_into(&mut tail);
        rest.to_owned()
    });
    tail
}

/// Cleans up after a removed table. Text above it that belongs to other tables moves to the next table. Text
/// after it that belongs to it is removed.
pub(super) fn close_gap(document: &mut DocumentMut, first: isize, last: isize, above: &str) {
    let _ = take_tail(document, last);
    let (kept, _) = split_own(above);
    if !kept.is_empty() {
        change_text_after(document, first, |text| format!("{kept}{text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_outside_the_change_keep_their_bytes() {
        let table = [
            ("a\r\nb\nc", "a\nx\nb\nc\n", "a\r\nx\r\nb\nc"),
            ("\u{feff}a\nb\n", "a\nb\nc\n", "\u{feff}a\nb\nc\n"),
            ("a\nb", "a\nb\nc\n", "a\nb\nc\n"),
            ("a\nb", "a\nc\n", "a\nc\n"),
            ("", "a\n", "a\n"),
            ("a\na\na\n", "a\na\n", "a\na\n"),
            ("a\r\nb\r\n", "a\nb\n", "a\r\nb\r\n"),
        ];
        for (original, edited, wanted) in table {
            assert_eq!(keep_lines(original, edited), wanted, "{original:?} {edited:?}");
        }
    }

    #[test]
    fn comments_belong_to_their_tables() {
        assert_eq!(split_head("# x = 1\n\n# next\n"), ("# x = 1\n", "\n# next\n"));
        assert_eq!(split_head("# next\n"), ("", "# next\n"));
        assert_eq!(split_head("\n# next\n"), ("", "\n# next\n"));
        assert_eq!(split_own("\n# section\n\n# own\n"), ("\n# section\n", "\n# own\n"));
        assert_eq!(split_own("\n"), ("", "\n"));
        assert_eq!(split_own("# own\n"), ("", "# own\n"));
        assert_eq!(split_own("# section\n\n"), ("# section\n", "\n"));
    }
}
