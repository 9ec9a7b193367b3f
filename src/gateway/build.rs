//! From the configuration to upstreams and routes that can be used.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::config::{self, BodyLimit, Config, Credentials, Position, Protocol, Scheme};
use crate::headers::{IdentityHeader, RequestRules};
use crate::limit::concurrency::QueueBounds;
use crate::limit::rate::{ClientLimits, LimitKey, LimitState, Limiter};
use crate::oauth::scope::Demand;
use crate::proxy::addresses::AddressFilter;
use crate::proxy::cors::Cors;
use crate::proxy::meters::Meters;
use crate::proxy::route::{Access, ResponseHeaders, Route, Routes};
use crate::proxy::rules::Rules;
use crate::proxy::transform::Transform;
use crate::route::rewrite::{PathRewrite, Rewrite};
use crate::route::table::{Conflict, Entry, RouteTable};
use crate::upstream::group::{Upstream, UpstreamSpec};
use crate::upstream::health::HealthCheck;
use crate::upstream::registry::{ServerKey, ServerRegistry};
use crate::upstream::server::Server;

/// Why a configuration that reads well still makes no proxy.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum BuildError {
    /// Two routes that some request would match equally well.
    Tie {
        /// The later one.
        position: Position,
        /// The earlier one.
        other: Position,
        /// The pattern of the later one.
        path: String,
    },
    /// A certificate or key file that cannot be used.
    File {
        /// The upstream it is for.
        upstream: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A server name that TLS cannot ask for, a certificate that fits no key, credentials that fit no header.
    Upstream {
        /// Its name.
        upstream: String,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tie { position, other, path } => write!(
                f,
                "{}: the route {path:?} matches the same requests as the route at {}, and neither is more specific: change or remove one",
                At(*position),
                At(*other)
            ),
            Self::File { upstream, path, reason } => {
                write!(f, "upstreams.{upstream}.tls: cannot use {}: {reason}", path.display())
            }
            Self::Upstream { upstream, reason } => write!(f, "upstreams.{upstream}: {reason}"),
        }
    }
}

impl std::error::Error for BuildError {}

struct At(Position);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.0.line)
    }
}

/// Makes the rules of a configuration, each route with its upstream. What `before` has counted is counted on.
///
/// # Errors
/// Everything that stands in the way, not only the first of it.
pub(crate) fn rules(config: &Config, before: Option<&Rules>) -> Result<Rules, Vec<BuildError>> {
    let mut counting = Carryover {
        before: before.map(|rules| &rules.limits),
        now: LimitState::default(),
        known: before.map(|rules| &rules.registry),
        registry: ServerRegistry::default(),
        meters_before: before.map(|rules| &rules.meters),
        meters: Meters::new(config),
    };
    let mut errors = Vec::new();
    let upstreams: Vec<Option<Arc<Upstream>>> = config
        .upstreams
        .iter()
        .map(|upstream| match self::upstream(upstream, &mut counting) {
            Ok(upstream) => Some(Arc::new(upstream)),
            Err(error) => {
                errors.push(error);
                None
            }
        })
        .collect();
    let mut entries = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        // Without its upstream, whose own error is reported, a route is left out of a table that is not used.
        if let Some(upstream) = upstreams.get(route.upstream.0).cloned().flatten() {
            let body_timeout = config.server.limits.body_timeout;
            let value = self::route(index, route, upstream, body_timeout, &mut counting);
            entries.push(entry(config, route, value));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let routes = table(config, entries)?;
    let clients: ClientLimits = config.clients.iter().filter_map(|client| counting.client(client)).collect();
    let clients = (!clients.is_empty()).then_some(clients);
    let upstreams = upstreams.into_iter().flatten().collect();
    Ok(Rules {
        routes,
        clients,
        upstreams,
        trusted_proxies: config.server.trusted_proxies.clone().into(),
        body_timeout: config.server.limits.body_timeout,
        max_headers: config.server.limits.max_headers,
        limits: counting.now,
        registry: counting.registry,
        meters: counting.meters,
    })
}

fn table(config: &Config, entries: Vec<Entry<Arc<Route>>>) -> Result<Routes, Vec<BuildError>> {
    RouteTable::build(entries).map_err(|ties| {
        let tie = |Conflict { first, second }: Conflict| {
            let (first, second) = (config.routes.get(first)?, config.routes.get(second)?);
            Some(BuildError::Tie {
                position: second.position,
                other: first.position,
                path: second.path.as_str().to_owned(),
            })
        };
        ties.into_iter().filter_map(tie).collect()
    })
}

/// What is counted, taken over from the rules before where it is the same.
struct Carryover<'a> {
    before: Option<&'a LimitState>,
    now: LimitState,
    known: Option<&'a ServerRegistry>,
    registry: ServerRegistry,
    meters_before: Option<&'a Meters>,
    meters: Meters,
}

