//! Redis servers as child processes, on free ports of the loopback interface.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tollgate::store::EngineAddress;

/// The server program that most tests use.
const REDIS: &str = "redis-server";
/// The time allowed for a start.
const START: Duration = Duration::from_secs(20);

/// A server, killed on drop.
pub(super) struct Engine {
    port: u16,
    program: String,
    arguments: Vec<String>,
    child: Child,
    dir: TempDir,
}

impl Engine {
    /// Starts a server that keeps nothing on disk.
    pub(super) fn start(arguments: &[&str]) -> Self {
        Self::start_program(REDIS, arguments)
    }

    /// Starts a sentinel that knows a primary by the name `tollgate`.
    pub(super) fn start_sentinel(primary: &Self) -> Self {
        Self::start_sentinel_of(REDIS, "tollgate", primary.port, Duration::from_millis(500))
    }

    /// Starts a sentinel that knows the primary at a port by a name, and that promotes a replica if the
    /// primary does not respond for `down_after`. Sentinels that know it by different names do not talk to
    /// each other.
    pub(super) fn start_sentinel_of(program: &str, name: &str, port: u16, down_after: Duration) -> Self {
        let monitor = format!(
            "sentinel monitor {name} 127.0.0.1 {port} 1\nsentinel down-after-milliseconds {name} {}\n\
             sentinel failover-timeout {name} 3000\n",
            down_after.as_millis()
        );
        Self::start_in(program, &["--sentinel"], |dir| {
            std::fs::write(dir.join("sentinel.conf"), monitor).expect("sentinel.conf");
        })
    }

    /// Starts a program that takes the arguments of `redis-server`.
    pub(super) fn start_program(program: &str, arguments: &[&str]) -> Self {
        Self::start_in(program, arguments, |_| {})
    }

    fn start_in(program: &str, arguments: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::Builder::new().prefix("tollgate-engine-").tempdir().expect("a folder");
        prepare(dir.path());
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        // Another process may take the port before the server does.
        for _ in 0..20 {
            let port = free_port();
            if let Some(child) = spawn(program, port, &arguments, dir.path()) {
                return Self { port, program: program.to_owned(), arguments, child, dir };
            }
        }
        panic!("{program} does not start");
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn address(&self) -> EngineAddress {
        EngineAddress::Tcp { host: "127.0.0.1".to_owned(), port: self.port }
    }

    /// Sends a signal.
    pub(super) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill runs").success(), "kill -{name}");
    }

    /// Ends the server at once.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts the server again, on the same port. It has forgotten everything.
    pub(super) fn restart(&mut self) {
        self.kill();
        let deadline = Instant::now() + START;
        loop {
            if let Some(child) = spawn(&self.program, self.port, &self.arguments, self.dir.path()) {
                self.child = child;
                return;
            }
            assert!(Instant::now() < deadline, "{} does not start again", self.program);
        }
    }

    /// Runs a command, and returns its answer as text.
    #[track_caller]
    pub(super) fn run(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(command)
            .output()
            .expect("redis-cli runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Waits until the answer to a command contains `text`.
    #[track_caller]
    pub(super) fn wait_for(&self, command: &[&str], text: &str) {
        let deadline = Instant::now() + START;
        loop {
            let answer = self.run(command);
            if answer.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "{command:?} does not answer {text:?} but {answer}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A cluster of three primaries.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Engine>,
}

impl Cluster {
    pub(super) fn start() -> Self {
        Self::start_with(0)
    }

    /// Starts a cluster in which each primary has this number of replicas.
    pub(super) fn start_with(replicas: usize) -> Self {
        Self::start_program(REDIS, replicas)
    }

    /// Like `start_with`, with a program that takes the arguments of `redis-server`.
    pub(super) fn start_program(program: &str, replicas: usize) -> Self {
        let arguments =
            ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0"];
        let count = 3 * (1 + replicas);
        let nodes: Vec<Engine> = (0..count).map(|_| Engine::start_program(program, &arguments)).collect();
        let mut create = Command::new("redis-cli");
        create
            .args(["--cluster", "create"])
            .args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
        let created = create
            .args(["--cluster-replicas", &replicas.to_string(), "--cluster-yes"])
            .output()
            .expect("redis-cli runs");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        for node in &nodes {
            node.wait_for(&["CLUSTER", "INFO"], "cluster_state:ok");
        }
        let is_replica = |node: &&Engine| node.run(&["INFO", "replication"]).contains("role:slave");
        for node in nodes.iter().filter(is_replica) {
            node.wait_for(&["INFO", "replication"], "master_link_status:up");
        }
        Self { nodes }
    }

    /// Returns which of the nodes answers for a key.
    pub(super) fn owner(&self, key: &str) -> Option<usize> {
        self.nodes.iter().position(|node| {
            let answer = node.run(&["EXISTS", key]);
            answer == "0" || answer == "1"
        })
    }

    pub(super) fn addresses(&self) -> Vec<EngineAddress> {
        self.nodes.iter().map(Engine::address).collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Only SIGKILL ends a stopped process.
        self.kill();
    }
}

/// Returns a port that is free at the moment. Its cluster port, which is 10,000 higher, has to exist.
pub(super) fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        if port < 55_000 {
            return port;
        }
    }
}

/// Returns the server program of Valkey: the one that `VALKEY_SERVER` names, or the one that is installed.
/// Debian has it from version 13 on, and in the backports of version 12.
pub(super) fn valkey() -> Option<String> {
    let named = std::env::var("VALKEY_SERVER").ok();
    let program = named.clone().unwrap_or_else(|| "valkey-server".to_owned());
    let version = Command::new(&program).arg("--version").stderr(Stdio::null()).output();
    let is_there = version.is_ok_and(|version| version.status.success());
    assert!(is_there || named.is_none(), "VALKEY_SERVER={program} does not run");
    is_there.then_some(program)
}

/// Starts a server, and returns it once it accepts connections. Returns `None` if the port is taken.
fn spawn(program: &str, port: u16, arguments: &[String], dir: &Path) -> Option<Child> {
    let sentinel = arguments.iter().any(|argument| argument == "--sentinel");
    let mut command = Command::new(program);
    if sentinel {
        command.arg("sentinel.conf");
    }
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(if sentinel { &[][..] } else { &["--save", "", "--appendonly", "no"][..] })
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("{program} does not run ({error}): install it, `apt-get install redis-server`")
    });
    let stdout = child.stdout.take().expect("stdout");
    let (ready, started) = mpsc::channel();
    thread::spawn(move || {
        // It is read to the end, so that the server never waits for its log.
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if line.contains("eady to accept connections") || line.contains("Sentinel ID is") {
                let _ = ready.send(());
            }
        }
    });
    if started.recv_timeout(START).is_ok() {
        return Some(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}
