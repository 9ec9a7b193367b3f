//! The gateway.toml that most tests share, with hashes that are cheap to compute.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use std::fmt::Write;
use std::net::SocketAddr;

/// The names by which tests call the gateway, besides its issuer's.
const ORIGINS: &str =
    "public_origins = [\"http://localhost\", \"https://localhost\", \"https://localhost:8443\"]\n";

/// The secret of `server`: the tutorial's.
pub(crate) const SERVER_SECRET: &str = "Password1";
/// The secret of every other client except `special` and `rotating`.
pub(crate) const SECRET: &str = "0ther-S3cret-x7";
/// A client id that must be form-encoded in a Basic header (RFC 6749 §2.3.1).
pub(crate) const SPECIAL_ID: &str = "an app:with+100%&co=1";
/// A secret that must be form-encoded as well.
pub(crate) const SPECIAL_SECRET: &str = "p a+s%s&w=o:r/d?";

/// Returns an argon2id PHC string of `secret` with the cheapest parameters.
pub(crate) fn cheap_hash(secret: &str) -> String {
    hash(secret, 64, 1)
}

/// Returns an argon2id PHC string with realistic parameters.
pub(crate) fn hash(secret: &str, memory_kib: u32, passes: u32) -> String {
    let params = Params::new(memory_kib, passes, 1, None).expect("argon2 parameters");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password(secret.as_bytes()).expect("a hash").to_string()
}

/// A builder for a gateway.toml.
pub(crate) struct Config {
    listen: Vec<&'static str>,
    server: String,
    token_service: String,
    throttle: String,
    rest: String,
}

impl Config {
    /// Starts with one plain and one TLS listener on ports chosen by the system, three scopes, no client, no
    /// route.
    pub(crate) fn bare() -> Self {
        Self {
            listen: vec!["http://127.0.0.1:0"],
            server: String::new(),
            token_service: String::new(),
            // The table tests fail authentication far more often per minute than the default allows per
            // address.
            throttle: "throttle = { failures = 1000000, per = \"1m\" }\n".to_owned(),
            rest: "[scopes]\nread = \"Read\"\nwrite = \"Write\"\nadmin = \"Administer\"\n".to_owned(),
        }
    }

    /// Adds every client and route that the table tests need, with all routes to `upstream`.
    pub(crate) fn standard(upstream: SocketAddr) -> Self {
        let mut config = Self::bare().upstream("api", upstream);
        config = config
            .client("server", SERVER_SECRET, "scopes = [\"read\", \"write\"]")
            .client("other", SECRET, "scopes = [\"read\"]")
            .client("administrator", SECRET, "scopes = [\"admin\", \"read\", \"write\"]")
            .client("unscoped", SECRET, "scopes = []")
            .client("disabled", SECRET, "scopes = [\"read\"]\nenabled = false")
            .client(
                "defaulted",
                SECRET,
                "scopes = [\"read\", \"write\", \"admin\"]\ndefault_scopes = [\"write\", \"read\"]",
            )
            .client("brief", SECRET, "scopes = [\"read\"]\ntoken_lifetime = \"1s\"")
            .client("minute", SECRET, "scopes = [\"read\"]\ntoken_lifetime = \"1m\"")
            .client(&format!("\"{SPECIAL_ID}\""), SPECIAL_SECRET, "scopes = [\"read\"]")
            .client_with("nocap", SECRET, "[]", "scopes = [\"read\"]")
            .client_with(
                "introspector",
                SECRET,
                "[\"introspection\", \"client_credentials\"]",
                "scopes = []",
            );
        let (old, new) = (cheap_hash("expired-secret"), cheap_hash("current-secret"));
        write!(
            config.rest,
            "[clients.rotating]\nsecrets = [{{ id = \"old\", hash = \"{old}\", expires = 2020-01-01T00:00:00Z }}, \
             {{ id = \"new\", hash = \"{new}\" }}]\ncapabilities = [\"client_credentials\"]\nscopes = [\"read\"]\n"
        )
        .expect("write to a string");
        config
            .route("path = \"/hello\"\nscopes = [\"read\"]\nupstream = \"api\"")
            .route("path = \"/write\"\nscopes = [\"write\"]\nupstream = \"api\"")
            .route("path = \"/both\"\nscopes = [\"read\", \"write\"]\nupstream = \"api\"")
            .route("path = \"/any\"\nany_scope = [\"write\", \"admin\"]\nupstream = \"api\"")
            .route("path = \"/authenticated\"\nupstream = \"api\"")
            .route("path = \"/get-only\"\nmethods = [\"GET\", \"HEAD\"]\nscopes = [\"read\"]\nupstream = \"api\"")
            .route("path = \"/users/{name}\"\nscopes = [\"read\"]\nupstream = \"api\"")
            .route("path = \"/users/me\"\nscopes = [\"admin\"]\nupstream = \"api\"")
            .route("path = \"/hello\"\nhost = \"api.example.test\"\nscopes = [\"admin\"]\nupstream = \"api\"")
            .route("prefix = \"/api\"\nscopes = [\"read\"]\nupstream = \"api\"")
            .route("prefix = \"/v1/orders\"\nstrip_prefix = \"/v1\"\nscopes = [\"read\"]\nupstream = \"api\"")
            .route("prefix = \"/public\"\naccess = \"public\"\nupstream = \"api\"")
            .route("path = \"/keep\"\nforward_token = true\nscopes = [\"read\"]\nupstream = \"api\"")
            .route("prefix = \"/semi\"\nallow_semicolon = true\nscopes = [\"read\"]\nupstream = \"api\"")
            .route("prefix = \"/slash\"\nallow_encoded_slash = true\nscopes = [\"read\"]\nupstream = \"api\"")
    }

