//! What a child process writes, read by threads of their own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What a process has written so far.
#[derive(Default)]
pub(crate) struct Logs {
    streams: Mutex<Streams>,
    /// Notified when text is added or a stream ends.
    pub(crate) grown: Condvar,
}

/// The two streams.
#[derive(Default)]
pub(crate) struct Streams {
    /// The standard output.
    pub(crate) stdout: String,
    /// The standard error.
    pub(crate) stderr: String,
    /// How many of the two have ended.
    pub(crate) ended: usize,
}

impl Logs {
    /// Starts the threads that read both streams of `child`, which must be pipes.
    pub(crate) fn of(child: &mut Child) -> Arc<Self> {
        let logs = Arc::new(Self::default());
        read(child.stdout.take().expect("stdout"), &logs, |streams| &mut streams.stdout);
        read(child.stderr.take().expect("stderr"), &logs, |streams| &mut streams.stderr);
        logs
    }

    /// Returns the log. A failed assertion may poison the lock before the drop of the gateway reads the log.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(stream: impl Read + Send + 'static, logs: &Arc<Logs>, part: fn(&mut Streams) -> &mut String) {
    let logs = Arc::clone(logs);
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            part(&mut logs.lock()).push_str(&String::from_utf8_lossy(&line));
            line.clear();
            logs.grown.notify_all();
        }
        logs.lock().ended += 1;
        logs.grown.notify_all();
    });
}

/// Returns the addresses after `marker`, each with whether it uses TLS.
pub(crate) fn addresses(stdout: &str, marker: &str) -> Vec<(bool, SocketAddr)> {
    let complete = stdout.rfind('\n').map_or("", |end| &stdout[..end]);
    complete
        .lines()
        .filter_map(|line| {
            let url = line.split_once(marker)?.1.split_whitespace().next()?;
            let (scheme, rest) = url.split_once("://")?;
            let address = rest.trim_end_matches(['/', ',', '.', ';', ')']).parse().ok()?;
            Some((scheme == "https", address))
        })
        .collect()
}

#[test]
fn addresses_are_found_in_whole_lines_only() {
    let text = "tollgate: listening on https://127.0.0.1:4321 (TLS)\nlistening on http://127.0.0.1:80/\n\
                demo API on http://127.0.0.1:9000\nlistening on http://127.0.0.1:12";
    let found: Vec<String> =
        addresses(text, "listening on ").iter().map(|(tls, a)| format!("{tls} {a}")).collect();
    assert_eq!(found, ["true 127.0.0.1:4321", "false 127.0.0.1:80"]);
    assert_eq!(addresses(text, "demo API on ").len(), 1);
}
