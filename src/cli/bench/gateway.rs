//! Which gateway is measured, and with what.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsConnector;

use super::arguments::{Plan, Wanted};
use super::own::{self, Own};
use super::routes::{self, Choice};
use crate::bench::connect::Place;
use crate::bench::cpu::Process;
use crate::bench::scenario::Kind;
use crate::bench::stand_in;
use crate::change::environment::read_config;
use crate::cli::ask_secret;
use crate::cli::failure::Failure;
use crate::cli::gateway_url::{self, Endpoint};
use crate::cli::post::{Trust, server_name, settings};
use crate::cli::token::{USUAL_PATH, only_client};
use crate::config::{Config, Host, Origin, Scheme, ShownDuration, grouped};
use crate::oauth::secret::Secret;

/// For one try to connect.
const PATIENCE: Duration = Duration::from_secs(3);

/// The gateway.
pub(super) struct Gateway {
    pub(super) origin: Origin,
    pub(super) place: Place,
    /// The same over HTTP/1.1.
    pub(super) plain: Place,
    pub(super) trust: Trust,
    pub(super) own: Option<Own>,
    pub(super) process: Option<Process>,
    pub(super) client: Option<(String, Secret)>,
    pub(super) protected: Option<Choice>,
    pub(super) public: Option<Choice>,
    pub(super) scope: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) token_path: String,
    pub(super) revocation_path: Option<String>,
    /// What is measured, in this order.
    pub(super) kinds: Vec<Kind>,
    pub(super) notes: Vec<String>,
}

impl Gateway {
    pub(super) fn find(path: &Path, plan: &Plan) -> Result<Self, Failure> {
        let config = match read_config(path) {
            Ok(config) => Some(config),
            // A machine that only measures has no gateway.toml, and needs none.
            Err(_) if matches!(plan.wanted, Wanted::Url(_)) && !path.exists() => None,
            Err(errors) => return Err(errors.into()),
        };
        match (running(config.as_ref(), plan)?, config) {
            (Some((origin, address)), config) => Self::running(origin, address, config.as_ref(), plan),
            (None, Some(config)) => Self::own(path, &config, plan),
            (None, None) => Err(Failure::config("a gateway of its own needs a configuration")),
        }
    }

