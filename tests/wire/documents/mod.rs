//! The documents: every command in them runs, every configuration passes `check`, every answer is the one
//! shown, and every link and path leads somewhere. Their Rust is compiled as documentation tests
//! (`src/documents.rs`).
//!
//! A comment above a fenced block says how the block is tested:
//!
//! | mark | tested how |
//! |---|---|
//! | `test: make`, `test: cargo` | the Makefile has the target, or runs the same command |
//! | `test: run` | runs beside a gateway on the shipped gateway.toml; each document begins with that file |
//! | `test: names` | the tests, benchmarks, examples and programs that it names exist |
//! | `shows …` | is what the command above printed |
//! | none, on TOML | passes `check` without a warning |
//! | `save as: FILE` | passes `check` without a warning, and is written for the commands below |
//! | `save as: FILE, refused` | is written likewise, and `check` refuses it |
//! | `part of gateway.toml` | passes `check` together with a small configuration |
//! | `part of Cargo.toml` | asks for features that the crate has |
//! | `from: FILE` | its lines are in that file, in their order |
//! | `not run: REASON` | is not run; a shell must still be able to parse it |

mod commands;
mod configurations;
mod document;
mod excerpts;
mod names;
mod observability;
mod paths;
mod shown;

use document::{Block, Document};

/// Returns whether a test of this module covers the block. `above` is the block before it in the same
/// document.
fn is_tested(block: &Block, above: Option<&Block>) -> bool {
    match (block.language.as_str(), block.mark.as_str()) {
        ("sh", mark) => mark.starts_with("test: ") || mark.starts_with("not run: "),
        ("toml", mark) => {
            matches!(mark, "" | "part of gateway.toml" | "part of Cargo.toml")
                || mark.starts_with("save as: ")
        }
        ("rust", mark) => mark.is_empty(),
        // This is a drawing.
        ("text", "") => true,
        // A later block runs the saved file.
        ("yaml", mark) if mark.starts_with("save as: ") => true,
        (_, mark) if mark.starts_with("from: ") || mark.starts_with("not run: ") => true,
        (_, mark) => {
            mark.starts_with("shows") && above.is_some_and(|above| above.mark.starts_with("test: run"))
        }
    }
}

#[test]
fn every_block_says_how_it_is_tested() {
    for document in Document::all() {
        let mut above = None;
        for block in &document.blocks {
            assert!(is_tested(block, above), "{}:{}: nothing tests this block", document.name, block.line);
            above = Some(block);
        }
    }
}
