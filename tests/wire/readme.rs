//! README.md does what it says: every command in it runs, every file in it is good, every answer is the one shown.
//! Its Rust is tried as a documentation test.

use crate::support::{run, shipped};
use std::path::Path;
use std::process::Command;

/// A fenced block, and the comment above it that says how to try it.
#[derive(Debug)]
struct Block {
    mark: String,
    language: String,
    text: String,
}

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn blocks() -> Vec<Block> {
    let readme = file("README.md");
    let (mut blocks, mut mark) = (Vec::new(), String::new());
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let mark = std::mem::take(&mut mark);
            blocks.push(Block { mark, language: language.to_owned(), text: text.join("\n") });
        } else if !line.trim().is_empty() {
            let comment = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
            mark = comment.unwrap_or("").to_owned();
        }
    }
    blocks
}

fn marked<'a>(blocks: &'a [Block], mark: &str) -> impl Iterator<Item = &'a str> {
    let lines = blocks.iter().filter(move |block| block.mark == mark).flat_map(|block| block.text.lines());
    lines.collect::<Vec<_>>().into_iter()
}

#[test]
fn every_block_is_tried_somehow() {
    let blocks = blocks();
    assert!(blocks.len() > 10, "{blocks:#?}");
    let mut shown_by = "";
    for block in &blocks {
        let tried = match (block.language.as_str(), block.mark.as_str()) {
            ("sh", mark) => mark.starts_with("test: "),
            ("toml" | "rust", "") => true,
            (_, mark) if mark.starts_with("from: tests/clients/") => true,
            // What is shown is compared only behind a command that ran.
            (_, mark) => mark.starts_with("shows") && shown_by.starts_with("test: tutorial"),
        };
        assert!(tried, "nothing tries this block: {block:#?}");
        shown_by = &block.mark;
    }
}

#[test]
fn its_make_and_cargo_commands_are_those_of_the_makefile() {
    let blocks = blocks();
    let makefile = file("Makefile")
        .replace("$(CARGO)", "cargo")
        .replace(" $(LOCKED)", "")
        .replace("\"$${CARGO_TARGET_DIR:-target}/release/tollgate\"", "target/release/tollgate");
    let mut seen = 0;
    for line in marked(&blocks, "test: make") {
        let target = line.strip_prefix("make ").unwrap_or_else(|| panic!("no make command: {line}"));
        assert!(makefile.contains(&format!("\n{target}:")), "the Makefile has no {target}");
        seen += 1;
    }
    for line in marked(&blocks, "test: cargo") {
        assert!(
            makefile.contains(line),
            "the Makefile does not run {line:?}, so nobody knows whether it works"
        );
        seen += 1;
    }
    assert!(seen >= 8, "{blocks:#?}");
}

#[test]
fn what_it_takes_from_the_tested_clients_stands_there() {
    let mut seen = 0;
    for block in blocks() {
        let Some(name) = block.mark.strip_prefix("from: ") else { continue };
        let file = file(name);
        // In their order; the file does other things in between.
        let mut rest = file.lines().map(str::trim);
        for line in block.text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            assert!(
                rest.any(|there| there == line),
                "{name} has no {line:?}, or not behind the lines before it"
            );
        }
        seen += 1;
    }
    assert!(seen > 0, "the README shows no client");
}

#[test]
fn its_configurations_are_good() {
    let mut seen = 0;
    for block in blocks().iter().filter(|block| block.language == "toml") {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("gateway.toml"), &block.text).expect("gateway.toml");
        let output = run(dir.path(), &["check"]);
        assert_eq!(output.code, Some(0), "{output:?}\n{}", block.text);
        seen += 1;
    }
    assert!(seen > 0, "the README has no configuration");
}

#[test]
fn its_tutorial_shows_what_the_gateway_answers() {
    let gateway = shipped();
    let place = format!("localhost:{}", gateway.tls().port());
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join(".curlrc"), "silent\nshow-error\nmax-time = 20\n").expect(".curlrc");

    let (mut token, mut printed, mut shown) = (String::new(), String::new(), 0);
    for block in blocks() {
        if block.mark.starts_with("test: tutorial") {
            let script = block
                .text
                .replace("localhost:8443", &place)
                // What it shows is the same, however long it measures.
                .replace("tollgate bench", "tollgate bench --duration 150ms --rounds 2")
                .replace("target/release/tollgate", env!("CARGO_BIN_EXE_tollgate"))
                .replace("tg_…", &token);
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", &script])
                .current_dir(gateway.dir())
                .env("CURL_HOME", home.path())
                .env("NO_PROXY", "*")
                .env("no_proxy", "*")
                .output()
                .expect("bash runs");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{script}\n{stderr}\n{}", gateway.written());
            printed = String::from_utf8_lossy(&output.stdout).replace(&place, "localhost:8443");
            if let Some((_, rest)) = printed.split_once("\"access_token\":\"") {
                token = rest.split('"').next().unwrap_or("").to_owned();
            }
        } else if block.mark.starts_with("shows") {
            assert!(is_shown(&block.text, &printed), "shown:\n{}\n\nprinted:\n{printed}", block.text);
            shown += 1;
        }
    }
    assert!(shown >= 3, "the README shows nothing");
}

/// Whether `printed` is what `shown` says line by line, where `…` stands for anything, and as the last line for all the
/// others.
fn is_shown(shown: &str, printed: &str) -> bool {
    let trimmed =
        |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    let (mut shown, mut printed) = (trimmed(shown), trimmed(printed));
    if shown.last().is_some_and(|line| line == "…") {
        shown.pop();
        printed.truncate(shown.len());
    }
    shown.len() == printed.len() && shown.iter().zip(&printed).all(|(shown, printed)| is_line(shown, printed))
}

fn is_line(shown: &str, mut printed: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or("");
    let Some(rest) = printed.strip_prefix(first) else { return false };
    printed = rest;
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return printed.is_empty() };
    for part in middle {
        let Some((_, rest)) = printed.split_once(part) else { return false };
        printed = rest;
    }
    printed.len() >= last.len() && printed.ends_with(last)
}

#[test]
fn shown_lines_match_only_what_they_say() {
    for (shown, printed) in
        [("a", "a"), ("a…", "ab"), ("…b", "ab"), ("a…c…e", "abcde"), ("…", ""), ("a…a", "aa")]
    {
        assert!(is_line(shown, printed), "{shown} {printed}");
    }
    for (shown, printed) in [("a", "ab"), ("a…c", "abcd"), ("a…a", "a"), ("a…x…e", "abcde"), ("", "a")]
    {
        assert!(!is_line(shown, printed), "{shown} {printed}");
    }
    assert!(is_shown("a\n\nb", "a \r\n\r\nb\n") && !is_shown("a\nb", "a"));
}
