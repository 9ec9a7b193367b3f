//! Distributes the sockets to the threads, runs them as pingora services, and shuts them down.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::configuration::ServerConf;
use pingora::server::{ListenFds, RunArgs, Server, ShutdownSignal, ShutdownSignalWatch, ShutdownWatch};
use pingora::services::Service;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::bind::Bound;
use super::connection::{self, Shared};
use super::handler::Handler;
use super::heartbeat::Heartbeats;
use super::listener::Listener;
use super::live_limits::LiveLimits;
use super::passable::PassableSockets;
use super::shutdown::Phase;
use super::shutdown::{DrainSignal, ShutdownHandle};

use crate::tasks::{spawn, task};

/// How long a worker waits after `accept` failed on a listener.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// The maximum number of connections that are still accepted from the queue when a drain begins, so that a
/// flood does not keep the listener open.
const MAX_LATE: usize = 1024;
/// The interval at which a drain checks whether all connections are closed.
const DRAIN_POLL: Duration = Duration::from_millis(10);

/// The reason why [`Bound::run`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitReason {
    /// A drain completed: every request in flight was answered.
    Drained,
    /// The grace time of a drain expired while connections were still open.
    GraceExpired {
        /// The number of connections that were closed forcibly.
        connections: usize,
    },
    /// The server was asked to stop immediately.
    Stopped,
}

impl Bound {
    /// Serves requests until the shutdown handle is used. It blocks, so it must not be called from async
    /// code. It calls `serving` once every worker accepts connections, on the thread of one of them.
    pub(crate) fn run<H: Handler>(
        self,
        handler: H,
        serving: impl FnOnce() + Send + Sync + 'static,
    ) -> ExitReason {
        run(self, handler, Box::new(serving))
    }
}

fn run<H: Handler>(bound: Bound, handler: H, serving: Box<dyn FnOnce() + Send + Sync>) -> ExitReason {
    let Bound { listeners, sockets, tls, shutdown, live, heartbeats, passable } = bound;
    let drain = DrainSignal::new();
    let listeners: Vec<_> = listeners.into_iter().map(Arc::new).collect();
    let shared =
        Arc::new(Shared { handler: Arc::new(handler), live: Arc::clone(&live), tls, drain: drain.clone() });
    let (stop_accepting, accepting) = watch::channel(Accepting::All);
    let sockets_open = Arc::new(AtomicUsize::new(sockets.iter().map(Vec::len).sum()));
    let mut server = Server::new_with_opt_and_conf(None, configuration());
    let serving = Arc::new(Serving(serving));
    for (thread, sockets) in sockets.into_iter().enumerate() {
        let with_listener = |(index, socket)| (Arc::clone(&listeners[index]), socket);
        server.add_service(Worker {
            thread,
            name: format!("worker-{thread}"),
            sockets: sockets.into_iter().map(with_listener).collect(),
            shared: Arc::clone(&shared),
            accepting: accepting.clone(),
            sockets_open: Arc::clone(&sockets_open),
            serving: Some(Arc::clone(&serving)),
            heartbeats: heartbeats.clone(),
        });
    }
    drop((shared, serving));
    let exit = Arc::new(Mutex::new(ExitReason::Stopped));
    let supervisor =
        Supervisor { shutdown, stop_accepting, sockets_open, passable, drain, live, exit: Arc::clone(&exit) };
    server.run(RunArgs { shutdown_signal: Box::new(supervisor) });
    *exit.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the configuration of pingora. It has no grace time: pingora would sleep through it even if no
/// request is in flight, and the supervisor has already waited.
fn configuration() -> ServerConf {
    ServerConf {
        work_stealing: false,
        threads: 1,
        listener_tasks_per_fd: 1,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    }
}

/// One worker thread: a pingora service with its own single-threaded runtime, and a socket of every listener.
///
/// It accepts connections itself instead of using pingora's `listening::Service`, for four reasons. That
/// service accepts on one thread and passes the connection to a random other thread, whose reads and writes
/// then wait for the reactor of the first. It spawns tasks through a handle stored per thread id, which
/// becomes invalid if a process starts a second server after the first has ended. Its stream reads the clock
/// around every wait. Its TLS handshake timeout is 60 s.
struct Worker<H> {
    thread: usize,
    name: String,
    sockets: Vec<(Arc<Listener>, TcpListener)>,
    shared: Arc<Shared<H>>,
    accepting: watch::Receiver<Accepting>,
    sockets_open: Arc<AtomicUsize>,
    serving: Option<Arc<Serving>>,
    heartbeats: Option<Heartbeats>,
}

/// Calls the function when the last worker starts to accept connections, which is the worker that drops the
/// last reference.
struct Serving(Box<dyn FnOnce() + Send + Sync>);

#[async_trait]
impl<H: Handler> Service for Worker<H> {
    async fn start_service(&mut self, _: Option<ListenFds>, _: ShutdownWatch, _: usize) {
        let mut accepting = JoinSet::new();
        for (listener, socket) in self.sockets.drain(..) {
            match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => {
                    let (accepts, open) = (self.accepting.clone(), Arc::clone(&self.sockets_open));
                    let accept = accept(socket, listener, Arc::clone(&self.shared), accepts);
                    accepting.spawn(task(async move {
                        accept.await;
                        open.fetch_sub(1, Ordering::Release);
                    }));
                }
                Err(error) => {
                    log::error!("{listener} is not served by {}: {error}", self.name);
                    self.sockets_open.fetch_sub(1, Ordering::Release);
                }
            }
        }
        if let Some(heartbeats) = self.heartbeats.take() {
            spawn(heartbeats.beat(self.thread));
        }
        if let Some(Serving(serving)) = self.serving.take().and_then(Arc::into_inner) {
            serving();
        }
        while accepting.join_next().await.is_some() {}
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }
}

