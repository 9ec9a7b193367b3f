//! Unix signals, as a service manager and a person at a terminal send them.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::ShutdownHandle;

/// Drains on SIGTERM and SIGQUIT, stops at once on SIGINT, and calls `reload` on SIGHUP, on a thread of its own. A second
/// SIGINT in a drain ends that too.
///
/// # Errors
/// When the system refuses the handlers or the thread.
pub(crate) fn handle_signals(handle: ShutdownHandle, reload: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGHUP => reload(),
                SIGINT => handle.stop(),
                _ => handle.drain(),
            }
        }
    })?;
    Ok(())
}
