//! `[server]` and `[token_service]`.

use std::{
    fmt,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use super::{acme::Acme, cors::Cors, jwt::JwtService, mode::Mode, registration::Registration};
use crate::{
    config::{
        address::{AddressRange, Host, Origin, Scheme},
        error::Position,
        settings::limits,
        units::Rate,
    },
    oauth::{public_origin::PublicOrigin, scope::RestrictedTokens},
};

/// `[server]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// The listeners: at least one, no two of them on the same address.
    pub listen: Vec<Listener>,
    /// The number of worker threads; `None` is one per core.
    pub threads: Option<NonZeroUsize>,
    /// The folder for the gateway's own files. It may not exist yet.
    pub state_dir: PathBuf,
    /// `[server.tls]`.
    pub tls: ServerTls,
    /// `[server.limits]`.
    pub limits: Limits,
    /// The time that requests in flight have to finish after SIGTERM.
    pub shutdown_grace: Duration,
    /// The destination of the access log.
    pub access_log: AccessLog,
    /// Whether requests get an `X-Request-Id`. By default they do if they are logged.
    pub request_id: bool,
    /// The proxies whose `Forwarded` and `X-Forwarded-*` headers are believed. Each sets or removes all of
    /// them.
    pub trusted_proxies: Vec<AddressRange>,
    /// The mode of the routes that have none of their own.
    pub mode: Mode,
}

impl Server {
    /// Returns the first listener that serves requests instead of redirecting them, and its index.
    #[must_use]
    pub fn first_serving(&self) -> Option<(usize, &Listener)> {
        self.listen.iter().enumerate().find(|(_, listener)| listener.protocol != ListenerProtocol::Redirect)
    }
}

/// The destination of the access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// A file, which lines are appended to. It may not exist yet; its folder does.
    File(PathBuf),
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// The address; port 0 picks one.
    pub address: SocketAddr,
    /// The protocol it speaks.
    pub protocol: ListenerProtocol,
    /// The addresses whose connections begin with a PROXY protocol header (v1 or v2), which is believed.
    /// Connections from others are refused. `None` if there is no such header.
    pub proxy_protocol: Option<Vec<AddressRange>>,
    /// The position in the file; the start of the file for the default listener.
    pub position: Position,
}

/// The protocol of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// HTTP/1.1 and HTTP/2 over TLS.
    Https,
    /// HTTP without TLS.
    Http {
        /// Whether a TLS terminator is in front of the listener, so that it may be open to the network.
        behind_tls: bool,
        /// Whether the listener speaks HTTP/2 instead of HTTP/1.1.
        h2c: bool,
    },
    /// HTTP/1.1 without TLS; every request is redirected to `https`.
    Redirect,
}

impl ListenerProtocol {
    /// Returns the scheme of the listener's URL.
    #[must_use]
    pub fn scheme(self) -> Scheme {
        match self {
            Self::Https => Scheme::Https,
            Self::Http { .. } | Self::Redirect => Scheme::Http,
        }
    }
}

/// `[server.tls]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerTls {
    /// The server's certificate.
    pub certificate: ServerCertificate,
    /// The authorities (PEM) that client certificates are verified with. If it is set, clients are asked for
    /// one.
    pub client_ca: Option<PathBuf>,
}

/// The certificate of the `https://` listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerCertificate {
    /// Made once and kept in [`Server::state_dir`].
    SelfSigned,
    /// PEM files: at least one certificate. The name that a client sends (SNI) picks one of them; the first
    /// is for clients that send no name, or one that no certificate has.
    Files(Vec<CertificateFiles>),
    /// Issued by an authority over ACME and kept in [`Server::state_dir`]. The certificates in files, which there may
    /// be none of, come before them.
    Acme(Box<Acme>, Vec<CertificateFiles>),
}

impl ServerCertificate {
    /// Returns how certificates are ordered, if they are.
    #[must_use]
    pub fn acme(&self) -> Option<&Acme> {
        match self {
            Self::Acme(acme, _) => Some(acme),
            Self::SelfSigned | Self::Files(_) => None,
        }
    }
}

/// A certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain (PEM), the server's or client's own certificate first.
    pub certificate: PathBuf,
    /// The private key (PEM).
    pub key: PathBuf,
}

