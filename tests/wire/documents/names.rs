//! Commands that are too slow to run here. The tests, benchmarks and programs that they name must exist.

use super::document::{Document, path, read};

/// Returns the packages of the workspace.
const PACKAGES: [&str; 3] = ["Cargo.toml", "benches/gate/Cargo.toml", "fuzz/targets/Cargo.toml"];

#[test]
fn named_tests_benchmarks_and_programs_exist() {
    let mut seen = 0;
    for document in Document::all() {
        for block in document.blocks.iter().filter(|block| block.mark.starts_with("test: names")) {
            for line in block.text.lines().map(|line| line.split('#').next().unwrap_or("").trim()) {
                let missing = missing(line);
                assert!(missing.is_empty(), "{}:{}: {line:?} names {missing:?}", document.name, block.line);
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "the documents name no tests");
}

/// Returns the names in a command that the repository does not have.
fn missing(command: &str) -> Vec<String> {
    let words: Vec<&str> = command.split_whitespace().filter(|word| !word.contains('=')).collect();
    let mut missing = Vec::new();
    let mut need = |there: bool, what: String| {
        if !there {
            missing.push(what);
        }
    };
    let (mut module_of, mut previous) = (None, "");
    for word in words.iter().take_while(|word| **word != "--") {
        match previous {
            "--example" => {
                let file = format!("examples/{word}.rs");
                need(path(&file).exists(), file);
            }
            "-p" => {
                let name = format!("name = \"{word}\"");
                let there = PACKAGES.iter().any(|package| read(package).contains(&name));
                need(there, format!("package {word}"));
            }
            "--test" => {
                let folder = format!("tests/{word}");
                need(path(&folder).join("main.rs").exists(), folder.clone());
                module_of = Some(folder);
            }
            _ if word.starts_with('-') => {
                if *word == "--lib" {
                    module_of = Some("src".to_owned());
                }
            }
            // These are products of a build.
            _ if word.starts_with("target/") => {}
            _ if word.contains('/') => need(path(word).exists(), (*word).to_owned()),
            _ => {
                if let Some(folder) = &module_of {
                    let file = format!("{folder}/{}", word.replace("::", "/"));
                    let there = path(&format!("{file}.rs")).exists() || path(&file).is_dir();
                    need(there, file);
                }
            }
        }
        previous = word;
    }
    missing
}

#[test]
fn a_name_that_is_not_there_is_found() {
    assert_eq!(missing("cargo test --all-features --test wire documents"), [""; 0]);
    assert_eq!(missing("cargo test --lib oauth::scope"), [""; 0]);
    assert_eq!(missing("cargo test --lib oauth::nothing"), ["src/oauth/nothing"]);
    assert_eq!(missing("cargo test --test nothing").len(), 1);
    assert_eq!(missing("cargo run -p nothing"), ["package nothing"]);
    assert_eq!(missing("benches/nothing/run --quick"), ["benches/nothing/run"]);
}
