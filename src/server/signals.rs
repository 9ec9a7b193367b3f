//! Unix signals.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2, SIGXFSZ};
use signal_hook::iterator::Signals;

use super::ShutdownHandle;

use crate::threads;

/// What a signal requests besides the shutdown of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGHUP: apply the configuration.
    Reload,
    /// SIGUSR2: let a new process take over.
    Upgrade,
    /// SIGTERM, SIGQUIT or SIGINT: the server ends. It is shut down after the call.
    End,
}

/// Starts a thread that handles signals: SIGTERM and SIGQUIT drain the server, SIGINT stops it immediately
/// (also during a drain). It calls `act` for each of them, for SIGHUP and for SIGUSR2.
///
/// # Errors
/// Fails if the handlers cannot be installed or the thread cannot be started.
pub(crate) fn handle_signals(
    handle: ShutdownHandle,
    act: impl Fn(Signal) + Send + 'static,
) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2, SIGXFSZ])?;
    threads::spawn("signals", move || {
        for signal in signals.forever() {
            match signal {
                SIGHUP => act(Signal::Reload),
                SIGUSR2 => act(Signal::Upgrade),
                // A file has reached its size limit. The write has failed, and that is handled where it
                // happened.
                SIGXFSZ => {}
                ends => {
                    act(Signal::End);
                    if ends == SIGINT { handle.stop() } else { handle.drain() }
                }
            }
        }
    })?;
    Ok(())
}
