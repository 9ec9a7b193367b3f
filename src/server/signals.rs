//! Unix signals.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::ShutdownHandle;

/// Starts a thread that handles signals: SIGTERM and SIGQUIT drain the server, SIGINT stops it immediately
/// (also during a drain), and SIGHUP calls `reload`.
///
/// # Errors
/// Fails if the handlers cannot be installed or the thread cannot be started.
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
