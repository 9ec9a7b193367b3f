//! Builds the rules of the proxy from a configuration: its upstreams, routes and limits.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use rustls_pki_types::ServerName;

use super::upstream_tls::client_config;
use crate::config::{
    self, BodyLimit, Config, ConfigError, ConfigErrors, Credentials, ErrorKind, Mode, Protocol, Scheme,
    TokenForwarding,
};
use crate::headers::{ClientAuthorization, IdentityHeader, RequestRules};
use crate::limit::by_address::AddressLimiter;
use crate::limit::by_registered::RegisteredLimiter;
use crate::limit::concurrency::QueueBounds;
use crate::limit::rate::Limiter;
use crate::limit::state::{LimitKey, LimitState};
use crate::oauth::scope::Demand;
use crate::proxy::access::Access;
use crate::proxy::addresses::AddressPolicy;
use crate::proxy::cors::Cors;
use crate::proxy::endpoint_cors::EndpointCors;
use crate::proxy::meters::Meters;
use crate::proxy::route::{ResponseHeaders, Route, Routes};
use crate::proxy::rules::{ClientLimits, Rules};
use crate::proxy::shadow::access::ShadowAccess;
use crate::proxy::token_access::TokenAccess;
use crate::proxy::transform::Transform;
use crate::route::rewrite::{PathRewrite, Rewrite};
use crate::route::table::{Conflict, Entry, RouteTable};
use crate::shadow::Learned;
use crate::telemetry::tracing;
use crate::upstream::group::{Upstream, UpstreamSpec};
use crate::upstream::health::HealthCheck;
use crate::upstream::registry::{ServerKey, ServerRegistry};
use crate::upstream::server::Server;

/// Builds the rules of a configuration, each route with its upstream. Counters of `before` are continued.
///
/// # Errors
/// Fails if a file, for example, has changed since the configuration was read.
pub(crate) fn rules(config: &Config, before: Option<&Rules>) -> Result<Rules, ConfigErrors> {
    let mut counting = Carryover {
        before: before.map(|rules| &rules.limits),
        now: LimitState::default(),
        rate_by_address: None,
        known: before.map(|rules| &rules.registry),
        registry: ServerRegistry::default(),
        meters_before: before.map(|rules| &rules.meters),
        meters: Meters::new(config),
        learned: before.map(|rules| Arc::clone(&rules.learned)).unwrap_or_default(),
        traced: if before.is_some() { tracing::is_on() } else { config.tracing.is_some() },
    };
    let mut errors = Vec::new();
    let upstreams: Vec<Option<Arc<Upstream>>> = config
        .upstreams
        .iter()
        .map(|spec| match self::upstream(spec, &mut counting) {
            Ok(upstream) => Some(Arc::new(upstream)),
            Err(UpstreamError { kind, key, message }) => {
                let key = format!("upstreams.{}{key}", spec.name);
                errors.push(ConfigError::late(kind, &config.file, spec.position, key, message));
                None
            }
        })
        .collect();
    let mut entries = Vec::new();
    counting.rate_by_address = config
        .server
        .limits
        .rate_limit_by_address
        .map(|rate| counting.now.by_address(counting.before, &LimitKey::Server, rate));
    for (index, route) in config.routes.iter().enumerate() {
        // A route without its upstream is left out. The error of the upstream is reported, and the table is
        // not used.
        if let Some(upstream) = upstreams.get(route.upstream.0).cloned().flatten() {
            let value = self::route(config, index, route, upstream, &mut counting);
            entries.extend(config.table_entries(route, &value));
        }
    }
    if let Some(errors) = ConfigErrors::collect(errors) {
        return Err(errors);
    }
    let routes = table(config, entries)?;
    let templates = config.token_service.registration.iter().flat_map(|registration| &registration.templates);
    let limits = ClientLimits {
        own: config.clients.iter().filter_map(|client| counting.client(client)).collect(),
        registered: templates.filter_map(|template| counting.template(template)).collect(),
    };
    let clients = (!limits.own.is_empty() || !limits.registered.is_empty()).then_some(limits);
    let upstreams = upstreams.into_iter().flatten().collect();
    Ok(Rules {
        routes,
        clients,
        upstreams,
        rate_by_address: counting.rate_by_address,
        endpoint_cors: config.token_service.cors.as_ref().map(|cors| Box::new(EndpointCors::new(cors))),
        trusted_proxies: config.server.trusted_proxies.clone().into(),
        body_timeout: config.server.limits.body_timeout,
        max_headers: config.server.limits.max_headers,
        limits: counting.now,
        registry: counting.registry,
        meters: counting.meters,
        learned: counting.learned,
        shadow_routes: config.routes.iter().filter(|route| route.mode == Mode::Shadow).count(),
    })
}

