//! The state that successive requests of a client reuse.

use super::observe::RequestRecord;
use crate::oauth::decide::Identity;
use crate::route::host::LastHost;
use crate::upstream::alarm::Alarm;
use crate::upstream::http1::writer::RequestWriter;

/// The state that requests reuse one after the other: those of an HTTP/1 connection, or of one place among
/// the streams of an HTTP/2 connection.
#[derive(Default)]
pub(crate) struct Session {
    pub(super) record: RequestRecord,
    pub(super) identity: Identity,
    pub(super) last_host: LastHost,
    pub(super) writer: RequestWriter,
    /// The timer of a place among the streams of an HTTP/2 connection. An HTTP/1 connection has its own.
    pub(super) alarm: Alarm,
}
