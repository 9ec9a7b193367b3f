//! The configuration once compiled: plain data in which nothing invalid can stand.

mod client;
mod route;
mod server;
mod upstream;

use std::{net::SocketAddr, path::PathBuf};

pub use client::{Client, ClientAuthentication, ClientSecret, SecretAuthentication};
pub use route::{Access, AddressRules, Cors, CorsOrigins, Methods, ResponseHeaders, Route};
pub use server::{
    AccessLog, BodyLimit, Issuer, Limits, Listener, ListenerProtocol, Server, ServerCertificate, ServerTls,
    Throttle, TokenService,
};
pub use upstream::{
    Balance, Credentials, Ejection, ExpectedStatus, HealthCheck, Probe, Protocol, QueueLimits, RetryBudget,
    Upstream, UpstreamIndex, UpstreamServer, UpstreamTls,
};

use super::error::Place;

/// A whole `gateway.toml`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The file, as it was named to the program.
    pub file: PathBuf,
    /// The other files that it names and that must be there: certificates, keys, secrets. None twice.
    pub files: Vec<PathBuf>,
    /// `[server]`.
    pub server: Server,
    /// `[token_service]`.
    pub token_service: TokenService,
    /// `[scopes]`, in the order of the file.
    pub scopes: Vec<Scope>,
    /// `[clients.…]`, in the order of the file; ids are distinct.
    pub clients: Vec<Client>,
    /// `[upstreams.…]`, in the order of the file; names are distinct.
    pub upstreams: Vec<Upstream>,
    /// `[[routes]]`, in the order of the file; at most [`Config::MAX_ROUTES`].
    pub routes: Vec<Route>,
    /// `[metrics]`.
    pub metrics: Option<Metrics>,
    /// `[demo]`.
    pub demo: Option<Demo>,
}

impl Config {
    /// The most routes a file may have.
    pub const MAX_ROUTES: usize = 65_535;

    /// The upstream that a route forwards to.
    #[must_use]
    pub fn upstream_of(&self, route: &Route) -> Option<&Upstream> {
        self.upstreams.get(route.upstream.0)
    }

    /// The client with this id.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id.as_str() == id)
    }
}

/// One scope of `[scopes]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scope {
    /// The scope token.
    pub name: String,
    /// What it stands for, for people.
    pub description: String,
    /// Where it stands in the file.
    pub place: Place,
}

/// `[metrics]`: what the gateway counts, for Prometheus and its like.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// An address of its own: loopback, unless the file says in words that it may be open to the network.
    pub listen: SocketAddr,
    /// Where it stands in the file.
    pub place: Place,
}

/// `[demo]`: a stand-in legacy API in the same process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Demo {
    /// A loopback address: it answers without a token.
    pub listen: SocketAddr,
    /// Where it stands in the file.
    pub place: Place,
}
