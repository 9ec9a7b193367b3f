//! The listening sockets that a new process can get while this one serves.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Duplicates of the listening sockets, in the order of the listeners. They are closed when the server begins to end, so that
/// nobody waits in the queue of a socket that is not accepted on.
#[derive(Clone, Debug, Default)]
pub(crate) struct PassableSockets(Arc<Mutex<Vec<TcpListener>>>);

impl PassableSockets {
    /// Adds a duplicate of a socket.
    ///
    /// # Errors
    /// Fails if the process has no descriptor left.
    pub(crate) fn add(&self, socket: &TcpListener) -> io::Result<()> {
        let duplicate = socket.try_clone()?;
        self.lock().push(duplicate);
        Ok(())
    }

    /// Calls `pass` with all sockets: none once the server ends.
    pub(crate) fn pass<R>(&self, pass: impl FnOnce(&[BorrowedFd<'_>]) -> R) -> R {
        let sockets = self.lock();
        pass(&sockets.iter().map(TcpListener::as_fd).collect::<Vec<_>>())
    }

    pub(super) fn close(&self) {
        self.lock().clear();
    }

    /// A thread that panicked with the lock held left the list as it was.
    fn lock(&self) -> MutexGuard<'_, Vec<TcpListener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