/// Which connections a worker accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepting {
    All,
    /// Only connections that are already in the accept queue. Their clients consider themselves connected,
    /// and closing the socket would reset them.
    Queued,
    /// No connections: another process accepts on the same sockets.
    No,
}

/// Accepts connections until the worker is told to stop.
async fn accept<H: Handler>(
    socket: tokio::net::TcpListener,
    listener: Arc<Listener>,
    shared: Arc<Shared<H>>,
    mut accepts: watch::Receiver<Accepting>,
) {
    let mut late = 0;
    while late < MAX_LATE && *accepts.borrow() != Accepting::No {
        let accepted = tokio::select! {
            biased;
            accepted = socket.accept() => accepted,
            _ = accepts.wait_for(|accepts| *accepts != Accepting::All) => return,
        };
        late += usize::from(*accepts.borrow() != Accepting::All);
        match accepted {
            // The slot is taken here and not in the task. Otherwise a burst could use up all file descriptors
            // before the first task runs.
            Ok((stream, peer)) => match shared.live.connection_slots().take() {
                Some(slot) => {
                    let connection = Arc::clone(&shared).serve(stream, peer, Arc::clone(&listener), slot);
                    tokio::spawn(connection);
                }
                None => connection::refuse(stream, &listener),
            },
            // The client disconnected before its connection was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // The process is out of file descriptors or memory. The queue stays ready, so the worker
                // waits until some are freed.
                log::error!("cannot accept on {listener}: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Waits for a shutdown request and carries it out. pingora is notified once nothing is left to do.
struct Supervisor {
    shutdown: ShutdownHandle,
    stop_accepting: watch::Sender<Accepting>,
    /// The number of sockets that may still accept connections.
    sockets_open: Arc<AtomicUsize>,
    passable: PassableSockets,
    drain: DrainSignal,
    live: Arc<LiveLimits>,
    exit: Arc<Mutex<ExitReason>>,
}

#[async_trait]
impl ShutdownSignalWatch for Supervisor {
    async fn recv(&self) -> ShutdownSignal {
        let mut phase = self.shutdown.subscribe();
        // The sender is owned by `self.shutdown`, so waiting cannot fail.
        let asked =
            phase.wait_for(|phase| *phase != Phase::Running).await.map_or(Phase::Stop, |phase| *phase);
        self.passable.close();
        let other_process = asked == Phase::HandOver;
        self.stop_accepting.send_replace(if other_process { Accepting::No } else { Accepting::Queued });
        let exit = match asked {
            Phase::Stop | Phase::Running => ExitReason::Stopped,
            Phase::HandOver | Phase::Drain => self.drain(&mut phase).await,
        };
        *self.exit.lock().unwrap_or_else(PoisonError::into_inner) = exit;
        ShutdownSignal::FastShutdown
    }
}

impl Supervisor {
    async fn drain(&self, phase: &mut watch::Receiver<Phase>) -> ExitReason {
        let (start, grace) = (Instant::now(), self.live.grace());
        let deadline = start + grace;
        self.drain.start();
        loop {
            // After a hand-over, an idle connection is not closed immediately, because the client may have
            // just sent a request on it. The next response announces the close instead. Connections that stay
            // idle are closed after half of the grace time.
            if *phase.borrow() > Phase::HandOver || start.elapsed() >= grace / 2 {
                self.drain.close_idle();
            }
            // This also delays the first check: a connection that was accepted a moment ago is not counted
            // yet.
            sleep(DRAIN_POLL).await;
            // The order matters: once no socket is open, no connection is added.
            let accepts = self.sockets_open.load(Ordering::Acquire) > 0;
            let connections = self.live.connection_slots().open();
            if connections == 0 && !accepts {
                return ExitReason::Drained;
            }
            if *phase.borrow_and_update() == Phase::Stop {
                return ExitReason::Stopped;
            }
            if Instant::now() >= deadline {
                return ExitReason::GraceExpired { connections };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_with_the_last_connection_or_within_ten_percent_of_the_grace_time() {
        let grace = Duration::from_secs(10);
        for (leaves_after, expected, least, most) in
            [(4, ExitReason::Drained, 4.0, 4.4), (60, ExitReason::GraceExpired { connections: 1 }, 9.0, 11.0)]
        {
            let live = Arc::new(LiveLimits::without_listeners(Limits::default(), grace));
            let slot = live.connection_slots().take();
            let (shutdown, exit) = (ShutdownHandle::new(), Arc::new(Mutex::new(ExitReason::Stopped)));
            let (stop_accepting, _) = watch::channel(Accepting::All);
            let drain = DrainSignal::new();
            let supervisor = Supervisor {
                shutdown: shutdown.clone(),
                stop_accepting,
                sockets_open: Arc::default(),
                passable: PassableSockets::default(),
                drain,
                live,
                exit: Arc::clone(&exit),
            };
            tokio::spawn(async move {
                sleep(Duration::from_secs(leaves_after)).await;
                drop(slot);
            });
            let start = Instant::now();
            shutdown.drain();
            supervisor.recv().await;
            assert_eq!(*exit.lock().unwrap(), expected);
            let took = start.elapsed().as_secs_f64();
            assert!((least..most).contains(&took), "{took}");
        }
    }
}
