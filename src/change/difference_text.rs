//! Differences between texts, in the format of `diff -u` and `git apply`.

use std::time::Duration;

use similar::{Algorithm, TextDiff};

use super::texts::Texts;

/// The time limit of the search for the smallest difference. After that, a larger one is shown.
const PATIENCE: Duration = Duration::from_millis(500);

/// Returns the differences of all files. The text is empty if there are none.
pub(super) fn unified(before: &Texts, after: &Texts) -> String {
    let mut text = String::new();
    for (path, old, new) in after.changed(before) {
        let name = after.name(path).display().to_string();
        let name = name.trim_start_matches('/');
        let difference =
            TextDiff::configure().algorithm(Algorithm::Myers).timeout(PATIENCE).diff_lines(old, new);
        let mut unified = difference.unified_diff();
        let unified = unified.context_radius(3).header(&format!("a/{name}"), &format!("b/{name}"));
        text.push_str(&unified.to_string());
    }
    text
}
