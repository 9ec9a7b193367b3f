//! A gateway with the standard configuration in front of one upstream, shared by the tests that do not change
//! it.

use super::config::{SECRET, SERVER_SECRET};
use super::{Config, Conn, Gateway, TestResponse, Upstream, form, post_form, raw};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::OnceLock;

/// The token endpoint's path.
pub(crate) const TOKEN: &str = "/oauth/v2/oauth-token";
/// The introspection endpoint's path.
pub(crate) const INTROSPECT: &str = "/oauth/v2/oauth-introspect";
/// The revocation endpoint's path.
pub(crate) const REVOKE: &str = "/oauth/v2/oauth-revoke";

/// A gateway in front of an upstream.
pub(crate) struct Fixture {
    /// The gateway.
    pub(crate) gateway: Gateway,
    /// The upstream of all its routes.
    pub(crate) upstream: Upstream,
}

impl Fixture {
    /// Starts a gateway with the standard configuration, which `change` may extend.
    pub(crate) fn start(change: impl FnOnce(Config) -> Config) -> Self {
        let upstream = Upstream::start();
        let gateway = Gateway::start(&change(Config::standard(upstream.address())));
        Self { gateway, upstream }
    }

    /// Returns the address of the plain listener.
    #[track_caller]
    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.plain()
    }

    /// Connects to the plain listener.
    #[track_caller]
    pub(crate) fn connect(&self) -> Conn {
        Conn::plain(self.address())
    }

    /// Sends one request on a new connection.
    #[track_caller]
    pub(crate) fn raw(&self, bytes: impl AsRef<[u8]>) -> TestResponse {
        raw(self.address(), bytes)
    }

    /// Sends a token request with the client's credentials in the body.
    #[track_caller]
    pub(crate) fn ask_token(&self, client: &str, rest: &str) -> TestResponse {
        self.raw(post_form(TOKEN, &[], credentials(client) + "&grant_type=client_credentials" + rest))
    }

    /// Returns a new access token. An empty `scope` requests none.
    #[track_caller]
    pub(crate) fn token(&self, client: &str, scope: &str) -> String {
        let scope = if scope.is_empty() { String::new() } else { format!("&scope={}", form(scope)) };
        token_of(&self.ask_token(client, &scope))
    }

    /// Returns a complete `Authorization: Bearer` line with a new token.
    #[track_caller]
    pub(crate) fn bearer(&self, client: &str, scope: &str) -> String {
        format!("Authorization: Bearer {}", self.token(client, scope))
    }
}

/// Returns `client_id=…&client_secret=…` for a client of the standard configuration.
pub(crate) fn credentials(client: &str) -> String {
    let secret = if client == "server" { SERVER_SECRET } else { SECRET };
    format!("client_id={}&client_secret={}", form(client), form(secret))
}

/// Returns the access token of a successful response.
#[track_caller]
pub(crate) fn token_of(answer: &TestResponse) -> String {
    answer.status(200);
    answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("no access_token\n{answer}")).to_owned()
}

/// Starts a gateway with the gateway.toml of the repository, on ports chosen by the system.
#[track_caller]
pub(crate) fn shipped() -> Gateway {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.toml");
    let shipped = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    // The file names the port of the demo API twice, as its listener and as an upstream, so it cannot be 0.
    // Documents replace the port of the gateway by its real one, so that of the console cannot be 0 either.
    let bound = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [free, console] = bound.map(|socket| socket.local_addr().expect("its address"));
    let config = shipped
        .replace("https://127.0.0.1:8443\"", "https://127.0.0.1:0\"")
        .replace("127.0.0.1:9465", &console.to_string())
        .replace("127.0.0.1:9000", &free.to_string());
    assert!(config.contains("https://127.0.0.1:0\"") && config.contains(&free.to_string()), "{shipped}");
    let gateway = Gateway::start_text(&config, &[]);
    assert_eq!(gateway.demo, Some(free), "{}", gateway.written());
    gateway
}

/// The fixture that all modules share.
pub(crate) fn shared() -> &'static Fixture {
    static SHARED: OnceLock<Fixture> = OnceLock::new();
    SHARED.get_or_init(|| Fixture::start(|config| config.listen("https://127.0.0.1:0")))
}