    fn running(
        origin: Origin,
        address: SocketAddr,
        config: Option<&Config>,
        plan: &Plan,
    ) -> Result<Self, Failure> {
        let id = match &plan.client {
            Some(id) => Some(id.clone()),
            None if asks_for_tokens(plan) => Some(only_client(config)?),
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
        // A flood of bad tokens in the logs of a gateway that others use must be asked for.
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
                let secret = ask_secret::secret(plan.secret.clone(), &id)?;
                Some((id, secret))
            }
            _ => None,
        };
        let trust = match &plan.ca {
            Some(file) => Trust { insecure: false, certificates: Some(file.clone()) },
            None => Trust::of(config, plan.insecure),
        };
        let process = address.ip().is_loopback().then(|| Process::listening_on(address)).flatten();
        let route = protected.as_ref().and_then(|choice| config?.routes.get(choice.index?));
        let (scope, audience) = route.map_or((None, None), |route| routes::needs(route, client));
        Ok(Self {
            place: place(&origin, address, &trust, plan.http2)?,
            plain: place(&origin, address, &trust, false)?,
            origin,
            trust,
            own: None,
            process,
            client: secret,
            protected,
            public,
            scope: scopes(plan).or(scope),
            audience,
            token_path: config.map_or(USUAL_PATH, |config| Endpoint::Token.path(config)).to_owned(),
            revocation_path: config.map(|config| Endpoint::Revocation.path(config).to_owned()),
            kinds,
            notes,
        })
    }

    fn own(path: &Path, config: &Config, plan: &Plan) -> Result<Self, Failure> {
        let protected = match &plan.route {
            Some(line) => Some(routes::named(Some(config), line, false)?),
            None => routes::protected(config, None),
        };
        let stand_in = stand_in::start(plan.threads)
            .map_err(|error| Failure::other(format!("cannot start the stand-in API: {error}")))?;
        let own = Own::start(path, stand_in, protected.as_ref())?;
        let origin = Origin::parse(&own.url).map_err(|error| {
            Failure::other(format!("the gateway that was started: {:?} {error}", own.url))
        })?;
        let public = own.public.clone().or_else(|| routes::public(config));
        let mut notes = Vec::new();
        if plan.wanted == Wanted::Whichever
            && let Some(usual) = gateway_url::of(config, Endpoint::Token)
        {
            let usual = usual.strip_suffix(Endpoint::Token.path(config)).unwrap_or(&usual);
            notes.push(format!("Nothing listens at {usual}, so this was a gateway of its own."));
        }
        let kinds = kinds(plan, protected.as_ref(), public.as_ref(), true, &mut notes)?;
        let route = protected.as_ref().and_then(|choice| config.routes.get(choice.index?));
        let (scope, audience) = route.map_or((None, None), |route| routes::needs(route, None));
        // It is our own child on a port that it told us.
        let trust = Trust { insecure: true, certificates: None };
        let address = SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, origin.port));
        Ok(Self {
            place: place(&origin, address, &trust, plan.http2)?,
            plain: place(&origin, address, &trust, false)?,
            origin,
            trust,
            process: Some(Process { id: own.process() }),
            client: Some((own::CLIENT.to_owned(), Secret::new(own.secret.expose()))),
            own: Some(own),
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

    /// What a person sees first.
    pub(super) fn heading(&self, plan: &Plan) -> String {
        let which = match self.own {
            Some(_) => "a gateway of this configuration, started for this, before a stand-in API",
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

    /// The gateway's own URL of an endpoint.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// What follows `https://` in its origin.
    pub(super) fn authority(&self) -> String {
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

/// The gateway that runs, if one does and none of its own is wanted.
fn running(config: Option<&Config>, plan: &Plan) -> Result<Option<(Origin, SocketAddr)>, Failure> {
    let (url, must) = match &plan.wanted {
        Wanted::Own => return Ok(None),
        Wanted::Url(url) => (url.clone(), true),
        Wanted::Whichever => match config.and_then(|config| gateway_url::of(config, Endpoint::Token)) {
            Some(url) => (url, false),
            None => return Ok(None),
        },
    };
    let (origin, rest) = Origin::parse_with_rest(&url)
        .map_err(|error| Failure::config(format!("--url {url} is no URL of a gateway: it {error}")))?;
    if must && !matches!(rest, "" | "/") {
        return Err(Failure::config(
            "--url is the gateway's origin, without a path: --route names the route",
        ));
    }
    let addresses = addresses(&origin)
        .map_err(|error| Failure::other(format!("cannot find the address of {}: {error}", origin.host)))?;
    if !plan.remote
        && let Some(remote) = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback())
    {
        return Err(Failure::config(format!(
            "{origin} ({}) is not on the loopback of this machine. A benchmark takes all that the gateway has: others \
             would wait, and its API gets all the requests. --remote measures it all the same; --own measures a gateway \
             of the same configuration here.",
            remote.ip()
        )));
    }
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(Some((origin, address))),
            Err(error) => failure = error,
        }
    }
    if must {
        return Err(Failure::other(format!("cannot connect to {origin}: {failure} (does the gateway run?)")));
    }
    Ok(None)
}

fn addresses(origin: &Origin) -> io::Result<Vec<SocketAddr>> {
    match &origin.host {
        Host::Address(ip) => Ok(vec![SocketAddr::new(*ip, origin.port)]),
        Host::Name(name) => Ok((&**name, origin.port).to_socket_addrs()?.collect()),
    }
}

/// What can be measured of what is wanted.
fn kinds(
    plan: &Plan,
    protected: Option<&Choice>,
    public: Option<&Choice>,
    own: bool,
    notes: &mut Vec<String>,
) -> Result<Vec<Kind>, Failure> {
    let mut kinds = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| plan.wants(*kind)) {
        let lacks = match kind {
            Kind::Public if public.is_none() => {
                "no public route that takes GET (--public-route names another one)"
            }
            Kind::Protected | Kind::Invalid | Kind::Fixed if protected.is_none() => {
                "no protected route that takes GET and lets the client in (--route names another one)"
            }
            Kind::Invalid if plan.kinds.is_empty() && !own => continue,
            _ => {
                kinds.push(kind);
                continue;
            }
        };
        if plan.kinds.is_empty() {
            notes.push(format!("{}: not measured, {lacks}.", kind.title()));
        } else {
            return Err(Failure::config(format!("--scenario {}: there is {lacks}", kind.name())));
        }
    }
    Ok(kinds)
}

fn refuse_remote_api(config: &Config, choice: &Choice) -> Result<(), Failure> {
    let upstream = choice.index.and_then(|index| config.upstream_of(config.routes.get(index)?));
    let mut servers = upstream.into_iter().flat_map(|upstream| &upstream.servers);
    match servers.find(|server| !server.origin.host.is_loopback()) {
        None => Ok(()),
        Some(server) => Err(Failure::config(format!(
            "the gateway runs, and the API behind {} is on another machine ({}). --remote loads it all the same; --own \
             measures a gateway of this configuration before a stand-in API.",
            choice.text(),
            server.origin
        ))),
    }
}

fn place(origin: &Origin, address: SocketAddr, trust: &Trust, http2: bool) -> Result<Place, Failure> {
    let tls = match origin.scheme {
        Scheme::Http => None,
        Scheme::Https => {
            let name = server_name(&origin.host)
                .ok_or_else(|| Failure::config(format!("{} is no name of a certificate", origin.host)))?;
            let mut settings =
                settings(trust).map_err(|error| Failure::other(format!("TLS cannot be set up: {error}")))?;
            settings.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
            Some((TlsConnector::from(Arc::new(settings)), name))
        }
    };
    Ok(Place { address, tls, http2 })
}
