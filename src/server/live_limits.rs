//! The limits on connections, which can change while the server runs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;

use super::connection_slots::ConnectionSlots;
use super::descriptors::{Descriptors, Shortage};
use super::options::ServerOptions;
use super::streams::StreamExecutor;
use crate::config::{AddressRange, Limits};

/// The maximum size of hyper's write buffer per stream.
const MAX_BUFFER: usize = 64 * 1024;

/// The settings of a connection, fixed when it is accepted.
pub(crate) struct ConnectionSettings {
    pub(crate) limits: Limits,
    /// The addresses of proxies, each of which represents many clients.
    pub(super) trusted_proxies: Box<[AddressRange]>,
    pub(super) http2: http2::Builder<StreamExecutor>,
}

impl ConnectionSettings {
    fn new(limits: Limits, trusted_proxies: &[AddressRange]) -> Self {
        Self { http2: http2(&limits), limits, trusted_proxies: trusted_proxies.into() }
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

fn http2(limits: &Limits) -> http2::Builder<StreamExecutor> {
    let mut builder = http2::Builder::new(StreamExecutor::new(limits.write_timeout));
    builder
        .timer(TokioTimer::new())
        .adaptive_window(false)
        .max_concurrent_streams(128)
        // A client may fill these windows before the gateway reads anything. They limit the memory per
        // connection, and are large enough for uploads.
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_frame_size(16 * 1024)
        .max_send_buf_size(MAX_BUFFER)
        .max_header_list_size(u32::try_from(limits.max_header_size).unwrap_or(u32::MAX))
        // Limits the streams that a client resets before they are accepted ("rapid reset"), and the streams
        // that are reset because of the client's errors.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(128);
    builder
}
