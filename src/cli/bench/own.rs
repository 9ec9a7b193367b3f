//! A gateway for the time of a run: the same binary as another process, so that its processor time is its own.
//!
//! The parent tells it on its standard input what to change in the configuration; nothing of that is ever in the file.
//! It answers with its URL, and ends when its standard input does, that is, with the parent.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::arguments::Line;
use super::routes::Choice;
use crate::change::environment::read_config;
use crate::cli::client::secrets;
use crate::cli::failure::Failure;
use crate::config::{
    Access, AccessLog, AddressRules, Client, ClientAuthentication, ClientSecret, Config, Host, Issuer,
    Origin, Pattern, Place, Protocol, Scheme, SecretAuthentication, UpstreamServer, UpstreamTls,
};
use crate::gate::{Gate, GateSpec, SecretHash};
use crate::gateway::build;
use crate::gateway::{settings, start};
use crate::oauth::client::{Capabilities, ClientId};
use crate::oauth::scope::Scopes;
use crate::oauth::secret::Secret;
use crate::proxy::pipeline::Proxy;
use crate::server::Bound;

/// The id of the client that exists only there.
pub(super) const CLIENT: &str = "tollgate-bench";
/// Where the public twin of the protected route is.
const PUBLIC_PATH: &str = "/tollgate-bench/public";
/// Room for what the scenario `issuing` leaves.
const ROOM: u32 = 4_000_000;
/// Longer than any start; the first one makes a certificate.
const START: Duration = Duration::from_secs(20);
/// Far more than a gateway that does not start has to say.
const MAX_COMPLAINT: u64 = 64 * 1024;

/// The gateway; it ends when this is dropped.
pub(super) struct Own {
    child: Child,
    pub(super) url: String,
    pub(super) secret: Secret,
    /// The public route that was made for it.
    pub(super) public: Option<Choice>,
}

impl Own {
    /// Starts it before the API at `stand_in`, with a public twin of `route`.
    pub(super) fn start(path: &Path, stand_in: SocketAddr, route: Option<&Choice>) -> Result<Self, Failure> {
        let (secret, hash) = secrets::generate()?;
        let failed = |error: io::Error| Failure::other(format!("cannot start a gateway: {error}"));
        let mut child = Command::new(std::env::current_exe().map_err(failed)?)
            .args(["bench", "--as-gateway", "--config"])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the parent, which still has to read its figures.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let index = route.and_then(|route| route.index);
        let order = json!({ "stand_in": stand_in.to_string(), "hash": hash.to_phc(), "route": index });
        let outcome = tell(&mut child, &order);
        let public = route.filter(|route| route.index.is_some()).map(|route| Choice {
            line: Line { path: PUBLIC_PATH.to_owned(), ..route.line.clone() },
            ..route.clone()
        });
        // From here on, dropping it ends the child.
        let mut own = Self { child, url: String::new(), secret, public };
        own.url = outcome?;
        Ok(own)
    }

    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives the order and waits for the URL.
fn tell(child: &mut Child, order: &Value) -> Result<String, Failure> {
    let gone = || Failure::other("the gateway that was started is gone");
    // Not taken: it stays open as long as the gateway is wanted.
    let stdin = child.stdin.as_mut().ok_or_else(gone)?;
    // Why it did not read, it says on its standard error.
    let _ = writeln!(stdin, "{order}").and_then(|()| stdin.flush());
    let stdout = child.stdout.take().ok_or_else(gone)?;
    let (found, url) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let mut reader = BufReader::new(stdout);
        if matches!(reader.read_line(&mut line), Ok(1..)) {
            let _ = found.send(line.trim_end().to_owned());
        }
        drop(found);
        let _ = io::copy(&mut reader, &mut io::sink());
    });
    let mut stderr = child.stderr.take().ok_or_else(gone)?;
    let complaint = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = (&mut stderr).take(MAX_COMPLAINT).read_to_end(&mut text);
        let _ = io::copy(&mut stderr, &mut io::sink());
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    match url.recv_timeout(START) {
        Ok(url) => Ok(url),
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Err(Failure::other(format!(
            "the gateway that was started did not listen within {} s",
            START.as_secs()
        ))),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
            let _ = child.kill();
            let text = complaint.join().unwrap_or_default();
            Err(Failure::other(format!("a gateway of this configuration does not start:\n{text}")))
        }
    }
}

