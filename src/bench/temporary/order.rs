//! The changes that a temporary gateway makes to its configuration.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use crate::config::{
    Access, AccessLog, AddressRules, Client, ClientAuthentication, ClientSecret, Config, Host,
    ListenerProtocol, Mode, Origin, Pattern, Position, Protocol, Scheme, SecretAuthentication,
    UpstreamServer, UpstreamTls,
};
use crate::gate::SecretHash;
use crate::json::parse_text;
use crate::oauth::client::{Capabilities, ClientId};
use crate::oauth::scope::Scopes;

/// The id of the client that exists only in the temporary gateway.
pub(crate) const CLIENT: &str = "tollgate-bench";
/// The path of the public copy of the protected route.
pub(super) const PUBLIC_PATH: &str = "/tollgate-bench/public";
/// How many tokens the issuing scenario may leave.
const MAX_TOKENS: u32 = 4_000_000;

/// The instructions of the parent process to the temporary gateway.
pub(super) struct Order {
    /// The address of the stand-in API.
    pub(super) stand_in: SocketAddr,
    /// The hash of the client's secret.
    pub(super) hash: SecretHash,
    /// The protected route to copy, by its position in the configuration.
    pub(super) route: Option<usize>,
}

impl Order {
    /// Writes the order as one line.
    pub(super) fn line(&self) -> String {
        json!({ "stand_in": self.stand_in.to_string(), "hash": self.hash.to_phc(), "route": self.route })
            .to_string()
    }

    /// Reads the order from a line.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let order: Value = parse_text(line).ok()?;
        Some(Self {
            stand_in: order.get("stand_in")?.as_str()?.parse().ok()?,
            hash: SecretHash::parse(order.get("hash")?.as_str()?).ok()?,
            route: order.get("route")?.as_u64().and_then(|route| usize::try_from(route).ok()),
        })
    }

    /// Changes a configuration as ordered.
    pub(super) fn apply(self, config: &mut Config) {
        config.server.listen.retain(|listener| listener.protocol != ListenerProtocol::Redirect);
        config.server.listen.truncate(1);
        for listener in &mut config.server.listen {
            listener.address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            listener.proxy_protocol = None;
        }
        config.server.access_log = AccessLog::Off;
        config.metrics = None;
        config.security_log = None;
        config.tracing = None;
        config.server.limits.rate_limit_by_address = None;
        // The load must not be sent to a real API.
        for upstream in &mut config.upstreams {
            upstream.servers.truncate(1);
            for server in &mut upstream.servers {
                let origin = Origin {
                    scheme: Scheme::Http,
                    host: Host::Address(self.stand_in.ip()),
                    port: self.stand_in.port(),
                };
                *server =
                    UpstreamServer { origin, socket: None, weight: server.weight, position: server.position };
            }
            upstream.protocol = Protocol::Http1;
            upstream.tls = UpstreamTls::default();
            upstream.health_check = None;
            upstream.max_in_flight = None;
        }
        for route in &mut config.routes {
            route.rate_limit = None;
            route.rate_limit_by_address = None;
            route.max_in_flight = None;
            route.addresses = AddressRules::default();
            route.mode = Mode::Enforce;
        }
        if let Some(route) = self.route.and_then(|index| config.routes.get(index))
            && let Ok(path) = Pattern::path(PUBLIC_PATH)
        {
            let mut twin = route.clone();
            twin.path = path;
            twin.access = Access::Public;
            twin.strip_prefix = None;
            config.routes.push(twin);
        }
        let token_service = &mut config.token_service;
        token_service.max_tokens =
            token_service.max_tokens.max(MAX_TOKENS.try_into().unwrap_or(token_service.max_tokens));
        token_service.max_tokens_per_client = token_service.max_tokens;
        config.clients.extend(client(config, self.hash));
    }
}

/// Makes a client that gets through every route.
fn client(config: &Config, hash: SecretHash) -> Option<Client> {
    let position = Position::default();
    let names: Vec<&str> = config.scopes.iter().map(|scope| &*scope.name).collect();
    let audiences = config.routes.iter().filter_map(|route| match &route.access {
        Access::Token { audience, .. } => audience.clone(),
        Access::Public => None,
    });
    Some(Client {
        id: ClientId::new(CLIENT)?,
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
                    position,
                }],
            }),
            ..ClientAuthentication::default()
        },
        certificate_bound_tokens: false,
        dpop_bound_tokens: false,
        token_generation: 0,
        audiences: audiences.collect(),
        position,
    })
}