impl Carryover<'_> {
    fn client(&mut self, client: &config::Client) -> Option<(Box<str>, Arc<Limiter>)> {
        let key = LimitKey::Client(client.id.to_string());
        let limiter = self.now.limiter(self.before, &key, client.rate_limit?);
        Some((client.id.as_str().into(), limiter))
    }
}

/// What a route is known by over a reload: what it matches.
fn limit_key(route: &config::Route) -> LimitKey {
    LimitKey::Route(format!("{:?} {:?} {:?}", route.host, route.path, route.methods))
}

fn entry(config: &Config, route: &config::Route, value: Arc<Route>) -> Entry<Arc<Route>> {
    Entry {
        host: route.host.as_ref().map(ToString::to_string),
        pattern: route.path.clone(),
        methods: route.methods.only().map(<[_]>::to_vec),
        case_insensitive: config.upstream_of(route).is_some_and(|upstream| upstream.case_insensitive),
        allowed: route.allowed(),
        value,
    }
}

fn route(
    index: usize,
    route: &config::Route,
    upstream: Arc<Upstream>,
    body_timeout: Duration,
    counting: &mut Carryover<'_>,
) -> Arc<Route> {
    let key = limit_key(route);
    let meter = counting.meters.route(counting.meters_before, route);
    let access = match &route.access {
        config::Access::Public => Access::Public,
        config::Access::Token { requirement, audience } => {
            let demand = Demand {
                requirement: requirement.clone(),
                audience: audience.as_deref().map(Into::into),
            };
            match &route.token_header {
                None => Access::Token(demand),
                Some(header) => Access::TokenIn(header.clone(), demand),
            }
        }
    };
    let needs_token = !matches!(route.access, config::Access::Public);
    let max_body_size = match route.max_body_size {
        BodyLimit::Unlimited => None,
        BodyLimit::Bytes(bytes) => Some(bytes),
    };
    let max_body_size = max_body_size.into_iter().chain(route.buffer_request).min();
    Arc::new(Route {
        index,
        access,
        meter,
        transform: transform(route, &upstream),
        request_rules: request_rules(route, upstream.credentials.as_ref()).map(Arc::new),
        maps_urls: route.map_response_urls,
        max_body_size,
        body_timeout,
        forward_token: route.forward_token,
        addresses: AddressFilter::new(&route.addresses),
        rate_limit: route.rate_limit.map(|rate| counting.now.limiter(counting.before, &key, rate)),
        in_flight: route.max_in_flight.map(|max| counting.now.concurrency(counting.before, &key, max, None)),
        response_headers: ResponseHeaders::new(&route.response_headers),
        cors: route.cors.as_ref().map(|cors| Box::new(Cors::new(cors, needs_token))),
        upstream,
    })
}

/// What a route changes in its requests beyond what every route does.
fn transform(route: &config::Route, upstream: &Upstream) -> Option<Box<Transform>> {
    let path = match (&route.upstream_path, &route.strip_prefix) {
        (Some(template), _) => PathRewrite::Template(template.clone()),
        (None, Some(prefix)) => PathRewrite::Strip(prefix.as_str().into()),
        (None, None) => PathRewrite::Keep,
    };
    let rewrite = Rewrite { base: upstream.base_path.clone(), path };
    let buffer = route.buffer_request.is_some();
    Transform { rewrite, host: upstream.host().map(Into::into), buffer }.boxed()
}

/// What a route and its upstream change in the headers of requests. The credentials are set last: nothing replaces them.
fn request_rules(
    route: &config::Route,
    credentials: Option<&(http::HeaderName, HeaderValue)>,
) -> Option<RequestRules> {
    let mut rules = RequestRules::default();
    for name in &route.request_headers.remove {
        rules.remove(name.clone());
    }
    for (name, value) in &route.request_headers.set {
        rules.set(name.clone(), value.clone());
    }
    if let Some(header) = route.token_header.as_ref().filter(|_| !route.forward_token) {
        rules.remove(header.clone());
    }
    let header = |header: &config::IdentityHeader| match header {
        config::IdentityHeader::Usual => IdentityHeader::Usual,
        config::IdentityHeader::Named(name) => IdentityHeader::Named(name.clone()),
        config::IdentityHeader::Off => IdentityHeader::Off,
    };
    let config::IdentityHeaders { client_id, scope } = &route.identity_headers;
    rules.identify(header(client_id), header(scope));
    if let Some((name, value)) = credentials {
        rules.set(name.clone(), value.clone());
    }
    // They also say which prefix was removed.
    (route.strip_prefix.is_some() || !rules.is_empty()).then_some(rules)
}

