//! Upgrades that fail: the running gateway stays as it is, and the command says why.

use super::{bearer, start};
use crate::support::program::{Output, finish, program, run_upgrade};
use crate::support::run;
use crate::support::{Config, Fixture, Gateway, PATIENCE, REVOKE, Upstream, credentials, get, post_form};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Runs `tollgate upgrade`, which must fail and leave the gateway as it was.
#[track_caller]
fn failed_upgrade(fixture: &mut Fixture, reason: &str) -> Output {
    let socket = fixture.gateway.dir().join("state/handover.sock");
    let socket = socket.to_str().expect("a path of UTF-8");
    let output = run(fixture.gateway.dir(), &["upgrade", "--socket", socket]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("not upgraded") && output.stderr.contains(reason), "{output:?}");
    assert!(fixture.gateway.is_running());
    fixture.raw(get("/public/here", &[])).status(200);
    output
}

#[test]
fn a_new_process_that_fails_leaves_the_running_gateway_as_it_is_and_the_command_says_why() {
    let mut fixture = start(|config| config);
    let token = fixture.bearer("server", "read");
    let good = std::fs::read_to_string(fixture.gateway.dir().join("gateway.toml")).expect("gateway.toml");
    fixture.gateway.rewrite(|text| text.replace("threads = 1", "threads = \"many\""));
    failed_upgrade(&mut fixture, "threads");
    // Without the socket's path the command reads the same file.
    let output = run(fixture.gateway.dir(), &["upgrade"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("not upgraded") && output.stderr.contains("threads"), "{output:?}");
    // A valid file, but a port that another process has.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().map(|address| (taken, address)).expect("its address");
    fixture.gateway.rewrite(|_| good.replace("127.0.0.1:0\"", &format!("{}\"", taken.1)));
    failed_upgrade(&mut fixture, "address already in use");
    fixture.raw(get("/hello", &[&token])).status(200);
    // Issuing and revoking go on, and the next upgrade succeeds.
    let other = fixture.bearer("server", "read");
    fixture.gateway.rewrite(|_| good);
    let (_, _guard) = run_upgrade(fixture.gateway.dir());
    for token in [token, other] {
        fixture.raw(get("/hello", &[&token])).status(200);
    }
    assert!(fixture.gateway.wait(Duration::from_secs(10)).success());
}

/// Writes a program by another process. If this process wrote it, a child that another test starts at the same
/// moment could still have it open, and a program that is open for writing cannot be run.
fn write_program(path: &Path, text: &str) {
    let mut write = Command::new("sh")
        .args(["-c", "cat >\"$0\" && chmod 700 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh runs");
    write.stdin.take().expect("its input").write_all(text.as_bytes()).expect("the program is written");
    assert!(write.wait().expect("sh ends").success());
}

/// A gateway whose program is replaced by one that hangs, and then by the right one again.
pub(crate) struct Hanging {
    pub(crate) fixture: Fixture,
    folder: tempfile::TempDir,
}

impl Hanging {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tollgate");
        std::os::unix::fs::symlink(program(), &path).expect("a link");
        let upstream = Upstream::start();
        let config =
            Config::standard(upstream.address()).server("shutdown_grace = \"4s\"\nstate_dir = \"state\"");
        let fixture = Fixture { gateway: Gateway::start_program(&config, &path), upstream };
        std::fs::remove_file(&path).expect("the link is gone");
        let script = "#!/bin/sh\necho $$ >\"$0.new\"\nmv \"$0.new\" \"$0.pid\"\nexec sleep 600\n";
        write_program(&path, script);
        Self { fixture, folder }
    }

    /// Starts `tollgate upgrade`, and waits until the new process hangs. Returns the process.
    pub(crate) fn upgrade(&self, limit: Duration) -> (thread::JoinHandle<Output>, String) {
        let mut upgrade = Command::new(program());
        upgrade.arg("upgrade").current_dir(self.fixture.gateway.dir()).env("NO_COLOR", "1");
        let upgrade = thread::spawn(move || finish(upgrade, limit));
        let (file, deadline) =
            (self.folder.path().join("tollgate.pid"), Instant::now() + Duration::from_secs(20));
        loop {
            if let Ok(process) = std::fs::read_to_string(&file) {
                return (upgrade, process.trim().to_owned());
            }
            if upgrade.is_finished() {
                panic!("no process is started: {:?}", upgrade.join());
            }
            assert!(Instant::now() < deadline, "no process is started");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asserts that the running gateway answers, issues and revokes.
    pub(crate) fn serves(&self) {
        let token = self.fixture.token("server", "read");
        self.fixture.raw(get("/hello", &[&bearer(&token)])).status(200);
        let body = format!("{}&token={token}", credentials("server"));
        self.fixture.raw(post_form(REVOKE, &[], body)).status(200);
        self.fixture.raw(get("/hello", &[&bearer(&token)])).status(401);
    }

    /// Puts the right program back, with which an upgrade succeeds.
    pub(crate) fn then_upgrades(mut self) {
        let path = self.folder.path().join("tollgate");
        std::fs::remove_file(&path).expect("the script is gone");
        std::os::unix::fs::symlink(program(), &path).expect("a link");
        let (_, _guard) = run_upgrade(self.fixture.gateway.dir());
        self.serves();
        assert!(self.fixture.gateway.wait(Duration::from_secs(10)).success());
    }
}

#[test]
fn while_a_new_process_hangs_the_running_gateway_serves_and_the_command_says_how_it_ended() {
    let hanging = Hanging::start();
    let (upgrade, process) = hanging.upgrade(Duration::from_secs(60));
    for _ in 0..10 {
        hanging.serves();
    }
    assert!(!upgrade.is_finished(), "the command waits for the new process");
    let killed = std::process::Command::new("kill").args(["-KILL", &process]).status();
    assert!(killed.expect("kill runs").success());
    let output = upgrade.join().expect("the command ends");
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("nothing has changed: the new process ended"), "{output:?}");
    hanging.serves();
    hanging.then_upgrades();
}

#[test]
fn only_a_process_that_the_gateway_has_started_can_take_over() {
    let mut fixture = start(|config| config);
    let path = fixture.gateway.dir().join("state/handover.sock");
    let reaches = || UnixStream::connect(&path);
    while reaches().is_err() {
        thread::sleep(Duration::from_millis(5));
    }
    let mode = std::fs::metadata(&path).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for (line, answer) in [("successor", "has started"), ("nonsense", "does not support")] {
        let mut stream = reaches().expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(format!("{line}\n").as_bytes()).expect("sent");
        let mut told = String::new();
        stream.read_to_string(&mut told).expect("an answer");
        assert!(told.starts_with("failed\n") && told.contains(answer), "{told}");
    }
    assert!(fixture.gateway.is_running());
}

#[test]
fn a_command_without_a_running_gateway_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = Config::bare().server("state_dir = \"state\"");
    std::fs::write(dir.path().join("gateway.toml"), config.text()).expect("gateway.toml");
    let output = run(dir.path(), &["upgrade"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("no gateway listens on"), "{output:?}");
}
