//! The listener for operators: its API, its pages, and what protects them.

mod api;
mod changes;
mod commands;
mod figures;
mod guard;
mod listener;
mod registered;
mod sessions;
mod shadow;

use crate::support::{Config, Fixture, TestResponse, get, raw};
use std::net::SocketAddr;

/// A gateway with a listener for operators.
pub(super) struct Admin {
    pub(super) fixture: Fixture,
    pub(super) address: SocketAddr,
}

/// The clients that use the API, with the secret of the other clients.
const CLIENTS: [(&str, &str); 2] = [
    ("reader", "scopes = [\"tollgate:admin.read\"]"),
    ("writer", "scopes = [\"tollgate:admin.write\", \"tollgate:admin.read\"]"),
];

impl Admin {
    /// Starts a gateway with the standard configuration and these lines in `[admin]`.
    #[track_caller]
    pub(super) fn start(lines: &str) -> Self {
        Self::start_with(lines, |config| config)
    }

    /// Starts the same gateway with further lines in the configuration.
    #[track_caller]
    pub(super) fn start_with(lines: &str, change: impl FnOnce(Config) -> Config) -> Self {
        let fixture = Fixture::start(|config| {
            let config = CLIENTS.iter().fold(config, |config, (id, scopes)| {
                config.client(id, crate::support::config::SECRET, scopes)
            });
            change(config.table(&format!("[admin]\nlisten = \"http://127.0.0.1:0\"\n{lines}")))
        });
        fixture.gateway.wait_for("console http://");
        let address = address(&fixture.gateway.written());
        Self { fixture, address }
    }

    /// Sends a GET with these lines.
    #[track_caller]
    pub(super) fn get(&self, target: &str, fields: &[&str]) -> TestResponse {
        raw(self.address, self.request("GET", target, fields, ""))
    }

    /// Builds a request with the host of the listener.
    pub(super) fn request(&self, method: &str, target: &str, fields: &[&str], body: &str) -> String {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let length = if body.is_empty() && method == "GET" {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n{length}{fields}\r\n{body}", self.address)
    }

    /// Returns an `Authorization` line with a token of one of the API's clients.
    #[track_caller]
    pub(super) fn bearer(&self, client: &str) -> String {
        let scope = if client == "reader" {
            "tollgate:admin.read"
        } else {
            "tollgate:admin.write tollgate:admin.read"
        };
        self.fixture.bearer(client, scope)
    }

    /// Asks the API for JSON.
    #[track_caller]
    pub(super) fn api(&self, target: &str) -> serde_json::Value {
        let bearer = self.bearer("reader");
        let response = self.get(&format!("/api/v1{target}"), &[&bearer]);
        response.status(200);
        response.json()
    }
}

/// Returns the address of the listener, which the gateway prints.
#[track_caller]
pub(super) fn address(written: &str) -> SocketAddr {
    let line = written.lines().find_map(|line| line.split_once("console http://").map(|(_, rest)| rest));
    let line = line.unwrap_or_else(|| panic!("no console\n{written}"));
    line.split([' ', '/']).next().and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{line}"))
}

#[test]
fn there_is_no_listener_unless_it_is_configured() {
    let fixture = Fixture::start(|config| config);
    assert!(!fixture.gateway.written().contains("console"), "{}", fixture.gateway.written());
    fixture.raw(get("/sign-in", &[])).problem(404);
}
