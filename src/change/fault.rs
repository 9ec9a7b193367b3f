//! Points in the code at which a test ends the process, as a power failure would. They exist only in debug
//! builds.

/// Ends the process here if the environment variable `TOLLGATE_FAULT` names this point.
#[cfg(debug_assertions)]
pub(super) fn point(name: &str) {
    if std::env::var("TOLLGATE_FAULT").is_ok_and(|wanted| wanted == name) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal may take a moment to arrive.
        loop {
            std::thread::park();
        }
    }
}

/// Does nothing in release builds.
#[cfg(not(debug_assertions))]
pub(super) fn point(_name: &str) {}
