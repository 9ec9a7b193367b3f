//! The socket and the thread of the listener.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::accept::accept;
use super::router::router;
use super::state::AdminState;
use crate::server::TlsReloader;
use crate::tasks::block_on;
use crate::threads;

/// How long existing connections are served after another process has taken over.
const LAST_REQUESTS: Duration = Duration::from_secs(15);

/// A bound listener for operators that does not accept connections yet.
#[derive(Debug)]
pub(crate) struct AdminListener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<TlsReloader>>,
}

impl AdminListener {
    /// Makes a listener from a listening socket.
    ///
    /// # Errors
    /// Fails if the options of the socket cannot be set.
    pub(crate) fn new(socket: TcpListener, tls: Option<Arc<TlsReloader>>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, tls })
    }

    /// Returns the address that it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the listening socket.
    pub(crate) fn socket(&self) -> &TcpListener {
        &self.socket
    }

    /// Serves until `stop` is notified, after which another process accepts on the socket. Without a
    /// notification, it serves until the process ends.
    ///
    /// # Errors
    /// Fails if the thread or its runtime cannot be created.
    pub(crate) fn spawn(self, state: AdminState, stop: Arc<Notify>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2)
            .thread_name("tollgate-admin")
            .build()?;
        let serve = move || {
            // The priority is lower than that of the threads that serve traffic.
            let _ = rustix::process::nice(5);
            block_on(&runtime, async {
                tokio::select! {
                    () = accept(self.socket, self.tls, router(state)) => {}
                    () = stop.notified() => tokio::time::sleep(LAST_REQUESTS).await,
                }
            });
        };
        threads::spawn("tollgate-admin", serve)?;
        Ok(())
    }
}