fn upstream(spec: &config::Upstream, counting: &mut Carryover<'_>) -> Result<Upstream, BuildError> {
    let failed =
        |reason: &str| BuildError::Upstream { upstream: spec.name.clone(), reason: reason.to_owned() };
    let needs_tls = spec.servers.iter().any(|server| server.origin.scheme == Scheme::Https);
    let tls = if needs_tls { Some(Arc::new(client_tls(spec)?)) } else { None };
    let mut servers = Vec::new();
    for server in &spec.servers {
        let host = match &server.origin.host {
            config::Host::Address(ip) => ip.to_string(),
            config::Host::Name(name) => name.to_string(),
        };
        let tls = match (server.origin.scheme, &tls) {
            (Scheme::Https, Some(config)) => {
                let name = match spec.tls.server_name.as_ref().unwrap_or(&server.origin.host) {
                    config::Host::Address(ip) => ServerName::from(*ip),
                    config::Host::Name(name) => ServerName::try_from(name.to_string())
                        .map_err(|_| failed("the server name is no DNS name that TLS could ask for"))?,
                };
                Some((Arc::clone(config), name))
            }
            _ => None,
        };
        let port = server.origin.port;
        let resolver = counting.registry.resolver(counting.known, &host, port);
        let key = ServerKey {
            upstream: spec.name.clone(),
            origin: server.origin.to_string(),
            probed: spec.health_check.is_some(),
        };
        let state = counting.registry.state(counting.known, key);
        servers.push((Server::new(host, port, tls, resolver, state, spec.idle_timeout), server.weight.get()));
    }
    let credentials = spec
        .credentials
        .as_ref()
        .map(header)
        .transpose()
        .map_err(|()| failed("the credentials hold bytes that cannot stand in a header"))?;
    Upstream::new(UpstreamSpec {
        name: spec.name.clone(),
        meter: counting.meters.upstream(counting.meters_before, &spec.name),
        servers,
        connect_timeout: spec.connect_timeout,
        read_timeout: spec.read_timeout,
        retries: spec.retries,
        credentials,
        http2: spec.protocol == Protocol::Http2,
        host: spec.host.clone(),
        base_path: spec.base_path.as_str().into(),
        balance: spec.balance,
        total_timeout: spec.total_timeout,
        in_flight: spec.max_in_flight.map(|max| {
            let key = LimitKey::Upstream(spec.name.clone());
            let queue = spec.queue.map(|queue| QueueBounds { max: queue.most, timeout: queue.timeout });
            counting.now.concurrency(counting.before, &key, max, queue)
        }),
        health_check: spec.health_check.as_ref().and_then(HealthCheck::new),
        ejection: spec.ejection,
        retry_budget: spec.retry_budget,
    })
    .ok_or_else(|| failed("it has no servers"))
}

fn header(credentials: &Credentials) -> Result<(http::HeaderName, HeaderValue), ()> {
    let (name, text) = match credentials {
        Credentials::Header { name, value } => (name.clone(), value.expose().to_owned()),
        Credentials::Basic { user, password } => {
            (AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose()))))
        }
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| ())?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn client_tls(spec: &config::Upstream) -> Result<ClientConfig, BuildError> {
    let file_error = |path: &Path, reason: String| BuildError::File {
        upstream: spec.name.clone(),
        path: path.to_owned(),
        reason,
    };
    let other = |reason: String| BuildError::Upstream { upstream: spec.name.clone(), reason };
    let mut roots = RootCertStore::empty();
    match &spec.tls.ca {
        Some(path) => {
            for certificate in certificates(path).map_err(|reason| file_error(path, reason))? {
                roots.add(certificate).map_err(|error| file_error(path, error.to_string()))?;
            }
        }
        // The machine's own trust, as curl and browsers have it; what it cannot parse it does not trust.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| other(error.to_string()))?
        .with_root_certificates(roots);
    let mut config = match &spec.tls.client_certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate).map_err(|reason| file_error(certificate, reason))?;
            let key_der =
                PrivateKeyDer::from_pem_file(key).map_err(|error| file_error(key, error.to_string()))?;
            builder
                .with_client_auth_cert(chain, key_der)
                .map_err(|error| file_error(key, error.to_string()))?
        }
    };
    if spec.protocol == Protocol::Http2 {
        // RFC 9113 §3.2.
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let file = File::open(path).map_err(|error: io::Error| error.to_string())?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_reader_iter(BufReader::new(file)).collect();
    match certificates {
        Ok(found) if found.is_empty() => Err("no certificate in it".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}
