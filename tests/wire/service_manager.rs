//! What a service manager sees and gives: notifications, a watchdog, and sockets that it has opened.

use crate::support::{Config, Fixture, Gateway, Upstream, get, raw};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// The socket on which a service manager receives notifications.
struct Manager {
    socket: UnixDatagram,
    dir: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(dir.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        Self { socket, dir }
    }

    fn path(&self) -> String {
        self.dir.path().join("notify").display().to_string()
    }

    /// Returns the next notification that is not a sign of life.
    #[track_caller]
    fn next(&self) -> Vec<String> {
        loop {
            let lines = self.any();
            if lines != ["WATCHDOG=1"] {
                return lines;
            }
        }
    }

    #[track_caller]
    fn any(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("a notification");
        String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_service_manager_learns_of_the_start_of_reloads_and_of_the_end() {
    let (manager, upstream) = (Manager::new(), Upstream::start());
    let config = Config::standard(upstream.address());
    let mut gateway = Gateway::start_text(&config.text(), &[("NOTIFY_SOCKET", &manager.path())]);
    let ready = manager.next();
    assert_eq!(ready[0], "READY=1", "{ready:?}");
    assert!(ready[1].starts_with("STATUS=serving "), "{ready:?}");

    gateway.signal("HUP");
    let reloading = manager.next();
    assert_eq!(reloading[0], "RELOADING=1", "{reloading:?}");
    let time = reloading[1].strip_prefix("MONOTONIC_USEC=").map(str::parse::<u64>);
    assert!(matches!(time, Some(Ok(1..))), "{reloading:?}");
    assert_eq!(manager.next(), ready);

    gateway.rewrite(|_| "nonsense".to_owned());
    gateway.signal("HUP");
    assert_eq!(manager.next()[0], "RELOADING=1");
    let kept = manager.next();
    assert_eq!(kept[0], "READY=1", "the old configuration serves: {kept:?}");
    assert!(kept[1].contains("has errors"), "{kept:?}");

    gateway.signal("TERM");
    // The change of the file may be noticed a second time.
    let stopping = std::iter::repeat_with(|| manager.next()).find(|lines| lines[0] == "STOPPING=1");
    assert!(stopping.is_some());
    assert!(gateway.wait(Duration::from_secs(10)).success());
}

#[test]
fn a_watchdog_gets_signs_of_life_and_another_processs_watchdog_gets_none() {
    let (manager, upstream) = (Manager::new(), Upstream::start());
    let config = Config::standard(upstream.address()).text();
    let path = manager.path();
    let environment = [("NOTIFY_SOCKET", &*path), ("WATCHDOG_USEC", "400000")];
    let gateway = Gateway::start_text(&config, &environment);
    assert_eq!(manager.next()[0], "READY=1");
    for _ in 0..3 {
        assert_eq!(manager.any(), ["WATCHDOG=1"]);
    }
    drop(gateway);
    let manager = Manager::new();
    let path = manager.path();
    let environment = [("NOTIFY_SOCKET", &*path), ("WATCHDOG_USEC", "400000"), ("WATCHDOG_PID", "1")];
    let gateway = Gateway::start_text(&config, &environment);
    assert_eq!(manager.any()[0], "READY=1");
    gateway.signal("TERM");
    assert_eq!(manager.any()[0], "STOPPING=1");
}

#[test]
fn a_socket_of_the_service_manager_serves_the_listener_with_its_address() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("its address");
    let upstream = Upstream::start();
    let config = Config::standard(upstream.address()).text();
    let config = config.replace("127.0.0.1:0\"", &format!("{address}\""));
    // A second socket that listens on the address would be refused, so this is the one that was passed on.
    let gateway = Gateway::start_with_socket(&config, socket);
    assert_eq!(gateway.plain(), address);
    for _ in 0..8 {
        raw(address, get("/", &[])).status(404);
    }
}

#[test]
fn a_socket_of_the_service_manager_that_no_listener_names_is_reported_and_closed() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("its address");
    let upstream = Upstream::start();
    let config = Config::standard(upstream.address()).text();
    let config = config.replace("127.0.0.1:0\"", "127.0.0.2:0\"");
    let gateway = Gateway::start_with_socket(&config, socket);
    gateway.wait_for(&format!("the socket on {address} that was passed on is closed"));
    assert!(std::net::TcpStream::connect(address).is_err());
    raw(gateway.plain(), get("/", &[])).status(404);
}

#[test]
fn a_descriptor_that_is_not_a_socket_prevents_the_start() {
    let fixture = Fixture::start(|config| config);
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "exec 3</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" run"])
        .arg(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(fixture.gateway.dir());
    let output = crate::support::program::finish(command, Duration::from_secs(10));
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("LISTEN_FDS"), "{output:?}");
}
