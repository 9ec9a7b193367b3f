//! The command line: the real binary in a directory of its own.

mod clients;
mod explain;
mod running;
mod token;

use crate::support::config::{SECRET, cheap_hash};
use crate::support::program::Output;
use crate::support::{
    Config, Conn, Gateway, TOKEN, Upstream, basic, form, get, post_form, raw, run, token_of,
};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn folder(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("gateway.toml"), config).expect("gateway.toml");
    dir
}

fn text_of(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("gateway.toml")).expect("gateway.toml")
}

#[track_caller]
fn run_ok(dir: &Path, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
    unshown(&output);
    output.stdout
}

#[track_caller]
fn json(dir: &Path, arguments: &[&str]) -> Value {
    let text = run_ok(dir, arguments);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{text}"))
}

/// Returns the standard error of a command that must fail with this code.
#[track_caller]
fn run_err(dir: &Path, code: i32, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    assert_eq!(output.code, Some(code), "{arguments:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    unshown(&output);
    output.stderr
}

#[track_caller]
fn unshown(output: &Output) {
    let all = output.all();
    assert!(!all.contains("$v=19$m=") && !all.contains("panicked"), "{output:?}");
}

/// Runs a command with an environment variable and standard input.
#[track_caller]
fn with_input(dir: &Path, arguments: &[&str], variable: Option<(&str, &str)>, input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(arguments)
        .current_dir(dir)
        .envs(variable)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // A command that does not read its input may have exited already.
    let _ = child.stdin.take().expect("stdin").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("its output");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn small() -> Config {
    Config::bare()
        .upstream("api", "127.0.0.1:9".parse().expect("an address"))
        .client("one", SECRET, "scopes = [\"read\"]")
        .client("two", SECRET, "scopes = [\"read\", \"write\"]\nenabled = false")
        .route("path = \"/hello\"\nmethods = [\"GET\"]\nscopes = [\"read\"]\nupstream = \"api\"")
        .route("prefix = \"/\"\nany_scope = [\"write\", \"admin\"]\nupstream = \"api\"")
        .route("path = \"/users/{name}\"\naccess = \"public\"\nupstream = \"api\"")
}

/// Starts a gateway on a TLS port that is known in advance.
fn with_known_port() -> (Gateway, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let upstream = "127.0.0.1:9".parse().expect("an address");
    let text = Config::standard(upstream).text().replace("http://127.0.0.1:0", &format!("https://{free}"));
    (Gateway::start_text(&text, &[]), free)
}

#[test]
fn schema_and_completions_are_printed() {
    let dir = tempfile::tempdir().expect("a folder");
    // The schema contains a sample hash, so it is not searched for hashes.
    let schema: Value = serde_json::from_str(&run(dir.path(), &["schema"]).stdout).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for shell in ["bash", "zsh", "fish"] {
        let script = run_ok(dir.path(), &["completions", shell]);
        assert!(script.contains("TOLLGATE_COMPLETE"), "{shell}: {script}");
        // tests/packaging types into the shells. It needs root, so this finds a new form of the library's script.
        assert_eq!(script.contains("$funcstack"), shell == "zsh", "{shell}: {script}");
    }
    run_err(dir.path(), 2, &["completions", "nosuchshell"]);
}

#[test]
fn a_shell_completes_commands_and_the_names_in_the_file() {
    let dir = folder(&small().text());
    let complete = |words: &[&str]| -> Vec<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .arg("--")
            .args(words)
            .current_dir(dir.path())
            .env("TOLLGATE_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
            .env("_CLAP_IFS", "\n")
            .output()
            .expect("completions");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
    };
    assert!(complete(&["tollgate", "client", ""]).contains(&"reset-secret".to_owned()));
    assert_eq!(complete(&["tollgate", "client", "edit", "o"]), ["one"]);
    assert_eq!(complete(&["tollgate", "client", "add", "x", "--scope", "w"]), ["write"]);
    assert_eq!(complete(&["tollgate", "explain", "GET", "/", "--client", "t"]), ["two"]);
    std::fs::rename(dir.path().join("gateway.toml"), dir.path().join("other.toml")).expect("renamed");
    assert_eq!(complete(&["tollgate", "client", "show", "o"]), [""; 0]);
    assert_eq!(complete(&["tollgate", "--config", "other.toml", "client", "show", "o"]), ["one"]);
}

#[test]
fn a_closed_output_pipe_is_not_a_failure() {
    let dir = folder(&small().text());
    let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .arg("schema")
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let mut output = String::new();
    child.stderr.take().expect("stderr").read_to_string(&mut output).expect("stderr");
    assert!(child.wait().expect("its status").success() && output.is_empty(), "{output}");
}
