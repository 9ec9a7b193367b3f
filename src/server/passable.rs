//! The listening sockets that can be passed to a new process while this one serves requests.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Duplicates of the listening sockets, in the order of the listeners. They are closed when the shutdown
/// begins. Otherwise clients could wait in the accept queue of a socket that no process accepts on.
#[derive(Clone, Debug, Default)]
pub(crate) struct PassableSockets(Arc<Mutex<Vec<TcpListener>>>);

impl PassableSockets {
    /// Adds a duplicate of a socket.
    ///
    /// # Errors
    /// Fails if the process has no free file descriptor.
    pub(crate) fn add(&self, socket: &TcpListener) -> io::Result<()> {
        let duplicate = socket.try_clone()?;
        self.lock().push(duplicate);
        Ok(())
    }

    /// Calls `pass` with all sockets. The list is empty once the shutdown has begun.
    pub(crate) fn pass<R>(&self, pass: impl FnOnce(&[BorrowedFd<'_>]) -> R) -> R {
        let sockets = self.lock();
        pass(&sockets.iter().map(TcpListener::as_fd).collect::<Vec<_>>())
    }

    pub(super) fn close(&self) {
        self.lock().clear();
    }

    /// Locks the list. A thread that panicked while holding the lock has left the list unchanged.
    fn lock(&self) -> MutexGuard<'_, Vec<TcpListener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
