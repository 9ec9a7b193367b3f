//! The compiled configuration: plain data without invalid values.

mod acme;
mod admin;
mod client;
mod cors;
mod expect;
mod jwt;
mod methods;
mod mode;
mod observe;
mod registration;
mod route;
mod server;
#[cfg(feature = "gateway")]
mod table_entries;
mod upstream;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

pub use acme::{Acme, ExternalAccount};
pub use admin::{Admin, AdminUser, Role};
pub use client::{Client, ClientAuthentication, ClientSecret, SecretAuthentication};
pub use cors::{Cors, CorsOrigins};
pub use expect::{Expectation, Expected, ExpectedOutcome, RequestPattern};
pub use jwt::{JwtKeys, JwtService, TokenForwarding};
pub use methods::Methods;
pub use mode::Mode;
pub use observe::{AcceptContext, SecurityLog, Tracing};
pub use registration::{InitialAccessToken, Registration, RegistrationMethod, RegistrationTemplate};
pub use route::{Access, AddressRules, HeaderChanges, HostPattern, IdentityHeader, IdentityHeaders, Route};
pub use server::{
    AccessLog, BodyLimit, CertificateFiles, ConnectionsPerAddress, Issuer, Limits, Listener,
    ListenerProtocol, Server, ServerCertificate, ServerTls, Throttle, TokenService,
};
pub use upstream::{
    Balance, Credentials, Ejection, ExpectedStatus, HealthCheck, Probe, Protocol, QueueLimits, RetryBudget,
    Upstream, UpstreamHost, UpstreamIndex, UpstreamServer, UpstreamTls,
};

use super::{error::Position, warning::ConfigWarning};
use crate::store::RedisOptions;

/// A whole, valid `gateway.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The path of the file, as the program was given it.
    pub file: PathBuf,
    /// The other files that it names and that must exist, without duplicates: certificates, keys, secrets.
    ///
    /// A folder is among them if a new file in it would be included.
    pub files: Vec<PathBuf>,
    /// The files that it includes, in their order.
    pub included: Vec<PathBuf>,
    /// Warnings about valid values that are probably mistakes, in the order in which they were read.
    pub warnings: Vec<ConfigWarning>,
    /// `[server]`.
    pub server: Server,
    /// `[token_service]`.
    pub token_service: TokenService,
    /// `[store]`: where tokens are kept.
    pub store: StoreKind,
    /// `[scopes]`, in the order of the file.
    pub scopes: Vec<Scope>,
    /// `[clients.…]`, in the order of the file; ids are distinct.
    pub clients: Vec<Client>,
    /// `[upstreams.…]`, in the order of the file; names are distinct.
    pub upstreams: Vec<Upstream>,
    /// `[[routes]]`, in the order of the file; at most [`Config::MAX_ROUTES`].
    pub routes: Vec<Route>,
    /// `[[expect]]`, in the order of the file.
    pub expectations: Vec<Expectation>,
    /// `[security_log]`.
    pub security_log: Option<SecurityLog>,
    /// `[tracing]`.
    pub tracing: Option<Tracing>,
    /// `[metrics]`.
    pub metrics: Option<Metrics>,
    /// `[admin]`.
    pub admin: Option<Admin>,
    /// `[demo]`.
    pub demo: Option<Demo>,
}

impl Config {
    /// The most routes that a file can have.
    pub const MAX_ROUTES: usize = 65_535;

    /// Returns the upstream that a route forwards to.
    #[must_use]
    pub fn upstream_of(&self, route: &Route) -> Option<&Upstream> {
        self.upstreams.get(route.upstream.0)
    }

    /// Returns the file that a position is in.
    #[must_use]
    pub fn file_of(&self, position: Position) -> &Path {
        let included = position.file_index().checked_sub(1).and_then(|index| self.included.get(index));
        included.unwrap_or(&self.file)
    }

    /// Returns the client with this id.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id.as_str() == id)
    }
}

/// `store.kind`: where tokens are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StoreKind {
    /// In memory, and in a journal in [`Server::state_dir`] if that folder can be used; otherwise in memory
    /// alone. The file does not say which kind.
    #[default]
    JournalIfPossible,
    /// In memory, and in a journal in [`Server::state_dir`].
    Journal,
    /// In memory alone.
    Memory,
    /// In Redis or Valkey, which several gateways share.
    Redis(Box<RedisOptions>),
}

/// One scope of `[scopes]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scope {
    /// The scope token.
    pub name: String,
    /// A description for people.
    pub description: String,
    /// The position in the file.
    pub position: Position,
}

/// `[metrics]`: the metrics of the gateway, for Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// The address: loopback, unless the file says that it may be open to the network.
    pub listen: SocketAddr,
    /// The position in the file.
    pub position: Position,
}

/// `[demo]`: a stand-in legacy API in the same process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Demo {
    /// A loopback address, because it answers without a token.
    pub listen: SocketAddr,
    /// The position in the file.
    pub position: Position,
}
