//! The gateway as a child process.

use super::Config;
use super::PATIENCE;
use super::guard::guard;
use super::logs::{Logs, addresses};
use super::program::{command, in_folder, program};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The time allowed for a start: the first one creates a certificate, and the machine may be busy.
const START: Duration = Duration::from_secs(20);

/// A running gateway, killed on drop.
pub(crate) struct Gateway {
    /// The first `http://` listener.
    plain: Option<SocketAddr>,
    /// The second `http://` listener, which speaks HTTP/2 if a test configures it.
    h2c: Option<SocketAddr>,
    /// The first `https://` listener.
    tls: Option<SocketAddr>,
    /// The demo API of `[demo]`.
    pub(crate) demo: Option<SocketAddr>,
    child: Child,
    guard: Child,
    logs: Arc<Logs>,
    dir: TempDir,
}

impl Gateway {
    /// Writes `config` into an empty directory, starts the gateway there and waits for its addresses.
    pub(crate) fn start(config: &Config) -> Self {
        Self::start_text(&config.text(), &[])
    }

    /// Like `start`, with a complete file and environment variables.
    pub(crate) fn start_text(config: &str, environment: &[(&str, &str)]) -> Self {
        Self::spawn(config, |dir| {
            let mut command = command(dir);
            command.envs(environment.iter().copied());
            command
        })
    }

    /// Like `start`, with another path to the program, which the gateway uses again for an upgrade.
    pub(crate) fn start_program(config: &Config, program: &Path) -> Self {
        Self::spawn(&config.text(), |dir| in_folder(Command::new(program), dir))
    }

    /// Like `start`, with a hard limit on file descriptors.
    pub(crate) fn start_with_files(config: &Config, files: u32) -> Self {
        Self::spawn(&config.text(), |dir| {
            let mut shell = Command::new("sh");
            // `exec` replaces the shell, so the child's id is the gateway's.
            shell.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")]);
            shell.arg(program());
            in_folder(shell, dir)
        })
    }

    /// Like `start`, with a listening socket that the parent process has opened (`LISTEN_FDS`).
    pub(crate) fn start_with_socket(config: &str, socket: TcpListener) -> Self {
        Self::spawn(config, |dir| {
            let mut shell = Command::new("sh");
            shell.args(["-c", "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\""]);
            shell.arg(program());
            let mut shell = in_folder(shell, dir);
            shell.stdin(OwnedFd::from(socket));
            shell
        })
    }

    /// Like `start`, with a file system of this size in `folder`, which only the gateway sees. Returns `None`
    /// if the system does not allow that.
    pub(crate) fn start_on_small_disk(config: &Config, folder: &Path, size: &str) -> Option<Self> {
        let mount = format!("mount -t tmpfs -o size={size},mode=700 tmpfs \"$0\"");
        let unshare = |script: &str| {
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(folder);
            unshare
        };
        let tried = unshare(&mount).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !tried.is_ok_and(|status| status.success()) {
            return None;
        }
        Some(Self::spawn(&config.text(), |dir| {
            let mut shell = unshare(&format!("{mount} && exec \"$@\""));
            shell.arg(program());
            in_folder(shell, dir)
        }))
    }

    fn spawn(config: &str, command: impl FnOnce(&Path) -> Command) -> Self {
        let dir = tempfile::Builder::new().prefix("tollgate-test-").tempdir().expect("a folder");
        let path = dir.path().join("gateway.toml");
        std::fs::write(&path, config).expect("gateway.toml");
        let mut child = command(dir.path())
            .args(["run", "--config"])
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway starts");
        let guard = guard(child.id(), dir.path());
        let logs = Logs::of(&mut child);
        let mut gateway = Self { plain: None, h2c: None, tls: None, demo: None, child, guard, logs, dir };
        gateway.read_addresses(config);
        gateway
    }

    /// Returns the address of the plain listener.
    #[track_caller]
    pub(crate) fn plain(&self) -> SocketAddr {
        self.plain.expect("the configuration has an http:// listener")
    }

