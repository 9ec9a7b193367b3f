//! Markdown files and the fenced blocks in them.

use std::path::{Path, PathBuf};

/// A Markdown file of the repository.
#[derive(Debug)]
pub(super) struct Document {
    /// Its path from the root of the repository.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Debug)]
pub(super) struct Block {
    /// The comment above it, which says how it is tested; empty if there is none.
    pub(super) mark: String,
    /// The first word behind the fence.
    pub(super) language: String,
    pub(super) text: String,
    /// The line of its fence.
    pub(super) line: usize,
}

/// The reference, which is generated from the schema of the configuration and tested with it.
const GENERATED: &str = "configuration.md";

/// Returns the path of a file in the repository.
pub(super) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Returns the text of a file in the repository.
#[track_caller]
pub(super) fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

impl Document {
    pub(super) fn open(name: &str) -> Self {
        let text = read(name);
        let blocks = blocks(&text);
        Self { name: name.to_owned(), text, blocks }
    }

    /// Returns README.md, the other documents at the root, and then docs/ in the order of its summary.
    pub(super) fn all() -> Vec<Self> {
        let root = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"];
        let chapters = chapters().into_iter().filter(|chapter| chapter != GENERATED);
        let names =
            root.map(str::to_owned).into_iter().chain(chapters.map(|chapter| format!("docs/{chapter}")));
        names.map(|name| Self::open(&name)).collect()
    }

    /// Returns the targets of its links, outside of fenced blocks, with the line of each.
    pub(super) fn links(&self) -> Vec<(usize, &str)> {
        let mut links = Vec::new();
        for (number, line) in prose(&self.text) {
            let mut rest = line;
            while let Some((_, behind)) = rest.split_once("](") {
                let Some((target, behind)) = behind.split_once(')') else { break };
                links.push((number, target));
                rest = behind;
            }
        }
        links
    }

    /// Returns the names of its headings in links.
    pub(super) fn anchors(&self) -> Vec<String> {
        let headings = prose(&self.text).filter(|(_, line)| line.starts_with('#'));
        headings.map(|(_, line)| anchor(line.trim_start_matches('#').trim())).collect()
    }
}

/// Returns the files that docs/SUMMARY.md lists, in its order.
pub(super) fn chapters() -> Vec<String> {
    let summary = Document::open("docs/SUMMARY.md");
    summary.links().into_iter().map(|(_, target)| target.to_owned()).collect()
}

/// Returns the lines outside of fenced blocks, each with its number.
pub(super) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut mark) = (Vec::new(), String::new());
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            blocks.push(Block {
                mark: std::mem::take(&mut mark),
                language: language.split(',').next().unwrap_or("").to_owned(),
                text: inside.collect::<Vec<_>>().join("\n"),
                line: index + 1,
            });
        } else if !line.trim().is_empty() {
            let comment = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
            comment.unwrap_or("").clone_into(&mut mark);
        }
    }
    blocks
}

/// Returns the name of a heading in links, as GitHub and mdBook make it: in lower case, with hyphens for
/// spaces and without punctuation.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn blocks_have_the_mark_directly_above_them() {
    let text = "<!-- test: run -->\n```sh\na\nb\n```\n\n<!-- shows -->\nText.\n\n```rust,no_run\n```\n";
    let blocks = blocks(text);
    let seen: Vec<_> = blocks.iter().map(|b| (&*b.mark, &*b.language, &*b.text, b.line)).collect();
    assert_eq!(seen, [("test: run", "sh", "a\nb", 2), ("", "rust", "", 10)]);
    assert_eq!(anchor("To the *upstream*: `a_b`"), "to-the-upstream-a_b");
}
