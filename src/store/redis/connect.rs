//! Connections to the engine: to one server, through sentinels, or to a cluster.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue,
    IntoConnectionInfo as _, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo,
    TlsCertificates,
};
use tokio::sync::Notify;

use crate::store::engine::{EngineAddress, EngineLogin, EngineTls, RedisOptions, Topology};
use crate::store::redis::error::EngineError;
use crate::store::redis::identity::{Identity, Role};
use crate::store::redis::keys::Keys;

/// The timeout of a connection attempt and of a response.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// The connections to the engine.
#[derive(Clone)]
pub(super) struct Link {
    /// The server that has the log.
    pub(super) address: EngineAddress,
    /// A connection to the server that has the log, for reads of the log. It receives the notifications.
    pub(super) log: MultiplexedConnection,
    /// A second connection to the same server, for appends to the log. It may wait for replicas.
    pub(super) writes: MultiplexedConnection,
    /// A connection for tokens and used names.
    pub(super) data: Data,
}

/// A connection for keys that may be on any server.
#[derive(Clone)]
pub(super) enum Data {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Data {
    pub(super) async fn query<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, EngineError> {
        let answer = match self {
            Self::One(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        };
        answer.map_err(EngineError::from)
    }

    /// Runs commands whose keys are on one server.
    pub(super) async fn query_all<T: FromRedisValue>(
        &mut self,
        commands: &Pipeline,
    ) -> Result<T, EngineError> {
        let answer = match self {
            Self::One(connection) => commands.query_async(connection).await,
            Self::Cluster(connection) => commands.query_async(connection).await,
        };
        answer.map_err(EngineError::from)
    }
}

impl Link {
    /// Connects to the engine. `ring` is notified when the log has changed, and when the connection to the
    /// log has ended. `table` is notified when the table of registered clients has changed.
    pub(super) async fn connect(
        options: &RedisOptions,
        keys: &Keys,
        ring: Arc<Notify>,
        table: Arc<Notify>,
    ) -> Result<(Self, Identity), EngineError> {
        let Primary { address, group } = primary(options, keys).await?;
        let version = keys.clients_version.clone();
        let on_push: OnPush = Box::new(move |push| {
            let is_about_table = push.kind == PushKind::Invalidate && names(&push.data, &version);
            if is_about_table { &table } else { &ring }.notify_one();
        });
        let mut log = open(&address, options.tls.as_ref(), &options.login, Some(on_push)).await?;
        let mut identity = Identity::ask(&mut log).await?;
        identity.group = group;
        if identity.role == Role::Replica {
            return Err(EngineError::Replica(address));
        }
        redis::cmd("CLIENT")
            .arg(&["TRACKING", "ON", "BCAST", "PREFIX"])
            .arg(&keys.log)
            .arg(&["PREFIX", &keys.clients_version])
            .query_async::<()>(&mut log)
            .await?;
        let writes = open(&address, options.tls.as_ref(), &options.login, None).await?;
        let data = match &options.topology {
            Topology::Cluster(nodes) => Data::Cluster(open_cluster(nodes, options).await?),
            Topology::Single(_) | Topology::Sentinel { .. } => {
                Data::One(open(&address, options.tls.as_ref(), &options.login, None).await?)
            }
        };
        Ok((Self { address, log, writes, data }, identity))
    }
}

/// The server that has the log, and the servers that have the tokens.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Primary {
    /// The server that has the log.
    pub(super) address: EngineAddress,
    /// The names of all primaries of a cluster, in order. The list is empty without a cluster.
    pub(super) group: Vec<String>,
}

impl From<EngineAddress> for Primary {
    fn from(address: EngineAddress) -> Self {
        Self { address, group: Vec::new() }
    }
}

/// Finds the server that has the log.
pub(super) async fn primary(options: &RedisOptions, keys: &Keys) -> Result<Primary, EngineError> {
    let tls = options.tls.as_ref();
    match &options.topology {
        Topology::Single(address) => Ok(address.clone().into()),
        Topology::Sentinel { sentinels, primary } => {
            let mut last = EngineError::UnknownPrimary(primary.clone());
            for sentinel in sentinels {
                match ask_sentinel(sentinel, primary, tls, &options.sentinel_login).await {
                    Ok(Some(address)) => return Ok(address.into()),
                    Ok(None) => last = EngineError::UnknownPrimary(primary.clone()),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
        Topology::Cluster(nodes) => {
            let mut last = EngineError::NoSlot;
            for node in nodes {
                match ask_node(node, keys, tls, &options.login).await {
                    Ok(Some(primary)) => return Ok(primary),
                    Ok(None) => last = EngineError::NoSlot,
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

async fn ask_sentinel(
    sentinel: &EngineAddress,
    primary: &str,
    tls: Option<&EngineTls>,
    login: &EngineLogin,
) -> Result<Option<EngineAddress>, EngineError> {
    let mut connection = open(sentinel, tls, login, None).await?;
    let question = redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(primary).to_owned();
    let found: Option<(String, u16)> = question.query_async(&mut connection).await?;
    Ok(found.map(|(host, port)| EngineAddress::Tcp { host, port }))
}

/// Asks a node of a cluster which nodes have the slots.
async fn ask_node(
    node: &EngineAddress,
    keys: &Keys,
    tls: Option<&EngineTls>,
    login: &EngineLogin,
) -> Result<Option<Primary>, EngineError> {
    type Node = (Option<String>, u16);
    let mut connection = open(node, tls, login, None).await?;
    let slot: u16 = redis::cmd("CLUSTER").arg("KEYSLOT").arg(&keys.log).query_async(&mut connection).await?;
    let ranges: Vec<Vec<redis::Value>> =
        redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
    let (mut address, mut group) = (None, BTreeSet::new());
    for range in ranges {
        let [first, last, owner, ..] = &range[..] else { continue };
        let (first, last) = (u16::from_redis_value_ref(first)?, u16::from_redis_value_ref(last)?);
        // The host and the port are followed by the id of the node and its other names.
        let redis::Value::Array(owner) = owner else { continue };
        let [host, port, id, ..] = &owner[..] else { continue };
        group.insert(String::from_redis_value_ref(id)?);
        if !(first..=last).contains(&slot) {
            continue;
        }
        let (host, port): Node = (Option::from_redis_value_ref(host)?, u16::from_redis_value_ref(port)?);
        // A node that does not know its own address leaves it out.
        address = Some(match (host.filter(|host| !host.is_empty()), node) {
            (Some(host), _) => EngineAddress::Tcp { host, port },
            (None, EngineAddress::Tcp { host, .. }) => EngineAddress::Tcp { host: host.clone(), port },
            (None, EngineAddress::Unix(_)) => node.clone(),
        });
    }
    Ok(address.map(|address| Primary { address, group: group.into_iter().collect() }))
}

/// A callback that receives the notifications of the engine.
pub(super) type OnPush = Box<dyn Fn(&PushInfo) + Send + Sync>;

/// Returns whether the first key in a notification is this one.
fn names(data: &[redis::Value], key: &str) -> bool {
    let Some(redis::Value::Array(keys)) = data.first() else { return false };
    matches!(keys.first(), Some(redis::Value::BulkString(name)) if name == key.as_bytes())
}

/// Opens a connection. With `on_push`, the connection receives notifications.
pub(super) async fn open(
    address: &EngineAddress,
    tls: Option<&EngineTls>,
    login: &EngineLogin,
    on_push: Option<OnPush>,
) -> Result<MultiplexedConnection, EngineError> {
    let info = info(address, tls.is_some(), login)?;
    let client = match tls {
        Some(tls) if !matches!(address, EngineAddress::Unix(_)) => {
            Client::build_with_tls(info, certificates(tls)?)?
        }
        _ => Client::open(info)?,
    };
    let mut config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    if let Some(on_push) = on_push {
        config = config.set_push_sender(move |push: PushInfo| {
            if matches!(push.kind, PushKind::Invalidate | PushKind::Disconnection) {
                on_push(&push);
            }
            Ok::<(), ()>(())
        });
    }
    // The protocol handshake has no timeout of its own.
    let opened = client.get_multiplexed_async_connection_with_config(&config);
    tokio::time::timeout(PATIENCE * 2, opened)
        .await
        .map_err(|_| EngineError::Silent)?
        .map_err(EngineError::from)
}

async fn open_cluster(
    nodes: &[EngineAddress],
    options: &RedisOptions,
) -> Result<ClusterConnection, EngineError> {
    let login = &options.login;
    let infos: Result<Vec<_>, _> =
        nodes.iter().map(|node| info(node, options.tls.is_some(), login)).collect();
    let mut builder = ClusterClientBuilder::new(infos?)
        .use_protocol(ProtocolVersion::RESP3)
        .tcp_settings(tcp())
        .connection_timeout(PATIENCE)
        .response_timeout(PATIENCE)
        .overall_response_timeout(Some(PATIENCE))
        .retries(4)
        .min_retry_wait(5)
        .max_retry_wait(50);
    if let Some(user) = &login.user {
        builder = builder.username(user);
    }
    if let Some(password) = &login.password {
        builder = builder.password(password.expose());
    }
    if let Some(tls) = &options.tls {
        builder = builder.tls(redis::TlsMode::Secure).certs(certificates(tls)?);
    }
    let client = builder.build()?;
    let opened = client.get_async_connection();
    tokio::time::timeout(PATIENCE * 2, opened)
        .await
        .map_err(|_| EngineError::Silent)?
        .map_err(EngineError::from)
}

/// Makes the settings of a socket. A command does not wait until the one before it is acknowledged.
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn info(address: &EngineAddress, tls: bool, login: &EngineLogin) -> Result<ConnectionInfo, EngineError> {
    let addr = match address {
        EngineAddress::Unix(path) => ConnectionAddr::Unix(path.clone()),
        EngineAddress::Tcp { host, port } if tls => {
            ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
        }
        EngineAddress::Tcp { host, port } => ConnectionAddr::Tcp(host.clone(), *port),
    };
    let mut settings = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        .set_lib_name("tollgate", env!("CARGO_PKG_VERSION"));
    if let Some(user) = &login.user {
        settings = settings.set_username(user);
    }
    if let Some(password) = &login.password {
        settings = settings.set_password(password.expose());
    }
    Ok(addr.into_connection_info()?.set_redis_settings(settings).set_tcp_settings(tcp()))
}

fn certificates(tls: &EngineTls) -> Result<TlsCertificates, EngineError> {
    let read = |path: &std::path::Path| {
        std::fs::read(path).map_err(|error| EngineError::File(path.to_owned(), error))
    };
    let client_tls = match &tls.client {
        None => None,
        Some((certificate, key)) => {
            Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
        }
    };
    let root_cert = tls.ca.as_deref().map(read).transpose()?;
    Ok(TlsCertificates { client_tls, root_cert })
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    #[test]
    fn a_notification_about_the_table_is_told_from_one_about_the_log() {
        let keys = Keys::new("tg");
        let about = |key: &str| [Value::Array(vec![Value::BulkString(key.as_bytes().to_vec())])];
        assert!(names(&about("{tg}:clients-version"), &keys.clients_version));
        assert!(!names(&about("{tg}:log"), &keys.clients_version));
        // The engine was emptied.
        assert!(!names(&[Value::Nil], &keys.clients_version) && !names(&[], &keys.clients_version));
    }
}