    /// Adds a listener: a URL, or a table.
    pub(crate) fn listen(mut self, url: &'static str) -> Self {
        self.listen.push(url);
        self
    }

    /// Adds lines to `[token_service]`.
    pub(crate) fn token_service(mut self, lines: &str) -> Self {
        writeln!(self.token_service, "{lines}").expect("write to a string");
        self
    }

    /// Replaces the throttle, which the table tests disable.
    pub(crate) fn throttle(mut self, line: &str) -> Self {
        self.throttle = format!("{line}\n");
        self
    }

    /// Adds an upstream with one server.
    pub(crate) fn upstream(self, name: &str, address: SocketAddr) -> Self {
        self.table(&format!("[upstreams.{name}]\nservers = [\"http://{address}\"]"))
    }

    /// Adds a client that may use the client credentials flow.
    pub(crate) fn client(self, name: &str, secret: &str, lines: &str) -> Self {
        self.client_with(name, secret, "[\"client_credentials\"]", lines)
    }

    /// Adds a client with these capabilities.
    pub(crate) fn client_with(self, name: &str, secret: &str, capabilities: &str, lines: &str) -> Self {
        let hash = cheap_hash(secret);
        self.table(&format!("[clients.{name}]\nsecret = \"{hash}\"\ncapabilities = {capabilities}\n{lines}"))
    }

    /// Adds a route.
    pub(crate) fn route(self, lines: &str) -> Self {
        self.table(&format!("[[routes]]\n{lines}"))
    }

    /// Adds another table, including its header.
    pub(crate) fn table(mut self, lines: &str) -> Self {
        writeln!(self.rest, "{lines}").expect("write to a string");
        self
    }

    /// Adds lines to `[server]`.
    pub(crate) fn server(mut self, lines: &str) -> Self {
        writeln!(self.server, "{lines}").expect("write to a string");
        self
    }

    /// Returns the text of the file.
    pub(crate) fn text(&self) -> String {
        // A table is written without quotes.
        let value = |url: &&str| if url.starts_with('{') { (*url).to_owned() } else { format!("{url:?}") };
        let listen: Vec<String> = self.listen.iter().map(value).collect();
        format!(
            "[server]\nlisten = [{}]\nthreads = 1\n{}\n[token_service]\nissuer = \"https://issuer.example.test\"\n{ORIGINS}{}{}\n{}",
            listen.join(", "),
            self.server,
            self.token_service,
            self.throttle,
            self.rest
        )
    }
}