fn table(config: &Config, entries: Vec<Entry<Arc<Route>>>) -> Result<Routes, ConfigErrors> {
    let owners: Vec<usize> = entries.iter().map(|entry| entry.value.index).collect();
    RouteTable::build(entries).map_err(|conflicts| {
        let error = |Conflict { first, second }: Conflict| {
            let (first, second) = (&config.routes[owners[first]], &config.routes[owners[second]]);
            let message = format!(
                "{:?} matches the same requests as the route in line {}, and neither is more specific",
                second.path.as_str(),
                first.position.line,
            );
            let kind = ErrorKind::RouteConflict;
            ConfigError::late(kind, &config.file, second.position, "routes".to_owned(), message)
        };
        ConfigErrors::sorted(conflicts.into_iter().map(error).collect())
    })
}

/// Why an upstream cannot be used.
struct UpstreamError {
    kind: ErrorKind,
    /// The key within the upstream, beginning with a dot.
    key: &'static str,
    message: String,
}

/// The counters and server states, including those taken over from the rules before.
struct Carryover<'a> {
    before: Option<&'a LimitState>,
    now: LimitState,
    /// The rate of each address for all routes together.
    rate_by_address: Option<Arc<AddressLimiter>>,
    known: Option<&'a ServerRegistry>,
    registry: ServerRegistry,
    meters_before: Option<&'a Meters>,
    meters: Meters,
    learned: Arc<Learned>,
    /// Whether the gateway sends a trace context upstream. This setting is fixed at the start.
    traced: bool,
}

impl Carryover<'_> {
    fn client(&mut self, client: &config::Client) -> Option<(Box<str>, Arc<Limiter>)> {
        let key = LimitKey::Client(client.id.to_string());
        let limiter = self.now.limiter(self.before, &key, client.rate_limit?);
        Some((client.id.as_str().into(), limiter))
    }

    fn template(
        &mut self,
        template: &config::RegistrationTemplate,
    ) -> Option<(Box<str>, Arc<RegisteredLimiter>)> {
        let key = LimitKey::Template(template.name.clone());
        let limiter = self.now.by_registered(self.before, &key, template.rate_limit?);
        Some((template.name.as_str().into(), limiter))
    }
}

/// Returns the key by which a route keeps its counters over a reload: what it matches.
fn limit_key(route: &config::Route) -> LimitKey {
    LimitKey::Route(format!("{:?} {:?} {:?}", route.hosts, route.path, route.methods))
}

fn route(
    config: &Config,
    index: usize,
    route: &config::Route,
    upstream: Arc<Upstream>,
    counting: &mut Carryover<'_>,
) -> Arc<Route> {
    let key = limit_key(route);
    let meter = counting.meters.route(counting.meters_before, route);
    let rate_by_address =
        route.rate_limit_by_address.map(|rate| counting.now.by_address(counting.before, &key, rate));
    let rates = rate_by_address.into_iter().chain(counting.rate_by_address.clone()).collect();
    let kept = route.forward_token == TokenForwarding::Kept;
    let jwt = route.forward_token == TokenForwarding::Jwt;
    let access = match &route.access {
        config::Access::Public => Access::Public,
        config::Access::Token { requirement, audience } => {
            let demand =
                Demand { requirement: requirement.clone(), audience: audience.as_deref().map(Into::into) };
            let audience = || config.upstream_of(route).map_or("", config::Upstream::audience);
            let jwt_for: Option<Arc<str>> = jwt.then(|| audience().into());
            let token = TokenAccess::new(demand, route.token_header.clone(), jwt_for);
            match route.mode {
                Mode::Enforce => Access::Token(token),
                Mode::Shadow => Access::Shadow(Box::new(ShadowAccess {
                    token,
                    forward_token: kept,
                    rules: request_rules(counting.traced, route, true, None, false).map(Arc::new),
                    rules_with_header: request_rules(counting.traced, route, false, None, false)
                        .map(Arc::new),
                    learned: counting.learned.route(&route.label()),
                })),
            }
        }
    };
    let authorization = match (&route.access, &route.token_header) {
        _ if kept => ClientAuthorization::Forward,
        (config::Access::Token { .. }, None) => ClientAuthorization::Remove,
        _ => ClientAuthorization::RemoveOurs,
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
        request_rules: request_rules(counting.traced, route, true, upstream.credentials.as_ref(), jwt)
            .map(Arc::new),
        maps_urls: route.map_response_urls,
        max_body_size,
        body_timeout: config.server.limits.body_timeout,
        forward_token: kept,
        carries_logins: authorization != ClientAuthorization::Remove || route.mode == Mode::Shadow,
        authorization,
        addresses: AddressPolicy::new(&route.addresses, rates),
        rate_limit: route.rate_limit.map(|rate| counting.now.limiter(counting.before, &key, rate)),
        in_flight: route.max_in_flight.map(|max| counting.now.concurrency(counting.before, &key, max, None)),
        response_headers: ResponseHeaders::new(&route.response_headers),
        cors: route.cors.as_ref().map(|cors| Box::new(Cors::new(cors, needs_token))),
        upstream,
    })
}

