//! Differences between texts, in the format of `diff -u` and `git apply`.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::{Duration, Instant};

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::{DiffOp, group_diff_ops};

use super::texts::Texts;

/// The time limit of the search for the smallest difference. After that, a larger one is shown.
const PATIENCE: Duration = Duration::from_millis(500);
/// The unchanged lines that are shown before and after a change.
const CONTEXT: usize = 3;

/// Returns the differences of all files. The text is empty if there are none.
pub(super) fn unified(before: &Texts, after: &Texts) -> String {
    let mut text = String::new();
    for (path, old, new) in after.changed(before) {
        let name = after.name(path).display().to_string();
        write_file(name.trim_start_matches('/'), old, new, &mut text);
    }
    text
}

/// Writes the differences of one file.
fn write_file(name: &str, old: &str, new: &str, text: &mut String) {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let hunks = group_diff_ops(differences(&old, &new), CONTEXT);
    if !hunks.is_empty() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "--- a/{name}\n+++ b/{name}");
    }
    for hunk in &hunks {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        let removed = range(first.old_range().start..last.old_range().end);
        let added = range(first.new_range().start..last.new_range().end);
        let _ = writeln!(text, "@@ -{removed} +{added} @@");
        for step in hunk {
            match step {
                DiffOp::Equal { .. } => write_lines(' ', &old, step.old_range(), text),
                _ => {
                    write_lines('-', &old, step.old_range(), text);
                    write_lines('+', &new, step.new_range(), text);
                }
            }
        }
    }
}

/// Returns the steps that lead from one text to the other. The algorithm is called by its own name: the
/// function of the crate that chooses one at run time brings all of them into the program.
#[expect(clippy::disallowed_methods, reason = "only limits how long the search takes")]
fn differences(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let mut steps = Compact::new(Replace::new(Capture::new()), old, new);
    let deadline = Some(Instant::now() + PATIENCE);
    let Ok(()) = myers::diff_deadline_raw(&mut steps, old, 0..old.len(), new, 0..new.len(), deadline);
    steps.into_inner().into_inner().into_ops()
}

/// Returns a range of lines in the format of a hunk's header. An empty range is named by the line before it.
fn range(lines: Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        count => format!("{},{count}", lines.start + 1),
    }
}

fn write_lines(sign: char, lines: &[&str], range: Range<usize>, text: &mut String) {
    for line in lines.get(range).unwrap_or_default() {
        text.push(sign);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(old: &str, new: &str) -> String {
        let mut text = String::new();
        write_file("gateway.toml", old, new, &mut text);
        text
    }

    #[test]
    fn changes_have_three_lines_of_context_and_distant_ones_a_hunk_each() {
        let old: String = (1..=20).map(|number| format!("{number}\n")).collect();
        let new = old.replace("\n5\n", "\nfive\n").replace("20\n", "20\n21\n");
        let expected = "--- a/gateway.toml\n+++ b/gateway.toml\n\
            @@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n\
            @@ -18,3 +18,4 @@\n 18\n 19\n 20\n+21\n";
        assert_eq!(difference(&old, &new), expected);
        assert_eq!(difference(&old, &old), "");
    }

    #[test]
    fn empty_ranges_and_missing_ends_of_lines_are_written_as_diff_does() {
        let head = "--- a/gateway.toml\n+++ b/gateway.toml\n";
        assert_eq!(difference("", "a\n"), format!("{head}@@ -0,0 +1 @@\n+a\n"));
        assert_eq!(difference("a\nb\n", ""), format!("{head}@@ -1,2 +0,0 @@\n-a\n-b\n"));
        assert_eq!(
            difference("a", "b\n"),
            format!("{head}@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n")
        );
    }
}
