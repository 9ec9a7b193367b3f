//! Certificates by ACME: the real program against an authority that validates it.

mod faults;
mod first;
mod pebble;
mod renewal;

use crate::support::acme::{AcmeAuthority, LONG};
use crate::support::{Config, Gateway, Upstream, get, run};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(86_400);

/// An authority, a folder for the state of gateways, and an upstream.
struct Setup {
    authority: AcmeAuthority,
    folder: TempDir,
    upstream: Upstream,
}

impl Setup {
    /// Starts an authority whose certificates live for this long.
    fn new(lifetime: Duration) -> Self {
        let (authority, folder) = (AcmeAuthority::start(lifetime), tempfile::tempdir().expect("a folder"));
        std::fs::write(folder.path().join("ca.pem"), authority.own_ca()).expect("ca.pem");
        Self { authority, folder, upstream: Upstream::start() }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Returns a configuration that orders a certificate for `a.test`, with more lines in the table.
    fn config(&self, lines: &str) -> Config {
        self.config_for("domains = [\"a.test\"]", lines)
    }

    fn config_for(&self, domains: &str, lines: &str) -> Config {
        let ca = self.folder.path().join("ca.pem");
        Config::bare()
            .listen("https://127.0.0.1:0")
            .server(&format!("state_dir = {:?}", self.state()))
            .upstream("api", self.upstream.address())
            .route("prefix = \"/\"\naccess = \"public\"\nupstream = \"api\"")
            .table("[metrics]\nlisten = \"http://127.0.0.1:0\"")
            .table(&format!(
                "[server.tls.acme]\nagree_to_terms = true\ndirectory = {:?}\ndirectory_ca = {ca:?}\nretry_after = \"1s\"\n\
                 {domains}\n{lines}",
                self.authority.directory()
            ))
    }

    /// Starts a gateway to which the domains lead.
    #[track_caller]
    fn start(&self, config: &Config) -> Gateway {
        let gateway = Gateway::start(config);
        self.authority.lead_to(gateway.tls());
        gateway
    }

    /// Returns the files of the gateway that have to do with the authority.
    fn files(&self) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.state().join("acme")).expect("state/acme").flatten();
        let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).expect("a folder").flatten());
        files.map(|file| file.path()).collect()
    }

    /// Returns the path of a file of the gateway.
    #[track_caller]
    fn file(&self, name: &str) -> PathBuf {
        let files = self.files();
        let found = files.iter().find(|path| path.file_name().is_some_and(|found| found == name));
        found.unwrap_or_else(|| panic!("{name} is not in {files:?}")).clone()
    }
}

/// Waits until the gateway has written a text more than `before` times.
#[track_caller]
fn wait_for(gateway: &Gateway, text: &str, before: usize) {
    let started = Instant::now();
    while gateway.times_written(text) <= before {
        assert!(started.elapsed() < LONG, "{text:?} is not written\n{}", gateway.written());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the gateway uses its first certificate.
#[track_caller]
fn wait_for_use(gateway: &Gateway) {
    wait_for(gateway, "new connections use the changed certificates", 0);
}

/// Returns what `tollgate state --json` says about the certificates.
#[track_caller]
fn state(dir: &Path) -> serde_json::Value {
    let output = run(dir, &["state", "--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let shown: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    shown["certificates"].clone()
}

fn hello() -> Vec<u8> {
    get("/hello", &[])
}
