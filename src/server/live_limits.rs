//! The limits on connections, which can change while the server runs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use h2::server::Builder;

use super::connection_slots::ConnectionSlots;
use super::descriptors::{Descriptors, Shortage};
use super::http2;
use super::options::ServerOptions;
use crate::config::{AddressRange, Limits};

/// The settings of a connection, fixed when it is accepted.
pub(crate) struct ConnectionSettings {
    pub(crate) limits: Limits,
    /// The addresses of proxies, each of which represents many clients.
    pub(super) trusted_proxies: Box<[AddressRange]>,
    pub(super) http2: Builder,
}

impl ConnectionSettings {
    fn new(limits: Limits, trusted_proxies: &[AddressRange]) -> Self {
        Self { http2: http2::settings(&limits), limits, trusted_proxies: trusted_proxies.into() }
    }
}

/// The limits of a running server, which can be changed from any thread.
pub(crate) struct LiveLimits {
    connection_settings: ArcSwap<ConnectionSettings>,
    connection_slots: Arc<ConnectionSlots>,
    grace_millis: AtomicU64,
    descriptors: Descriptors,
}

impl LiveLimits {
    pub(super) fn new(options: &ServerOptions, descriptors: Descriptors) -> Self {
        let ServerOptions { limits, trusted_proxies, grace, .. } = options;
        let settings = ConnectionSettings::new(limits.clone(), trusted_proxies);
        Self {
            connection_settings: ArcSwap::from_pointee(settings),
            connection_slots: ConnectionSlots::new(limits, descriptors.connections()),
            grace_millis: AtomicU64::new(millis(*grace)),
            descriptors,
        }
    }

    /// Creates limits for a test without listeners.
    #[cfg(test)]
    pub(super) fn without_listeners(limits: Limits, grace: Duration) -> Self {
        let options = ServerOptions { limits, grace, ..ServerOptions::new(Vec::new()) };
        Self::new(&options, Descriptors::raise(1))
    }

    /// Sets the limits of new connections and the grace time of future drains. Open connections stay open,
    /// even if there are more than the new maximum.
    pub(crate) fn set(&self, limits: Limits, trusted_proxies: &[AddressRange], grace: Duration) {
        self.grace_millis.store(millis(grace), Relaxed);
        self.connection_slots.set(&limits);
        self.connection_settings.store(Arc::new(ConnectionSettings::new(limits, trusted_proxies)));
    }

    /// Returns why the server accepts fewer connections than configured.
    pub(crate) fn shortage(&self) -> Option<Shortage> {
        self.descriptors.shortage(self.connection_settings.load().limits.max_connections)
    }

    pub(crate) fn connection_settings(&self) -> Arc<ConnectionSettings> {
        self.connection_settings.load_full()
    }

    pub(crate) fn connection_slots(&self) -> &Arc<ConnectionSlots> {
        &self.connection_slots
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_millis.load(Relaxed))
    }
}

impl fmt::Debug for LiveLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.connection_settings.load();
        f.debug_struct("LiveLimits").field("limits", &settings.limits).field("grace", &self.grace()).finish()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