    /// Returns the address of the listener for HTTP/2 without TLS.
    #[track_caller]
    pub(crate) fn h2c(&self) -> SocketAddr {
        self.h2c.expect("the configuration has a second http:// listener")
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the address of the TLS listener.
    #[track_caller]
    pub(crate) fn tls(&self) -> SocketAddr {
        self.tls.expect("the configuration has an https:// listener")
    }

    /// Returns the directory of gateway.toml.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns everything written so far, standard output and standard error.
    pub(crate) fn written(&self) -> String {
        let streams = self.logs.lock();
        format!("--- stdout\n{}--- stderr\n{}", streams.stdout, streams.stderr)
    }

    /// Replaces gateway.toml.
    pub(crate) fn rewrite(&self, change: impl FnOnce(&str) -> String) {
        let path = self.dir().join("gateway.toml");
        let text = std::fs::read_to_string(&path).expect("gateway.toml");
        let beside = path.with_extension("new");
        std::fs::write(&beside, change(&text)).expect("a file beside gateway.toml");
        std::fs::rename(beside, path).expect("gateway.toml");
    }

    /// Waits until `text` was written more than `before` times.
    #[track_caller]
    pub(crate) fn wait_until_written(&self, text: &str, before: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut streams = self.logs.lock();
        while streams.stderr.matches(text).count() + streams.stdout.matches(text).count() <= before {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{text:?} is not written\n{}\n{}", streams.stdout, streams.stderr);
            streams = self.logs.grown.wait_timeout(streams, left).expect("logs").0;
        }
    }

    /// Waits until `text` was written.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_until_written(text, 0);
    }

    /// Replaces gateway.toml and waits until the change is applied.
    #[track_caller]
    pub(crate) fn reload(&self, config: &Config) {
        let before = self.times_written(" reloaded: ");
        self.rewrite(|_| config.text());
        self.signal("HUP");
        self.wait_until_written(" reloaded: ", before);
    }

    /// Returns how often `text` was written.
    pub(crate) fn times_written(&self, text: &str) -> usize {
        let streams = self.logs.lock();
        streams.stderr.matches(text).count() + streams.stdout.matches(text).count()
    }

    /// Sends a signal (`TERM`, `INT`, `HUP`) to this process only.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill runs").success(), "kill -{name} {}", self.child.id());
    }

    /// Waits until the process exits.
    #[track_caller]
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the child's state") {
                self.read_to_the_end();
                return status;
            }
            assert!(started.elapsed() < limit, "still runs after {limit:?}\n{}", self.written());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until everything that the process wrote has been read, which other threads do. A process that
    /// took over keeps the streams open, so the wait has a limit.
    fn read_to_the_end(&self) {
        let limit = Duration::from_millis(500);
        let streams = self.logs.lock();
        let _ = self.logs.grown.wait_timeout_while(streams, limit, |streams| streams.ended < 2);
    }

    /// Returns whether the process is running.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child's state").is_none()
    }

    fn read_addresses(&mut self, config: &str) {
        let file: toml::Table =
            config.parse().unwrap_or_else(|e| panic!("the test's own config: {e}\n{config}"));
        let listeners = file["server"]["listen"].as_array().expect("server.listen").len();
        let demo = file.contains_key("demo");
        let deadline = Instant::now() + START;
        let logs = Arc::clone(&self.logs);
        let mut streams = logs.lock();
        loop {
            // They are on standard error if the access log is on standard output.
            let shown =
                |marker| [&streams.stdout, &streams.stderr].map(|text| addresses(text, marker)).concat();
            let found = shown("listening on ");
            let api = shown("demo API on ");
            if found.len() >= listeners && (!demo || !api.is_empty()) {
                self.plain = found.iter().find(|(tls, _)| !tls).map(|(_, address)| *address);
                self.h2c = found.iter().filter(|(tls, _)| !tls).nth(1).map(|(_, address)| *address);
                self.tls = found.iter().find(|(tls, _)| *tls).map(|(_, address)| *address);
                self.demo = api.first().map(|(_, address)| *address);
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && streams.ended < 2,
                "no address of {listeners} listener(s){} within {START:?}\n--- stdout\n{}--- stderr\n{}--- config\n{config}",
                if demo { " and the demo API" } else { "" },
                streams.stdout,
                streams.stderr,
            );
            streams = logs.grown.wait_timeout(streams, left).expect("logs").0;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // The guard first: it must not signal a process id that was already reaped.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("{}", self.written());
        }
    }
}
