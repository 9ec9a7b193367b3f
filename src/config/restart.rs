//! The keys whose change takes effect only after a restart.

use std::mem::discriminant;
use std::net::SocketAddr;

use super::address::AddressRange;
use super::model::{Config, Listener, ListenerProtocol, StoreKind, Tracing};
use crate::store::{EngineAddress, RedisOptions, Topology};

/// A key that is read when the gateway starts, and only then.
pub(crate) struct RestartKey {
    /// The title of its table, as the configuration reference has it.
    pub(super) table: &'static str,
    /// The name.
    pub(super) name: &'static str,
    is_same: fn(&Config, &Config) -> bool,
}

/// All such keys. The reload warns of their changes, and the configuration reference marks them.
pub(super) const RESTART_KEYS: [RestartKey; 25] = [
    RestartKey {
        table: "[server]",
        name: "listen",
        is_same: |one, other| one.server.listen.iter().map(socket).eq(other.server.listen.iter().map(socket)),
    },
    RestartKey {
        table: "[server]",
        name: "threads",
        is_same: |one, other| one.server.threads == other.server.threads,
    },
    RestartKey {
        table: "[server]",
        name: "state_dir",
        is_same: |one, other| one.server.state_dir == other.server.state_dir,
    },
    RestartKey {
        table: "[token_service]",
        name: "max_tokens",
        is_same: |one, other| one.token_service.max_tokens == other.token_service.max_tokens,
    },
    RestartKey {
        table: "[store]",
        name: "kind",
        is_same: |one, other| discriminant(&one.store) == discriminant(&other.store),
    },
    RestartKey {
        table: "[store]",
        name: "url",
        is_same: |one, other| same(one, other, |engine| single(&engine.topology).cloned()),
    },
    RestartKey {
        table: "[store]",
        name: "urls",
        is_same: |one, other| same(one, other, |engine| several(&engine.topology).to_vec()),
    },
    RestartKey {
        table: "[store]",
        name: "sentinel",
        is_same: |one, other| same(one, other, |engine| primary(&engine.topology).map(str::to_owned)),
    },
    RestartKey {
        table: "[store]",
        name: "cluster",
        is_same: |one, other| same(one, other, |engine| matches!(engine.topology, Topology::Cluster(_))),
    },
    RestartKey {
        table: "[store]",
        name: "user",
        is_same: |one, other| same(one, other, |engine| engine.login.user.clone()),
    },
    RestartKey {
        table: "[store]",
        name: "password",
        is_same: |one, other| same(one, other, |engine| engine.login.password.clone()),
    },
    RestartKey {
        table: "[store]",
        name: "sentinel_user",
        is_same: |one, other| same(one, other, |engine| engine.sentinel_login.user.clone()),
    },
    RestartKey {
        table: "[store]",
        name: "sentinel_password",
        is_same: |one, other| same(one, other, |engine| engine.sentinel_login.password.clone()),
    },
    RestartKey {
        table: "[store]",
        name: "tls",
        is_same: |one, other| same(one, other, |engine| engine.tls.clone()),
    },
    RestartKey {
        table: "[store]",
        name: "prefix",
        is_same: |one, other| same(one, other, |engine| engine.prefix.clone()),
    },
    RestartKey {
        table: "[store]",
        name: "lease",
        is_same: |one, other| same(one, other, |engine| engine.lease),
    },
    RestartKey {
        table: "[store]",
        name: "allow_cached",
        is_same: |one, other| same(one, other, |engine| engine.allow_cached),
    },
    RestartKey {
        table: "[metrics]",
        name: "listen",
        is_same: |one, other| {
            let of = |config: &Config| config.metrics.as_ref().map(|metrics| metrics.listen);
            of(one) == of(other)
        },
    },
    RestartKey {
        table: "[tracing]",
        name: "endpoint",
        is_same: |one, other| same_tracing(one, other, |tracing| &tracing.endpoint),
    },
    RestartKey {
        table: "[tracing]",
        name: "authorization",
        is_same: |one, other| same_tracing(one, other, |tracing| &tracing.authorization),
    },
    RestartKey {
        table: "[tracing]",
        name: "service_name",
        is_same: |one, other| same_tracing(one, other, |tracing| &tracing.service_name),
    },
    RestartKey {
        table: "[tracing]",
        name: "ratio",
        is_same: |one, other| same_tracing(one, other, |tracing| &tracing.ratio),
    },
    RestartKey {
        table: "[tracing]",
        name: "accept_context",
        is_same: |one, other| same_tracing(one, other, |tracing| &tracing.accept_context),
    },
    RestartKey {
        table: "[admin]",
        name: "listen",
        is_same: |one, other| {
            let of = |config: &Config| config.admin.as_ref().map(|admin| (admin.listen, admin.tls));
            of(one) == of(other)
        },
    },
    RestartKey {
        table: "[demo]",
        name: "listen",
        is_same: |one, other| {
            let of = |config: &Config| config.demo.as_ref().map(|demo| demo.listen);
            of(one) == of(other)
        },
    },
];

/// Returns the keys, such as `server.listen`, that differ between two configurations and need a restart.
pub(crate) fn needs_restart(started_with: &Config, now: &Config) -> Vec<String> {
    let changed = RESTART_KEYS.iter().filter(|key| !(key.is_same)(started_with, now));
    changed.map(|key| format!("{}.{}", key.table.trim_matches(['[', ']']), key.name)).collect()
}

/// The address to which a listener is bound. Its position in the file is left out, because every edit above
/// it changes the position.
fn socket(listener: &Listener) -> (SocketAddr, &ListenerProtocol, Option<&[AddressRange]>) {
    (listener.address, &listener.protocol, listener.proxy_protocol.as_deref())
}

/// Returns whether two configurations have the same about the engine, if both have one.
fn same<T: PartialEq>(one: &Config, other: &Config, of: fn(&RedisOptions) -> T) -> bool {
    match (&one.store, &other.store) {
        (StoreKind::Redis(one), StoreKind::Redis(other)) => of(one) == of(other),
        _ => true,
    }
}

/// Returns whether two configurations have the same about traces. One without `[tracing]` has nothing.
fn same_tracing<T: PartialEq>(one: &Config, other: &Config, of: fn(&Tracing) -> &T) -> bool {
    one.tracing.as_ref().map(of) == other.tracing.as_ref().map(of)
}

fn single(topology: &Topology) -> Option<&EngineAddress> {
    match topology {
        Topology::Single(address) => Some(address),
        _ => None,
    }
}

fn several(topology: &Topology) -> &[EngineAddress] {
    match topology {
        Topology::Single(_) => &[],
        Topology::Sentinel { sentinels, .. } => sentinels,
        Topology::Cluster(nodes) => nodes,
    }
}

fn primary(topology: &Topology) -> Option<&str> {
    match topology {
        Topology::Sentinel { primary, .. } => Some(primary),
        _ => None,
    }
}
