//! Excerpts in the documents from files that other tests cover.

use super::document::{Document, read};

#[test]
fn quoted_lines_are_in_their_files() {
    let mut seen = 0;
    for document in Document::all() {
        for block in &document.blocks {
            let Some(name) = block.mark.strip_prefix("from: ") else { continue };
            let file = read(name);
            // The lines are in the same order in the file, which may have others between them.
            let mut rest = file.lines().map(str::trim);
            for line in block.text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                assert!(
                    rest.any(|there| there == line),
                    "{}:{}: {name} has no line {line:?}, or not behind the lines before it",
                    document.name,
                    block.line
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 0, "the documents have no quotations");
}
