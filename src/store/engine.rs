//! Options for a store that several gateways share: the address of the engine, and how it is used.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::oauth::secret::Secret;

/// Options for a store that several gateways share: the address of the engine (Redis or Valkey), and how it
/// is used.
///
/// ```
/// use std::time::Duration;
/// use tollgate::store::{EngineAddress, RedisOptions};
///
/// let address = EngineAddress::Tcp { host: "redis.example.com".into(), port: 6379 };
/// let options = RedisOptions { lease: Duration::from_millis(200), ..RedisOptions::single(address) };
/// # drop(options);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisOptions {
    /// The servers, and how they form one engine.
    pub topology: Topology,
    /// TLS settings for all connections. `None` connects without TLS.
    pub tls: Option<EngineTls>,
    /// The login to the engine.
    pub login: EngineLogin,
    /// The login to the sentinels.
    pub sentinel_login: EngineLogin,
    /// The prefix of all keys. Gateways that use the same prefix on the same engine share their tokens.
    pub prefix: String,
    /// How long a gateway trusts the tokens in its memory after it has sent a read of the log that was
    /// completed. A revocation is confirmed after the same time. The value must be the same for all gateways.
    pub lease: Duration,
    /// How long a gateway trusts the tokens in its memory while the engine cannot be reached, if that is
    /// longer than the lease. This gateway accepts revoked tokens for that time.
    pub allow_cached: Duration,
    /// The name under which other gateways list this one.
    pub name: String,
}

/// The servers of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topology {
    /// One server.
    Single(EngineAddress),
    /// Sentinels, which know the address of the primary.
    Sentinel {
        /// The addresses of the sentinels. The store needs an answer from only one of them.
        sentinels: Vec<EngineAddress>,
        /// The name of the primary.
        primary: String,
    },
    /// A cluster, by the addresses of some of its nodes.
    Cluster(Vec<EngineAddress>),
}

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineAddress {
    /// A host name or an IP address, and a port.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

/// The files for TLS connections to the engine. They are read for every connection, so that renewed
/// certificates are used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineTls {
    /// The certificates of the trusted authorities, in PEM. `None` uses the authorities of the system.
    pub ca: Option<PathBuf>,
    /// The certificate of this gateway and its key, in PEM.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// A login to a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineLogin {
    /// The user. `None` is the default user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

impl RedisOptions {
    /// The default lease.
    pub const LEASE: Duration = Duration::from_millis(100);
    /// The default prefix of keys.
    pub const PREFIX: &str = "tg";

    /// Makes options for one server, without TLS and without a login.
    #[must_use]
    pub fn single(address: EngineAddress) -> Self {
        Self::of(Topology::Single(address))
    }

    /// Makes options for servers, without TLS and without a login.
    #[must_use]
    pub fn of(topology: Topology) -> Self {
        Self {
            topology,
            tls: None,
            login: EngineLogin::default(),
            sentinel_login: EngineLogin::default(),
            prefix: Self::PREFIX.to_owned(),
            lease: Self::LEASE,
            allow_cached: Duration::ZERO,
            name: String::new(),
        }
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, addresses) = match self {
            Self::Single(address) => return address.fmt(f),
            Self::Sentinel { sentinels, primary } => {
                write!(f, "{primary} of the sentinels ")?;
                ("", sentinels)
            }
            Self::Cluster(nodes) => ("the cluster of ", nodes),
        };
        f.write_str(before)?;
        for (at, address) in addresses.iter().enumerate() {
            write!(f, "{}{address}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
