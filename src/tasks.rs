//! Runtimes and tasks that do not carry requests.
//!
//! The runtime's code for a task is compiled for every type of future and every kind of scheduler, at some
//! kilobytes each. The futures here are boxed or behind a reference, so that it is compiled once. The tasks of
//! connections and requests are spawned without this.

use std::io;
use std::pin::{Pin, pin};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// A future whose type is erased.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Boxes a future, for places that spawn in another way than [`spawn`].
pub(crate) fn task(future: impl Future<Output = ()> + Send + 'static) -> Task {
    Box::pin(future)
}

/// Spawns a task on the current runtime. It continues if the handle is dropped.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task(future))
}

/// Makes a runtime for the thread that drives it, with timers and sockets.
///
/// # Errors
/// The system provides no means to wait for sockets.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Drives a future on this thread until it completes.
pub(crate) fn block_on<T>(runtime: &Runtime, future: impl Future<Output = T>) -> T {
    let mut output = None;
    drive(runtime, pin!(async { output = Some(future.await) }));
    output.expect("the future has completed")
}

fn drive(runtime: &Runtime, future: Pin<&mut dyn Future<Output = ()>>) {
    runtime.block_on(future);
}

/// The executor with which hyper spawns the tasks of its HTTP/2 clients.
#[cfg(feature = "gateway")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Executor;

#[cfg(feature = "gateway")]
impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, future: F) {
        spawn(future);
    }
}
