//! Threads of the process.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread. It ends by itself, or never; dropping the handle does not end it.
///
/// # Errors
/// The system starts no thread.
pub(crate) fn spawn(
    name: impl Into<String>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    start(name.into(), Box::new(work))
}

/// The work is boxed because the standard library's code for a thread is compiled for every type of work.
fn start(name: String, work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name).spawn(work)
}
