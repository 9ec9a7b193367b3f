//! Where the engine of a store is that several gateways share, and how it is used.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::oauth::secret::Secret;

/// Where the engine (Redis or Valkey) of a store is that several gateways share, and how it is used.
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
    /// TLS to all of them. `None` is a connection in clear.
    pub tls: Option<EngineTls>,
    /// The login to the engine.
    pub login: EngineLogin,
    /// The login to the sentinels.
    pub sentinel_login: EngineLogin,
    /// What the names of all keys begin with. Gateways with one prefix on one engine are one.
    pub prefix: String,
    /// How long tokens in memory count after the last completed read of the log was sent, and how long a revocation takes
    /// until it is confirmed. It must be the same for all gateways.
    pub lease: Duration,
    /// How long tokens in memory count while the engine cannot be reached, if that is longer than the lease. This gateway
    /// accepts revoked tokens for that time.
    pub allow_cached: Duration,
    /// What other gateways call this one.
    pub name: String,
}

/// The servers of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topology {
    /// One server.
    Single(EngineAddress),
    /// Sentinels that know the primary of this name.
    Sentinel {
        /// The sentinels. One that answers is enough.
        sentinels: Vec<EngineAddress>,
        /// The name of the primary.
        primary: String,
    },
    /// A cluster, some of whose nodes are these.
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

/// The files of TLS to the engine. They are read for every connection, so that renewed certificates are used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineTls {
    /// The certificates of the authorities that are trusted, in PEM. `None` is those of the system.
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
