//! The content of an engine, for operators.

use std::time::Duration;

use crate::sorting::sort_by;
use crate::store::client_table::CLIENT;
use crate::store::engine::RedisOptions;
use crate::store::redis::connect;
use crate::store::redis::error::EngineError;
use crate::store::redis::identity::Identity;
use crate::store::redis::keys::Keys;
use crate::tasks::{block_on, runtime};

/// The content of an engine.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The server that has the log.
    pub(crate) address: String,
    /// The name and version of the server program.
    pub(crate) version: String,
    /// The number of connected replicas.
    pub(crate) replicas: u32,
    /// The number of entries in the log.
    pub(crate) entries: u64,
    /// The clients whose tokens were ended at least once.
    pub(crate) epochs: u64,
    /// The clients that have registered themselves.
    pub(crate) registered: u64,
    /// The gateways, in the order of their names.
    pub(crate) gateways: Vec<Gateway>,
}

/// A gateway on the engine.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) name: String,
    /// The time since the gateway last read the log.
    pub(crate) age: Duration,
    /// The digest of its clients.
    pub(crate) clients: String,
    pub(crate) version: String,
}

/// Queries the content of an engine. Nothing is written.
///
/// # Errors
/// The reason why the engine does not respond, as a message for operators.
pub(crate) fn survey(options: &RedisOptions) -> Result<Survey, String> {
    let runtime = runtime().map_err(|error| error.to_string())?;
    block_on(&runtime, ask(options))
        .map_err(|error| format!("the shared store at {} cannot be read: {error}", options.topology))
}

async fn ask(options: &RedisOptions) -> Result<Survey, EngineError> {
    let keys = Keys::new(&options.prefix);
    let address = connect::primary(options, &keys).await?.address;
    let mut connection = connect::open(&address, options.tls.as_ref(), &options.login, None).await?;
    let identity = Identity::ask(&mut connection).await?;
    let mut commands = redis::pipe();
    commands.cmd("TIME").cmd("XLEN").arg(&keys.log).cmd("HLEN").arg(&keys.epochs);
    commands.cmd("HKEYS").arg(&keys.clients).cmd("HGETALL").arg(&keys.gateways);
    type Found = ((u64, u64), u64, u64, Vec<String>, Vec<(String, String)>);
    let ((seconds, micros), entries, epochs, clients, found): Found =
        commands.query_async(&mut connection).await?;
    let now = Duration::from_secs(seconds) + Duration::from_micros(micros);
    let mut gateways: Vec<Gateway> = found
        .into_iter()
        .map(|(name, written)| {
            let mut fields = written.split(' ');
            let read =
                fields.next().and_then(|millis| millis.parse().ok()).map_or(now, Duration::from_millis);
            let mut field = |at| fields.nth(at).unwrap_or_default().to_owned();
            Gateway { name, age: now.saturating_sub(read), clients: field(1), version: field(0) }
        })
        .collect();
    sort_by(&mut gateways, |one, other| one.name.cmp(&other.name));
    let (address, version, replicas) = (address.to_string(), identity.version, identity.replicas);
    let registered = clients.iter().filter(|key| key.starts_with(CLIENT)).count();
    let registered = u64::try_from(registered).unwrap_or(u64::MAX);
    Ok(Survey { address, version, replicas, entries, epochs, registered, gateways })
}
