//! Finds or starts the gateway that is measured, and lists its scenarios.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::access::reach;
use crate::bench::connect::Destination;
use crate::bench::cpu::Process;
use crate::bench::error::BenchError;
use crate::bench::plan::{Plan, Wanted};
use crate::bench::routes::{self, Choice};
use crate::bench::scenario::Kind;
use crate::bench::stand_in;
use crate::bench::temporary::{self, TemporaryGateway};
use crate::change::environment::read_config;
use crate::config::{Config, Host, Origin, Scheme, ShownDuration, grouped};
use crate::gateway_client::{DEFAULT_TOKEN_PATH, Endpoint, gateway_trust, sole_client};
use crate::http_client::Trust;
use crate::oauth::secret::Secret;

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The gateway that is measured.
pub(crate) struct Gateway {
    pub(crate) origin: Origin,
    pub(crate) destination: Destination,
    /// The same destination over HTTP/1.1.
    pub(crate) plain: Destination,
    pub(crate) trust: Trust,
    /// The process, if the gateway was started for the measurement.
    pub(crate) temporary: Option<TemporaryGateway>,
    pub(crate) process: Option<Process>,
    pub(crate) client: Option<(String, Secret)>,
    pub(crate) protected: Option<Choice>,
    pub(crate) public: Option<Choice>,
    pub(crate) scope: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) token_path: String,
    pub(crate) revocation_path: Option<String>,
    /// The scenarios, in the order in which they are measured.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) notes: Vec<String>,
}

impl Gateway {
    /// Finds the running gateway that the plan means, or starts a temporary one. `ask_secret` returns the
    /// secret of a client, and is called only if tokens are needed.
    ///
    /// # Errors
    /// Fails if the gateway is not found, or if it cannot be measured as planned.
    pub(crate) fn find(
        path: &Path,
        plan: &Plan,
        ask_secret: impl FnOnce(&str) -> Result<Secret, BenchError>,
    ) -> Result<Self, BenchError> {
        let config = match read_config(path) {
            Ok(config) => Some(config),
            // A machine that only runs the benchmark needs no gateway.toml.
            Err(_) if matches!(plan.wanted, Wanted::Url(_)) && !path.exists() => None,
            Err(errors) => return Err(errors.into()),
        };
        match (running(config.as_ref(), plan)?, config) {
            (Some((origin, address)), config) => {
                Self::running((origin, address), config.as_ref(), plan, ask_secret)
            }
            (None, Some(config)) => Self::temporary(path, &config, plan),
            (None, None) => Err(BenchError::usage("a temporary gateway needs a configuration")),
        }
    }

    fn running(
        (origin, address): (Origin, SocketAddr),
        config: Option<&Config>,
        plan: &Plan,
        ask_secret: impl FnOnce(&str) -> Result<Secret, BenchError>,
    ) -> Result<Self, BenchError> {
        let id = match &plan.client {
            Some(id) => Some(id.clone()),
            None if asks_for_tokens(plan) => Some(sole_client(config).map_err(BenchError::usage)?),
            None => None,
        };
        let client = id.as_deref().and_then(|id| config?.client(id));
        let protected = match &plan.route {
            Some(line) => Some(routes::named(config, line, false)?),
            None => config.and_then(|config| routes::protected(config, client)),
        };
        let public = match &plan.public_route {
            Some(line) => Some(routes::named(config, line, true)?),
            None => config.and_then(routes::public),
        };
        let mut notes = Vec::new();
        // Invalid tokens fill the logs of a gateway that others use, so that scenario has to be named.
        let kinds = kinds(plan, protected.as_ref(), public.as_ref(), false, &mut notes)?;
        if !plan.remote
            && let Some(config) = config
        {
            let chosen = [(&protected, Kind::Protected), (&public, Kind::Public)];
            for (choice, kind) in chosen {
                let is_used = kinds.iter().any(|used| (*used == Kind::Public) == (kind == Kind::Public));
                if let Some(choice) = choice.as_ref().filter(|_| is_used) {
                    refuse_remote_api(config, choice)?;
                }
            }
        }
        let secret = match id {
            Some(id) if kinds.iter().any(|kind| kind.needs_tokens() || *kind == Kind::Issuing) => {
                let secret = ask_secret(&id)?;
                Some((id, secret))
            }
            _ => None,
        };
        let trust = match &plan.ca {
            Some(file) => Trust { certificates: vec![file.clone()], ..Trust::default() },
            None => gateway_trust(config, plan.insecure),
        };
        let process = address.ip().is_loopback().then(|| Process::listening_on(address)).flatten();
        let route = protected.as_ref().and_then(|choice| config?.routes.get(choice.index?));
        let (scope, audience) = route.map_or((None, None), |route| reach::needs(route, client));
        Ok(Self {
            destination: destination(&origin, address, &trust, plan.http2)?,
            plain: destination(&origin, address, &trust, false)?,
            origin,
            trust,
            temporary: None,
            process,
            client: secret,
            protected,
            public,
            scope: scopes(plan).or(scope),
            audience,
            token_path: config.map_or(DEFAULT_TOKEN_PATH, |config| Endpoint::Token.path(config)).to_owned(),
            revocation_path: config.map(|config| Endpoint::Revocation.path(config).to_owned()),
            kinds,
            notes,
        })
    }

