//! Serves an HTTP/2 connection: accepts its streams, runs them in the connection's task, and enforces the
//! timeouts.

mod connection;
mod streams;
mod timeouts;
mod wakers;

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use self::connection::Connection;
pub(super) use self::connection::settings;
use self::streams::Handoff;
use self::timeouts::{End, drive};
use super::connection_info::ConnInfo;
use super::handler::Handler;
use super::io::Watched;
use super::live_limits::ConnectionSettings;
use super::shutdown::DrainSignal;
use crate::proxy::client::Socket;

/// How long an idle connection may take to send its last frame (GOAWAY).
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves an HTTP/2 connection to its end.
pub(super) async fn serve<H: Handler, I: Socket>(
    handler: &Arc<H>,
    io: I,
    info: Arc<ConnInfo>,
    settings: &ConnectionSettings,
    drain: &DrainSignal,
) {
    let io = Watched::new(io, Arc::clone(&info));
    let limits = &settings.limits;
    let place = |handoff| answer(Arc::clone(handler), Arc::clone(&info), handoff);
    let mut connection = Connection::new(io, &settings.http2, limits.write_timeout, place);
    let end = drive(&mut connection, &info, limits, drain).await;
    if matches!(end, End::IdleTimeout) {
        connection.finish();
        let _ = timeout(GOODBYE, poll_fn(|cx| connection.poll(cx))).await;
    }
}

/// Answers the streams of one place, one after the other.
async fn answer<H: Handler>(handler: Arc<H>, info: Arc<ConnInfo>, handoff: Arc<Handoff>) {
    let mut session = H::Session::default();
    loop {
        let mut stream = handoff.next().await;
        handler.serve_stream(&mut stream, &info, &mut session).await;
    }
}
