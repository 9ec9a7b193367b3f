//! The commands in the documents.

use super::document::{Document, read};
use super::shown::is_shown;
use crate::support::program::{Output, finish, run};
use crate::support::shipped;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The time limit of a block. `bench` is the slowest.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn make_and_cargo_commands_are_those_of_the_makefile() {
    let makefile = read("Makefile")
        .replace("$(CARGO)", "cargo")
        .replace(" $(LOCKED)", "")
        .replace("\"$${CARGO_TARGET_DIR:-target}/release/tollgate\"", "target/release/tollgate");
    let mut seen = 0;
    for document in Document::all() {
        for block in &document.blocks {
            for line in block.text.lines() {
                let there = match block.mark.as_str() {
                    "test: make" => {
                        let target = line.strip_prefix("make ").unwrap_or("no target");
                        makefile.contains(&format!("\n{target}:"))
                    }
                    "test: cargo" => makefile.contains(line),
                    _ => continue,
                };
                assert!(there, "{}:{}: the Makefile does not run {line:?}", document.name, block.line);
                seen += 1;
            }
        }
    }
    assert!(seen >= 4, "the documents have no commands of make and cargo");
}

#[test]
fn commands_print_what_is_shown() {
    let gateway = shipped();
    let address = format!("127.0.0.1:{}", gateway.tls().port());
    let place = format!("localhost:{}", gateway.tls().port());
    let demo = gateway.demo.expect("the demo API").to_string();
    // With the real port, commands that read the file find the gateway.
    gateway.rewrite(|text| text.replace("127.0.0.1:0\"", &format!("{address}\"")));
    let config = std::fs::read_to_string(gateway.dir().join("gateway.toml")).expect("gateway.toml");
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join(".curlrc"), "silent\nshow-error\nmax-time = 20\n").expect(".curlrc");

    let (mut token, mut shown) = (String::new(), 0);
    for document in Document::all() {
        gateway.rewrite(|_| config.clone());
        let mut printed = String::new();
        for block in &document.blocks {
            let at = format!("{}:{}", document.name, block.line);
            if let Some(name) = block.mark.strip_prefix("save as: ") {
                let name = name.split(',').next().unwrap_or(name);
                std::fs::write(gateway.dir().join(name), &block.text).expect("a file beside gateway.toml");
            } else if block.mark.starts_with("test: run") {
                let script = block
                    .text
                    .replace("localhost:8443", &place)
                    .replace("127.0.0.1:8443", &address)
                    // The output has the same form, however long it measures.
                    .replace("tollgate bench", "tollgate bench --duration 150ms --rounds 2")
                    .replace("tg_…", &token);
                if script.contains("tollgate self-test") {
                    // Its tokens must not end in the middle of it, because of what commands before it
                    // changed.
                    let before = gateway.times_written(" reloaded: ");
                    gateway.signal("HUP");
                    gateway.wait_until_written(" reloaded: ", before);
                }
                let output = bash(&script, gateway.dir(), home.path());
                assert_eq!(output.code, Some(0), "{at}\n{script}\n{}\n{}", output.all(), gateway.written());
                printed = output
                    .stdout
                    .replace(&place, "localhost:8443")
                    .replace(&address, "127.0.0.1:8443")
                    .replace(&demo, "127.0.0.1:9000");
                if let Some((_, rest)) = printed.split_once("\"access_token\":\"") {
                    rest.split('"').next().unwrap_or("").clone_into(&mut token);
                }
            } else if block.mark.starts_with("shows") {
                assert!(
                    is_shown(&block.text, &printed),
                    "{at}\nshown:\n{}\n\nprinted:\n{printed}",
                    block.text
                );
                shown += 1;
            }
        }
    }
    assert!(shown >= 3, "the documents show no output");
}

fn bash(script: &str, dir: &Path, home: &Path) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_tollgate"));
    let folders = [program.parent().expect("a folder").to_owned()].into_iter();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(folders.chain(std::env::split_paths(&path))).expect("a PATH");
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]).current_dir(dir).env("PATH", path);
    bash.env("CURL_HOME", home).env("NO_PROXY", "*").env("no_proxy", "*").env("NO_COLOR", "1");
    bash.env_remove("RUST_LOG");
    finish(bash, LIMIT)
}

#[test]
fn a_shell_can_parse_what_is_not_run() {
    for document in Document::all() {
        for block in &document.blocks {
            if block.language == "sh" && block.mark.starts_with("not run: ") {
                let mut bash = Command::new("bash");
                bash.args(["-n", "-c", &block.text]);
                let output = finish(bash, LIMIT);
                assert_eq!(output.code, Some(0), "{}:{}\n{}", document.name, block.line, output.stderr);
            }
        }
    }
}

#[test]
fn every_command_of_the_program_is_listed() {
    let dir = tempfile::tempdir().expect("a folder");
    let help = run(dir.path(), &["--help"]);
    let page = read("docs/command-line.md");
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `tollgate")).collect();
    let lines = help.stdout.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let mut seen = 0;
    for name in names.filter(|name| *name != "help") {
        assert!(
            listed.iter().any(|row| row.contains(&format!("`tollgate {name}"))),
            "docs/command-line.md has no `tollgate {name}`"
        );
        seen += 1;
    }
    assert!(seen > 5, "{help:?}");
}

#[test]
fn every_option_of_the_program_is_described() {
    let pages = ["docs/command-line.md", "docs/benchmark.md", "docs/import.md"].map(read).join("\n");
    let is_described = |option: &str| {
        pages.match_indices(option).any(|(at, _)| {
            let next = pages.get(at + option.len()..).and_then(|rest| rest.chars().next());
            !next.is_some_and(|next| next.is_alphanumeric() || next == '-')
        })
    };
    let dir = tempfile::tempdir().expect("a folder");
    let (mut missing, mut seen) = (Vec::new(), 0);
    let mut waiting: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(command) = waiting.pop() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let help = run(dir.path(), &arguments);
        let mut lists_commands = false;
        for line in help.stdout.lines() {
            let mut words = line.split_whitespace();
            let word = words.find(|word| !matches!(*word, "-k," | "-h," | "-V,")).unwrap_or("");
            if !line.starts_with(' ') {
                lists_commands = line == "Commands:" || (lists_commands && line.is_empty());
            } else if lists_commands && line.starts_with("  ") && !line.starts_with("   ") && word != "help" {
                waiting.push(command.iter().map(String::as_str).chain([word]).map(str::to_owned).collect());
            } else if word.starts_with("--") && !matches!(word, "--help" | "--version") {
                seen += 1;
                if !is_described(word) {
                    missing.push(format!("{} {word}", command.join(" ")));
                }
            }
        }
    }
    assert!(seen > 50, "{seen} options");
    assert!(missing.is_empty(), "the documents do not have:\n{}", missing.join("\n"));
}
