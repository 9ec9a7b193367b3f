//! Links, file names and the summary.

use super::document::{Document, chapters, path, prose};
use std::path::{Component, Path, PathBuf};

/// The folders at the beginning of a file name in backticks.
const FOLDERS: [&str; 6] = ["src/", "tests/", "benches/", "examples/", "fuzz/", "docs/"];

/// Returns every document, also those in the folders of tests and benchmarks.
fn documents() -> Vec<Document> {
    let others = [
        "CHANGELOG.md",
        "docs/SUMMARY.md",
        "benches/compare/README.md",
        "benches/count/README.md",
        "benches/soak/README.md",
        "fuzz/README.md",
        "tests/README.md",
        "tests/certificates/README.md",
        "tests/clients/README.md",
        "tests/keys/README.md",
    ];
    Document::all().into_iter().chain(others.map(Document::open)).collect()
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut dead = Vec::new();
    for document in documents() {
        for (line, link) in document.links() {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            // A link in the book can only lead to a page of the book.
            let in_book =
                !document.name.starts_with("docs/") || beside(&document.name, file).starts_with("docs");
            let target = if file.is_empty() { document.name.clone() } else { beside(&document.name, file) };
            let leads = in_book
                && path(&target).exists()
                && (anchor.is_empty()
                    || Document::open(&target).anchors().iter().any(|there| there == anchor));
            if !leads {
                dead.push(format!("{}:{line}: {link}", document.name));
            }
        }
    }
    assert!(dead.is_empty(), "links that lead nowhere:\n{}", dead.join("\n"));
}

/// Returns the path of a link in a document, from the root of the repository.
fn beside(document: &str, link: &str) -> String {
    let mut whole = PathBuf::new();
    for part in Path::new(document).parent().unwrap_or(Path::new("")).join(link).components() {
        match part {
            Component::ParentDir => drop(whole.pop()),
            part => whole.push(part),
        }
    }
    whole.display().to_string()
}

#[test]
fn files_that_are_named_exist() {
    let mut missing = Vec::new();
    for document in documents() {
        // The change log may name files that no longer exist.
        if document.name == "CHANGELOG.md" {
            continue;
        }
        for (line, text) in prose(&document.text) {
            // Every second piece is in backticks.
            for name in text.split('`').skip(1).step_by(2) {
                let is_path = FOLDERS.iter().any(|folder| name.starts_with(folder));
                if is_path && !name.contains([' ', '*', '…']) && !path(name).exists() {
                    missing.push(format!("{}:{line}: {name}", document.name));
                }
            }
        }
    }
    assert!(missing.is_empty(), "files that do not exist:\n{}", missing.join("\n"));
}

#[test]
fn the_summary_lists_every_page() {
    let mut listed = chapters();
    listed.sort();
    let mut there = Vec::new();
    for folder in ["", "decisions/"] {
        for entry in std::fs::read_dir(path("docs").join(folder)).expect("docs/") {
            let name = entry.expect("an entry").file_name().into_string().expect("a name in UTF-8");
            if name.ends_with(".md") && name != "SUMMARY.md" {
                there.push(format!("{folder}{name}"));
            }
        }
    }
    there.sort();
    assert_eq!(listed, there);
}

#[test]
fn the_readme_has_at_most_200_lines() {
    let lines = Document::open("README.md").text.lines().count();
    assert!(lines <= 200, "{lines} lines; move something to docs/");
}