/// `[server.limits]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The timeout for the head of a request.
    pub header_timeout: Duration,
    /// The largest head of a request, in bytes.
    pub max_header_size: usize,
    /// The most header fields of a request.
    pub max_headers: usize,
    /// The timeout of an idle connection.
    pub idle_timeout: Duration,
    /// The most connections.
    pub max_connections: usize,
    /// The most connections of one address (IPv6: of its /64).
    pub max_connections_per_address: ConnectionsPerAddress,
    /// The requests of one address (IPv6: of its /64), to whatever path.
    pub rate_limit_by_address: Option<Rate>,
    /// The largest request body, unless the route says otherwise.
    pub max_body_size: BodyLimit,
    /// The timeout between two reads of a request body, and of the whole body of a token request.
    pub body_timeout: Duration,
    /// The timeout of a write to a client that does not read.
    pub write_timeout: Duration,
    /// The timeout of a TLS handshake.
    pub handshake_timeout: Duration,
    /// The time for which a client that has closed its sending side is served while nothing is sent to it.
    pub half_closed_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            header_timeout: limits::HEADER_TIMEOUT.default,
            max_header_size: usize::try_from(limits::MAX_HEADER_SIZE.default.0).unwrap_or(usize::MAX),
            max_headers: count(limits::MAX_HEADERS.default),
            idle_timeout: limits::IDLE_TIMEOUT.default,
            max_connections: count(limits::MAX_CONNECTIONS.default),
            max_connections_per_address: ConnectionsPerAddress::Share,
            rate_limit_by_address: None,
            max_body_size: BodyLimit::of(limits::MAX_BODY_SIZE.default.0),
            body_timeout: limits::BODY_TIMEOUT.default,
            write_timeout: limits::WRITE_TIMEOUT.default,
            handshake_timeout: limits::HANDSHAKE_TIMEOUT.default,
            half_closed_timeout: limits::HALF_CLOSED_TIMEOUT.default,
        }
    }
}

/// The maximum number of connections from one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionsPerAddress {
    /// A quarter of them, but not less than 64: enough for a whole site behind one address, and not all.
    Share,
    /// At most this many.
    AtMost(NonZeroUsize),
    /// No limit; 0 in the file.
    Unlimited,
}

impl ConnectionsPerAddress {
    /// The share of an address if all connections are few.
    const LEAST_SHARE: usize = 64;

    /// Returns the number, given that of all connections.
    #[must_use]
    pub fn of(self, max_connections: usize) -> usize {
        match self {
            Self::Share => (max_connections / 4).max(Self::LEAST_SHARE),
            Self::AtMost(most) => most.get(),
            Self::Unlimited => usize::MAX,
        }
    }
}

/// The largest body that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLimit {
    /// No limit; `"0"` in the file.
    Unlimited,
    /// At most this many bytes.
    Bytes(u64),
}

impl BodyLimit {
    pub(in crate::config) fn of(bytes: u64) -> Self {
        if bytes == 0 { Self::Unlimited } else { Self::Bytes(bytes) }
    }
}

/// `[token_service]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenService {
    /// The issuer identifier (RFC 8414 §2).
    pub issuer: Issuer,
    /// The path of the token endpoint.
    pub token_endpoint: String,
    /// The path of the introspection endpoint.
    pub introspection_endpoint: String,
    /// The path of the revocation endpoint.
    pub revocation_endpoint: String,
    /// The lifetime of tokens, unless the client has its own: 1 s to 30 d.
    pub token_lifetime: Duration,
    /// The most live tokens.
    pub max_tokens: NonZeroU32,
    /// The most live tokens of one client; never more than `max_tokens`.
    pub max_tokens_per_client: NonZeroU32,
    /// When failed client authentications are answered with 429.
    pub throttle: Throttle,
    /// Cross-origin requests from browsers to the endpoints; `None` allows none. Its methods are those of
    /// each endpoint.
    pub cors: Option<Cors>,
    /// The realm of challenges. It can be put into a quoted string without escapes.
    pub realm: String,
    /// The origins under which clients know the gateway, besides the issuer's and the hosts of routes.
    pub public_origins: Vec<PublicOrigin>,
    /// The routes that accept a token that is restricted to a resource (RFC 8707).
    pub restricted_tokens: RestrictedTokens,
    /// How clients register themselves; `None` lets none of them do so.
    pub registration: Option<Registration>,
    /// How JWTs for upstreams are signed. `None` if no route asks for them and the file does not configure
    /// it.
    pub jwt: Option<JwtService>,
}

/// The issuer identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuer {
    /// The one in the file.
    Configured(String),
    /// Made from the first listener. If that has port 0, [`Issuer::of_listener`] makes it again when the port
    /// is known.
    FromListener(String),
}

impl Issuer {
    /// Returns the identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Configured(issuer) | Self::FromListener(issuer) => issuer,
        }
    }

    /// Makes the URL by which a client on this machine reaches a listener.
    #[must_use]
    pub fn of_listener(scheme: Scheme, address: SocketAddr) -> Self {
        let ip = address.ip().to_canonical();
        let host = if ip.is_loopback() || ip.is_unspecified() {
            Host::Name("localhost".into())
        } else {
            Host::Address(ip)
        };
        Self::FromListener(Origin { scheme, host, port: address.port() }.to_string())
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number of failed authentications that are allowed in a period, for a client id from one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Throttle {
    /// The allowed failures.
    pub failures: NonZeroU32,
    /// The period.
    pub per: Duration,
}