    fn temporary(path: &Path, config: &Config, plan: &Plan) -> Result<Self, BenchError> {
        let protected = match &plan.route {
            Some(line) => Some(routes::named(Some(config), line, false)?),
            None => routes::protected(config, None),
        };
        let stand_in = stand_in::start(plan.threads)
            .map_err(|error| BenchError::failed(format!("cannot start the stand-in API: {error}")))?;
        let gateway = TemporaryGateway::start(path, stand_in, protected.as_ref())?;
        let origin = Origin::parse(&gateway.url)
            .map_err(|error| BenchError::failed(format!("the temporary gateway: {} {error}", gateway.url)))?;
        let public = gateway.public.clone().or_else(|| routes::public(config));
        let mut notes = Vec::new();
        if plan.wanted == Wanted::RunningOrTemporary
            && let Some(url) = Endpoint::Token.url(config)
        {
            let origin = url.strip_suffix(Endpoint::Token.path(config)).unwrap_or(&url);
            notes.push(format!("Nothing listens at {origin}, so a temporary gateway was measured."));
        }
        let kinds = kinds(plan, protected.as_ref(), public.as_ref(), true, &mut notes)?;
        let route = protected.as_ref().and_then(|choice| config.routes.get(choice.index?));
        let (scope, audience) = route.map_or((None, None), |route| reach::needs(route, None));
        // The gateway is a child process of this one, on the port that it reported.
        let trust = Trust { insecure: true, ..Trust::default() };
        let address = SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, origin.port));
        Ok(Self {
            destination: destination(&origin, address, &trust, plan.http2)?,
            plain: destination(&origin, address, &trust, false)?,
            origin,
            trust,
            process: Some(Process { id: gateway.process() }),
            client: Some((temporary::CLIENT.to_owned(), Secret::new(gateway.secret.expose()))),
            temporary: Some(gateway),
            protected,
            public,
            scope: scopes(plan).or(scope),
            audience,
            token_path: Endpoint::Token.path(config).to_owned(),
            revocation_path: None,
            kinds,
            notes,
        })
    }

    /// Describes what is measured, before the measurement.
    pub(crate) fn heading(&self, plan: &Plan) -> String {
        let which = match self.temporary {
            Some(_) => "a temporary gateway of this configuration, in front of a stand-in API",
            None => "a running gateway",
        };
        let routes = [&self.protected, &self.public];
        let route =
            routes.into_iter().flatten().next().map(|choice| choice.text() + " at ").unwrap_or_default();
        let protocol = if plan.http2 { "HTTP/2" } else { "HTTP/1.1" };
        let tls = if self.origin.scheme == Scheme::Https { " over TLS" } else { "" };
        let plural = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{} {what}s", grouped(count as u64)),
        };
        format!(
            "{route}{}: {which}\n{} at once from {}, {protocol}{tls}, {} in turn, {} for each in {}",
            self.origin,
            plural(plan.connections, "request"),
            plural(plan.threads, "thread"),
            plural(plan.tokens, "token"),
            ShownDuration(plan.duration),
            plural(plan.rounds, "round"),
        )
    }

    /// Returns the URL of a path at the gateway.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Returns the host and port of the gateway.
    pub(crate) fn authority(&self) -> String {
        let origin = self.origin.to_string();
        origin.split_once("://").map_or("", |(_, authority)| authority).to_owned()
    }
}

fn scopes(plan: &Plan) -> Option<String> {
    (!plan.scopes.is_empty()).then(|| plan.scopes.join(" "))
}

fn asks_for_tokens(plan: &Plan) -> bool {
    [Kind::Protected, Kind::Issuing, Kind::Fixed].into_iter().any(|kind| plan.wants(kind))
}

