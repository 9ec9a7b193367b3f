//! How connections are served, and what of it can change while the server runs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;

use super::Limits;
use super::connection_slots::Caps;
use super::streams::StreamExecutor;

/// hyper's write buffer for a stream may grow to this.
const MAX_BUFFER: usize = 64 * 1024;

/// What a connection goes by from its beginning to its end.
pub(crate) struct Conduct {
    pub(crate) limits: Limits,
    pub(super) http2: http2::Builder<StreamExecutor>,
}

impl Conduct {
    fn new(limits: Limits) -> Self {
        Self { http2: http2(&limits), limits }
    }
}

/// The limits of a running server, which can be changed from any thread.
pub(crate) struct LiveLimits {
    conduct: ArcSwap<Conduct>,
    caps: Arc<Caps>,
    /// In milliseconds.
    grace: AtomicU64,
}

impl LiveLimits {
    pub(crate) fn new(limits: &Limits, grace: Duration) -> Self {
        let conduct = ArcSwap::from_pointee(Conduct::new(limits.clone()));
        Self { conduct, caps: Caps::new(limits), grace: AtomicU64::new(millis(grace)) }
    }

    /// Sets the limits of the connections made from now on, and the grace of a drain that begins from now on. Connections
    /// there are stay, even where they are more than there may be now.
    pub(crate) fn set(&self, limits: Limits, grace: Duration) {
        self.grace.store(millis(grace), Relaxed);
        self.caps.set(&limits);
        self.conduct.store(Arc::new(Conduct::new(limits)));
    }

    pub(crate) fn conduct(&self) -> Arc<Conduct> {
        self.conduct.load_full()
    }

    pub(crate) fn caps(&self) -> &Arc<Caps> {
        &self.caps
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace.load(Relaxed))
    }
}

impl fmt::Debug for LiveLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conduct = self.conduct.load();
        f.debug_struct("LiveLimits").field("limits", &conduct.limits).field("grace", &self.grace()).finish()
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
        // A client may fill these before anybody reads: bounds on memory, and still wide enough for an upload.
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_frame_size(16 * 1024)
        .max_send_buf_size(MAX_BUFFER)
        .max_header_list_size(u32::try_from(limits.max_header_size).unwrap_or(u32::MAX))
        // Streams reset before they were accepted ("rapid reset") and streams we reset for the client's faults.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(128);
    builder
}
