//! How an engine identifies itself.

use redis::aio::MultiplexedConnection;

use crate::store::redis::error::EngineError;

/// The history of a server. A restart or a failover starts a new history, which may lack the last writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The replication id and the id of the process.
    pub(super) history: String,
    /// The names of all primaries of a cluster. Another primary may lack tombstones that the one before had.
    pub(super) group: Vec<String>,
    pub(super) role: Role,
    /// The number of connected replicas.
    pub(super) replicas: u32,
    /// Whether the server refuses writes without replicas (`min-replicas-to-write`).
    pub(super) is_fenced: bool,
    /// The name and version of the server program.
    pub(super) version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Replica,
}

/// The first major version that supports all commands that the store uses.
const OLDEST: u32 = 7;

impl Identity {
    /// Queries the identity of a server.
    pub(super) async fn ask(connection: &mut MultiplexedConnection) -> Result<Self, EngineError> {
        let info: String =
            redis::cmd("INFO").arg("server").arg("replication").query_async(connection).await?;
        let identity = Self::read(&info).ok_or(EngineError::NotAnEngine)?;
        let field = |name: &str| field(&info, name);
        let major = field("redis_version").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
        match major {
            Some(major) if major >= OLDEST => Ok(identity),
            _ => Err(EngineError::TooOld(identity.version)),
        }
    }

    /// Returns the history of the server, and of all primaries of a cluster.
    pub(super) fn lineage(&self) -> String {
        let mut lineage = self.history.clone();
        self.group.iter().for_each(|name| lineage.extend([".", name.get(..8).unwrap_or(name)]));
        lineage
    }

    fn read(info: &str) -> Option<Self> {
        let field = |name: &str| field(info, name);
        let role = match field("role")? {
            "master" => Role::Primary,
            _ => Role::Replica,
        };
        let version = match field("valkey_version") {
            Some(version) => format!("Valkey {version}"),
            None => format!("Redis {}", field("redis_version")?),
        };
        Some(Self {
            group: Vec::new(),
            history: format!("{}.{}", field("master_replid")?, field("run_id")?),
            role,
            replicas: field("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0),
            // The line is there only if the server counts its replicas.
            is_fenced: field("min_slaves_good_slaves").is_some(),
            version,
        })
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_known_by_its_replication_and_its_process() {
        let info = "# Server\r\nredis_version:7.0.15\r\nrun_id:aa\r\n# Replication\r\nrole:master\r\n\
                    connected_slaves:2\r\nmaster_replid:bb\r\n";
        let identity = Identity::read(info).unwrap();
        assert_eq!((&*identity.history, identity.role, identity.replicas), ("bb.aa", Role::Primary, 2));
        assert_eq!(identity.version, "Redis 7.0.15");
        assert!(!identity.is_fenced);
        let fenced = format!("{info}min_slaves_good_slaves:0\r\n");
        assert!(Identity::read(&fenced).unwrap().is_fenced);
        let valkey = info.replace("role:master", "valkey_version:8.0.1\r\nrole:slave");
        let identity = Identity::read(&valkey).unwrap();
        assert_eq!((&*identity.version, identity.role), ("Valkey 8.0.1", Role::Replica));
        assert_eq!(Identity::read("redis_version:7.0.15\r\n"), None);
    }
}
