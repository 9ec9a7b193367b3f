//! The program under test, and its commands.

use super::guard::Guard;
use super::logs::Logs;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The result of a command.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code, or `None` if a signal ended the command.
    pub(crate) code: Option<i32>,
    /// The standard output.
    pub(crate) stdout: String,
    /// The standard error.
    pub(crate) stderr: String,
}

impl Output {
    /// Returns standard output and standard error.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs `tollgate ARGUMENTS` in `dir`, for at most 15 s.
#[track_caller]
pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Output {
    let mut tollgate = command(dir);
    tollgate.args(arguments);
    finish(tollgate, Duration::from_secs(15))
}

/// Runs `tollgate upgrade`, which must succeed. The new process ends when the guard is dropped.
#[track_caller]
pub(crate) fn run_upgrade(dir: &Path) -> (u32, Guard) {
    // The process that was replaced by the last upgrade may still own the socket for a moment.
    let deadline = Instant::now() + Duration::from_secs(10);
    let output = loop {
        let output = run(dir, &["upgrade"]);
        if !output.stderr.contains("has already taken over") || Instant::now() > deadline {
            break output;
        }
    };
    assert_eq!(output.code, Some(0), "{output:?}");
    let process = output.stdout.split_whitespace().nth(3).and_then(|process| process.parse().ok());
    let process = process.unwrap_or_else(|| panic!("no process: {output:?}"));
    (process, Guard::of(process))
}

/// Runs a command for at most `limit`.
#[track_caller]
pub(crate) fn finish(mut command: Command, limit: Duration) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
    let logs = Logs::of(&mut child);
    let streams = logs.lock();
    let (streams, timeout) =
        logs.grown.wait_timeout_while(streams, limit, |streams| streams.ended < 2).expect("logs");
    let (stdout, stderr) = (streams.stdout.clone(), streams.stderr.clone());
    drop(streams);
    if timeout.timed_out() {
        let _ = child.kill();
        let _ = child.wait();
        panic!("{command:?} does not end\n--- stdout\n{stdout}--- stderr\n{stderr}");
    }
    Output { code: child.wait().expect("its status").code(), stdout, stderr }
}

/// Returns the gateway under test: the one that cargo has built for the tests, unless `TOLLGATE_PROGRAM`
/// names another.
pub(crate) fn program() -> OsString {
    std::env::var_os("TOLLGATE_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_tollgate").into())
}

/// Returns the command that runs the gateway under test in `dir`.
pub(crate) fn command(dir: &Path) -> Command {
    in_folder(Command::new(program()), dir)
}

/// Returns a command that runs in `dir`, without input and without the settings of the developer's log.
pub(crate) fn in_folder(mut command: Command, dir: &Path) -> Command {
    command.current_dir(dir).stdin(Stdio::null()).env_remove("RUST_LOG").env("NO_COLOR", "1");
    command
}