/// Is that gateway, until its standard input ends.
pub(super) fn serve(path: &Path) -> Result<(), Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(Failure::other)?;
    let order = Order::parse(&line)
        .ok_or_else(|| Failure::config("--as-gateway is for `tollgate bench --own`, not for people"))?;
    let mut config = read_config(path)?;
    order.apply(&mut config);
    let rules = build::rules(&config, None)?;
    let bound = Bound::bind(settings::server_options(&config)?).map_err(Failure::config)?;
    let address = bound.listeners().first().map(crate::server::Listener::addr);
    settings::name_issuer(&mut config, address);
    // Keys are not fetched: nobody in it has any.
    let gate = Gate::builder(GateSpec::from(&config))
        .max_tokens(usize::try_from(config.token_service.max_tokens.get()).unwrap_or(usize::MAX))
        .build()
        .map_err(Failure::other)?;
    let proxy: &'static Proxy = Box::leak(Box::new(Proxy::new(gate, rules)));
    let listener = config.server.listen.first().zip(address);
    let url = listener.map(|(listener, address)| Issuer::of_listener(listener.protocol.scheme(), address));
    let mut stdout = io::stdout();
    url.map_or(Ok(()), |url| writeln!(stdout, "{url}"))
        .and_then(|()| stdout.flush())
        .map_err(Failure::other)?;
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // Its requests are nobody's any more.
        std::process::exit(0);
    });
    let _ = start::serve(&config, bound, proxy);
    Ok(())
}

/// What is changed in the configuration.
struct Order {
    stand_in: SocketAddr,
    hash: SecretHash,
    route: Option<usize>,
}

impl Order {
    fn parse(line: &str) -> Option<Self> {
        let order: Value = serde_json::from_str(line).ok()?;
        Some(Self {
            stand_in: order.get("stand_in")?.as_str()?.parse().ok()?,
            hash: SecretHash::parse(order.get("hash")?.as_str()?).ok()?,
            route: order.get("route")?.as_u64().and_then(|route| usize::try_from(route).ok()),
        })
    }

    fn apply(self, config: &mut Config) {
        config.server.listen.truncate(1);
        for listener in &mut config.server.listen {
            listener.address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            listener.proxy_protocol = false;
        }
        config.server.access_log = AccessLog::Off;
        config.metrics = None;
        // A real API is not to be loaded by this.
        for upstream in &mut config.upstreams {
            upstream.servers.truncate(1);
            for server in &mut upstream.servers {
                let origin = Origin {
                    scheme: Scheme::Http,
                    host: Host::Address(self.stand_in.ip()),
                    port: self.stand_in.port(),
                };
                *server = UpstreamServer { origin, weight: server.weight, place: server.place };
            }
            upstream.protocol = Protocol::Http1;
            upstream.tls = UpstreamTls::default();
            upstream.health_check = None;
            upstream.max_in_flight = None;
        }
        for route in &mut config.routes {
            route.rate_limit = None;
            route.max_in_flight = None;
            route.addresses = AddressRules::default();
        }
        if let Some(route) = self.route.and_then(|index| config.routes.get(index)) {
            let mut twin = route.clone();
            twin.path = Pattern::path(PUBLIC_PATH).expect("the path is one");
            twin.access = Access::Public;
            twin.strip_prefix = None;
            config.routes.push(twin);
        }
        let token_service = &mut config.token_service;
        token_service.max_tokens =
            token_service.max_tokens.max(ROOM.try_into().unwrap_or(token_service.max_tokens));
        token_service.max_tokens_per_client = token_service.max_tokens;
        let client = client(config, self.hash);
        config.clients.push(client);
    }
}

/// A client that may do on the routes whatever a client may.
fn client(config: &Config, hash: SecretHash) -> Client {
    let place = Place { line: 0, column: 0 };
    let names: Vec<&str> = config.scopes.iter().map(|scope| &*scope.name).collect();
    let audiences = config.routes.iter().filter_map(|route| match &route.access {
        Access::Token { audience, .. } => audience.clone(),
        Access::Public => None,
    });
    Client {
        id: ClientId::new(CLIENT).expect("the id is one"),
        enabled: true,
        capabilities: Capabilities { client_credentials: true, introspection: false },
        scopes: Scopes::parse(&names.join(" ")).unwrap_or_else(|_| Scopes::none()),
        default_scopes: Scopes::none(),
        token_lifetime: config.token_service.token_lifetime,
        rate_limit: None,
        authentication: ClientAuthentication {
            secret: Some(SecretAuthentication {
                basic: true,
                post: true,
                secrets: vec![ClientSecret {
                    id: ClientSecret::DEFAULT_ID.to_owned(),
                    hash,
                    expires: None,
                    place,
                }],
            }),
            ..ClientAuthentication::default()
        },
        certificate_bound_tokens: false,
        dpop_bound_tokens: false,
        audiences: audiences.collect(),
        place,
    }
}
