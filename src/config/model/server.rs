//! `[server]` and `[token_service]`.

use std::{
    fmt,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use crate::config::{
    address::{AddressRange, Host, Origin, Scheme},
    error::Place,
    settings::limits,
};

/// `[server]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// Where to listen: at least one, no two of them the same.
    pub listen: Vec<Listener>,
    /// How many threads; `None` is one per core.
    pub threads: Option<NonZeroUsize>,
    /// Where the gateway keeps its own files; may not exist yet.
    pub state_dir: PathBuf,
    /// `[server.tls]`.
    pub tls: ServerTls,
    /// `[server.limits]`.
    pub limits: Limits,
    /// How long requests in flight may take to finish once the process is told to end.
    pub shutdown_grace: Duration,
    /// Where each request is logged.
    pub access_log: AccessLog,
    /// Whether requests get an `X-Request-Id`; where the file says nothing, whether they are logged.
    pub request_id: bool,
    /// Whose `Forwarded` and `X-Forwarded-*` headers are believed: proxies that set or remove every one of them.
    pub trusted_proxies: Vec<AddressRange>,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// To standard output.
    Stdout,
    /// To the end of a file, which may not exist yet; its folder does.
    File(PathBuf),
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// The address; port 0 picks one.
    pub address: SocketAddr,
    /// What is spoken on it.
    pub protocol: ListenerProtocol,
    /// Whether connections begin with a PROXY protocol header (v1 or v2).
    pub proxy_protocol: bool,
    /// Where it stands in the file; the start of the file if it is the default one.
    pub place: Place,
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// HTTP/1.1 and HTTP/2 over TLS.
    Https,
    /// HTTP without TLS.
    Http {
        /// A TLS terminator stands before it, so it may be open to the network.
        behind_tls: bool,
        /// HTTP/2 without TLS is spoken too.
        h2c: bool,
    },
}

impl ListenerProtocol {
    /// The scheme in the listener's own URL.
    #[must_use]
    pub fn scheme(self) -> Scheme {
        match self {
            Self::Https => Scheme::Https,
            Self::Http { .. } => Scheme::Http,
        }
    }
}

/// `[server.tls]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerTls {
    /// What the server shows of itself.
    pub certificate: ServerCertificate,
    /// If there: clients are asked for a certificate, and these authorities vouch for it (PEM).
    pub client_ca: Option<PathBuf>,
}

/// The certificate of the https listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerCertificate {
    /// Made once and kept in [`Server::state_dir`].
    SelfSigned,
    /// PEM files that could be opened; what is in them is the server's to check.
    Files {
        /// The chain, the server's own certificate first.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// `[server.limits]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Until a request's head is whole.
    pub header_timeout: Duration,
    /// A request's head, in bytes.
    pub max_header_size: usize,
    /// Header fields in a request.
    pub max_headers: usize,
    /// A kept-alive connection without a request.
    pub idle_timeout: Duration,
    /// Connections in all.
    pub max_connections: usize,
    /// Connections of one address (IPv6: of its /64); none: as many as there may be in all.
    pub max_connections_per_address: Option<usize>,
    /// A request body, where the route says nothing.
    pub max_body_size: BodyLimit,
    /// Between two reads of a request body; the whole of a token request's.
    pub body_timeout: Duration,
    /// A client that does not read.
    pub write_timeout: Duration,
    /// The TLS handshake.
    pub handshake_timeout: Duration,
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
            max_connections_per_address: match limits::MAX_CONNECTIONS_PER_ADDRESS.default {
                0 => None,
                most => Some(count(most)),
            },
            max_body_size: BodyLimit::of(limits::MAX_BODY_SIZE.default.0),
            body_timeout: limits::BODY_TIMEOUT.default,
            write_timeout: limits::WRITE_TIMEOUT.default,
            handshake_timeout: limits::HANDSHAKE_TIMEOUT.default,
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
    /// How long a token lives where its client says nothing: 1 s to 30 d.
    pub token_lifetime: Duration,
    /// Live tokens in all.
    pub max_tokens: NonZeroU32,
    /// Live tokens of one client; never more than `max_tokens`.
    pub max_tokens_per_client: NonZeroU32,
    /// When failed client authentications are slowed down.
    pub throttle: Throttle,
    /// The realm of challenges; fit for a quoted string as it is.
    pub realm: String,
}

/// The issuer identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuer {
    /// As the file says.
    Configured(String),
    /// Made from the first listener. Where that has port 0, [`Issuer::of_listener`] makes it anew once the port is known.
    FromListener(String),
}

impl Issuer {
    /// The identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Configured(issuer) | Self::FromListener(issuer) => issuer,
        }
    }

    /// What a client on this machine would call a listener.
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

/// How many failed authentications are borne in a period, for a client id from one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Throttle {
    /// The failures.
    pub failures: NonZeroU32,
    /// The period.
    pub per: Duration,
}
