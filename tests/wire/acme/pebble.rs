//! Let's Encrypt's own test authority, Pebble.

use super::{DAY, Setup, wait_for, wait_for_use};
use crate::support::acme::{LONG, handshake, own_identity};
use crate::support::certificates::pem;
use crate::support::{Conn, Gateway, get};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program that ends with the test.
struct Program(Child);

impl Program {
    #[track_caller]
    fn start(command: &mut Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("a log");
        let second = log.try_clone().expect("a second handle");
        let child = command.stdin(Stdio::null()).stdout(log).stderr(second).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}. On Debian: apt-get install pebble")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns ports that nobody uses at the moment.
fn free<const N: usize>() -> [u16; N] {
    let bound = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    bound.map(|socket| socket.local_addr().expect("its address").port())
}

/// Downloads Pebble's root certificate, which is new at each start.
fn root(management: u16) -> Option<String> {
    let address = format!("127.0.0.1:{management}").parse().expect("an address");
    std::net::TcpStream::connect(address).ok()?;
    let answer = Conn::tls(address, &["http/1.1"]).request(get("/roots/0", &["Connection: close"]));
    (answer.code() == 200).then(|| String::from_utf8_lossy(answer.body()).into_owned())
}

#[test]
fn pebble_issues_and_renews() {
    let setup = Setup::new(DAY);
    let folder = setup.folder.path();
    let [port, management] = free();
    let dns = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").to_string();
    let identity = own_identity(&setup.authority);
    std::fs::write(folder.join("pebble.pem"), pem("CERTIFICATE", &identity.certificate)).expect("pebble.pem");
    std::fs::write(folder.join("pebble.key"), pem("PRIVATE KEY", &identity.key)).expect("pebble.key");
    // The gateway asks again and again until Pebble is there, which has to know the port of the gateway.
    let text = setup.config("renew_percent_left = 33").text();
    let text = text.replace(&setup.authority.directory(), &format!("https://localhost:{port}/dir"));
    let gateway = Gateway::start_text(&text, &[]);
    let config = serde_json::json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{port}"),
        "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": folder.join("pebble.pem"),
        "privateKey": folder.join("pebble.key"),
        "httpPort": 1,
        "tlsPort": gateway.tls().port(),
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
    } });
    std::fs::write(folder.join("pebble.json"), config.to_string()).expect("pebble.json");
    let mut names = Command::new("pebble-challtestsrv");
    names.args(["-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-dns01", &dns]);
    names.args(["-management", "127.0.0.1:0"]);
    let _names = Program::start(&mut names, &folder.join("names.log"));
    let mut pebble = Command::new("pebble");
    pebble.args(["-strict", "-dnsserver", &dns, "-config"]).arg(folder.join("pebble.json"));
    // A fifth of all nonces is refused, and validation does not sleep.
    pebble.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "20");
    let _pebble = Program::start(&mut pebble, &folder.join("pebble.log"));

    wait_for_use(&gateway);
    let started = Instant::now();
    let root = loop {
        match root(management) {
            Some(root) => break root,
            None => assert!(started.elapsed() < LONG, "Pebble has no root certificate"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let first = handshake(gateway.tls(), "a.test", &root).certificate().to_vec();
    // Its certificates live for five years: without the stored one, another is ordered with the same account.
    std::fs::remove_file(setup.file("a.test.pem")).expect("a.test.pem");
    gateway.rewrite(|text| text.replace("renew_percent_left = 33", "renew_percent_left = 34"));
    wait_for(&gateway, "new connections use the changed certificates", 2);
    assert_ne!(handshake(gateway.tls(), "a.test", &root).certificate(), first);
    assert_eq!(gateway.times_written("has an account for this gateway"), 1, "{}", gateway.written());
}
