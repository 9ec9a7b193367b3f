//! One gateway.toml for all mounts. The binary runs it, and the gate of the other mounts is built from it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tollgate::clock::ManualClock;
use tollgate::config::Config;
use tollgate::gate::Gate;

use crate::support::config::cheap_hash;

/// The secret of every client.
pub(crate) const SECRET: &str = "0ther-S3cret-x7";

/// The file before the tokens are issued, and after.
pub(crate) struct Files {
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Files {
    /// Every route has the same upstream. In the file after, one client is removed and one disabled.
    pub(crate) fn new(upstream: &str, client_ca: &Path) -> Self {
        let hash = cheap_hash(SECRET);
        let client = |name: &str, lines: &str| {
            format!(
                "[clients.{name}]\nsecret = {hash:?}\ncapabilities = [\"client_credentials\"]\n\
                 scopes = [\"read\", \"write\"]\n{lines}\n"
            )
        };
        let departed = client("departed", "");
        let text = |disabled: &str, departed: &str| {
            let clients = [
                client(
                    "server",
                    "audiences = [\"https://orders.example.com\", \"https://bills.example.com\"]",
                ),
                client("brief", "token_lifetime = \"1s\""),
                client("revoked", ""),
                client("certified", "certificate_bound_tokens = true"),
                client("disabled", disabled),
                format!(
                    "[clients.api]\nsecret = {hash:?}\ncapabilities = [\"introspection\"]\nscopes = []\n"
                ),
            ];
            format!(
                r#"
                [server]
                listen = ["https://127.0.0.1:0"]
                threads = 1
                [server.tls]
                client_ca = {client_ca:?}
                [token_service]
                issuer = "https://api.example.com"
                throttle = {{ failures = 1000000, per = "1m" }}
                [scopes]
                read = "Read"
                write = "Write"
                admin = "Administer"
                [upstreams.api]
                servers = ["http://{upstream}"]
                {}{departed}
                [[routes]]
                path = "/orders"
                scopes = ["read"]
                upstream = "api"
                [[routes]]
                path = "/both"
                scopes = ["read", "write"]
                upstream = "api"
                [[routes]]
                path = "/either"
                any_scope = ["admin", "write"]
                upstream = "api"
                [[routes]]
                path = "/authenticated"
                upstream = "api"
                [[routes]]
                path = "/resource"
                audience = "https://orders.example.com"
                scopes = ["read"]
                upstream = "api"
                [[routes]]
                path = "/public"
                access = "public"
                upstream = "api"
                "#,
                clients.concat()
            )
        };
        Self { before: text("", &departed), after: text("enabled = false", "") }
    }
}

/// Returns the specification of a gate inside a program, without files and listeners.
pub(crate) fn config(text: &str) -> Config {
    Config::parse(text, Path::new("gateway.toml"), Path::new("."), &|_| None)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

/// Returns a gate whose clock the test advances. It starts with the real time, because proofs contain that.
pub(crate) fn gate(files: &Files) -> (Gate, Arc<ManualClock>) {
    let unix_time = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let clock = Arc::new(ManualClock::new(Duration::from_secs(unix_time.as_secs())));
    let gate = Gate::builder(&config(&files.before)).clock(Arc::<ManualClock>::clone(&clock));
    (gate.hashing_threads(1).build().expect("a gate"), clock)
}