/// Returns what a route changes in its requests, in addition to what every route changes.
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

/// Returns what a route and its upstream change in the headers of requests. The credentials are set last, so
/// that nothing replaces them.
///
/// `removes_token` says whether the header with the token is removed, and `jwt` whether a JWT is sent in its
/// place.
fn request_rules(
    traced: bool,
    route: &config::Route,
    removes_token: bool,
    credentials: Option<&(http::HeaderName, HeaderValue)>,
    jwt: bool,
) -> Option<RequestRules> {
    let mut rules = RequestRules::default();
    if traced {
        rules.trace();
    }
    for name in &route.request_headers.remove {
        rules.remove(name.clone());
    }
    for (name, value) in &route.request_headers.set {
        rules.set(name.clone(), value.clone());
    }
    let kept = route.forward_token == TokenForwarding::Kept;
    if let Some(header) = route.token_header.as_ref().filter(|_| removes_token && !kept) {
        rules.remove(header.clone());
    }
    if jwt {
        rules.send_jwt(route.token_header.clone().unwrap_or(AUTHORIZATION));
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
    // The rules also add the header that says which prefix was removed.
    (route.strip_prefix.is_some() || !rules.is_empty()).then_some(rules)
}

fn upstream(spec: &config::Upstream, counting: &mut Carryover<'_>) -> Result<Upstream, UpstreamError> {
    let failed = |key, message: &str| UpstreamError {
        kind: ErrorKind::InvalidValue,
        key,
        message: message.to_owned(),
    };
    let needs_tls = spec.servers.iter().any(|server| server.origin.scheme == Scheme::Https);
    let tls = needs_tls.then(|| client_config(spec).map(Arc::new)).transpose().map_err(|error| {
        UpstreamError { kind: ErrorKind::FileUnusable, key: ".tls", message: error.to_string() }
    })?;
    let mut servers = Vec::new();
    for server in &spec.servers {
        let key = ServerKey {
            upstream: spec.name.clone(),
            origin: server.to_string(),
            probed: spec.health_check.is_some(),
        };
        let state = counting.registry.state(counting.known, key);
        if let Some(path) = &server.socket {
            servers.push((Server::on_socket(path, state, spec.idle_timeout), server.weight.get()));
            continue;
        }
        let host = match &server.origin.host {
            config::Host::Address(ip) => ip.to_string(),
            config::Host::Name(name) => name.to_string(),
        };
        let tls = match (server.origin.scheme, &tls) {
            (Scheme::Https, Some(config)) => {
                let name = match spec.tls.server_name.as_ref().unwrap_or(&server.origin.host) {
                    config::Host::Address(ip) => ServerName::from(*ip),
                    config::Host::Name(name) => ServerName::try_from(name.to_string()).map_err(|_| {
                        failed(".servers", "has a host that cannot be the name in a certificate")
                    })?,
                };
                Some((Arc::clone(config), name))
            }
            _ => None,
        };
        let port = server.origin.port;
        let resolver = counting.registry.resolver(counting.known, &host, port);
        servers.push((Server::new(host, port, tls, resolver, state, spec.idle_timeout), server.weight.get()));
    }
    let credentials = spec
        .credentials
        .as_ref()
        .map(header)
        .transpose()
        .map_err(|()| failed(".credentials", "has bytes that cannot be in a header"))?;
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
    .ok_or_else(|| failed(".servers", "is empty"))
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