/// Returns the running gateway that the plan means, or `None` for a temporary one.
fn running(config: Option<&Config>, plan: &Plan) -> Result<Option<(Origin, SocketAddr)>, BenchError> {
    let (url, must) = match &plan.wanted {
        Wanted::Temporary => return Ok(None),
        Wanted::Url(url) => (url.clone(), true),
        Wanted::RunningOrTemporary => match config.and_then(|config| Endpoint::Token.url(config)) {
            Some(url) => (url, false),
            None => return Ok(None),
        },
    };
    let (origin, rest) = Origin::parse_with_rest(&url)
        .map_err(|error| BenchError::usage(format!("--url {url} is not the URL of a gateway: it {error}")))?;
    if must && !matches!(rest, "" | "/") {
        return Err(BenchError::usage(
            "--url is the gateway's origin, without a path: --route names the route",
        ));
    }
    let addresses = addresses(&origin).map_err(|error| {
        BenchError::failed(format!("cannot find the address of {}: {error}", origin.host))
    })?;
    if !plan.remote
        && let Some(remote) = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback())
    {
        return Err(BenchError::usage(format!(
            "{origin} ({}) is not on the loopback of this machine. A benchmark uses all of the gateway's capacity: other \
             clients wait, and the API gets every request. --remote measures it anyway; --own measures a temporary \
             gateway of the same configuration here.",
            remote.ip()
        )));
    }
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(_) => return Ok(Some((origin, address))),
            Err(error) => failure = error,
        }
    }
    if must {
        return Err(BenchError::failed(format!(
            "cannot connect to {origin}: {failure} (is the gateway running?)"
        )));
    }
    Ok(None)
}

fn addresses(origin: &Origin) -> io::Result<Vec<SocketAddr>> {
    match &origin.host {
        Host::Address(ip) => Ok(vec![SocketAddr::new(*ip, origin.port)]),
        Host::Name(name) => Ok((&**name, origin.port).to_socket_addrs()?.collect()),
    }
}

/// Returns the scenarios of the plan that can be measured.
fn kinds(
    plan: &Plan,
    protected: Option<&Choice>,
    public: Option<&Choice>,
    temporary: bool,
    notes: &mut Vec<String>,
) -> Result<Vec<Kind>, BenchError> {
    let mut kinds = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| plan.wants(*kind)) {
        let missing = match kind {
            Kind::Public if public.is_none() => "no public route for GET (--public-route names another one)",
            Kind::Protected | Kind::Invalid | Kind::Fixed if protected.is_none() => {
                "no protected route for GET that the client gets through (--route names another one)"
            }
            Kind::Invalid if plan.kinds.is_empty() && !temporary => continue,
            _ => {
                kinds.push(kind);
                continue;
            }
        };
        if plan.kinds.is_empty() {
            notes.push(format!("{}: not measured, {missing}.", kind.title()));
        } else {
            return Err(BenchError::usage(format!("--scenario {}: there is {missing}", kind.name())));
        }
    }
    Ok(kinds)
}

fn refuse_remote_api(config: &Config, choice: &Choice) -> Result<(), BenchError> {
    let upstream = choice.index.and_then(|index| config.upstream_of(config.routes.get(index)?));
    let mut servers = upstream.into_iter().flat_map(|upstream| &upstream.servers);
    match servers.find(|server| !server.origin.host.is_loopback()) {
        None => Ok(()),
        Some(server) => Err(BenchError::usage(format!(
            "the gateway is running, and the API behind {} is on another machine ({}). --remote loads it anyway; --own \
             measures a temporary gateway of this configuration in front of a stand-in API.",
            choice.text(),
            server.origin
        ))),
    }
}

fn destination(
    origin: &Origin,
    address: SocketAddr,
    trust: &Trust,
    http2: bool,
) -> Result<Destination, BenchError> {
    let tls = match origin.scheme {
        Scheme::Http => None,
        Scheme::Https => {
            let name = server_name(&origin.host).ok_or_else(|| {
                BenchError::usage(format!("{} cannot be the name in a certificate", origin.host))
            })?;
            let mut settings = trust
                .client_config()
                .map_err(|error| BenchError::failed(format!("TLS cannot be set up: {error}")))?;
            settings.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
            Some((TlsConnector::from(Arc::new(settings)), name))
        }
    };
    Ok(Destination { address, tls, http2 })
}

/// Returns the name that the certificate of a server must have.
fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Address(ip) => Some(ServerName::from(*ip)),
        Host::Name(name) => ServerName::try_from(name.to_string()).ok(),
    }
}
