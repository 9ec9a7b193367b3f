//! Reports the state of the gateway to a service manager, by systemd's notification protocol (`sd_notify`).
//!
//! Without `NOTIFY_SOCKET` in the environment, nothing is sent.

use std::time::Duration;
use std::{io, thread};

use sd_notify::NotifyState;

use crate::config::Config;
use crate::server::{Bound, Heartbeats};
use crate::threads;

/// Reports that the gateway is ready.
pub(super) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Reports that the gateway reloads its configuration. [`ready`] reports the end of the reload.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => log::warn!("the reload cannot be reported to the service manager: {error}"),
    }
}

/// Reports that the gateway is stopping.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("finishing requests in flight")]);
}

/// Reports that another process is now the main process of the service.
pub(super) fn replaced_by(process: u32) {
    notify(&[NotifyState::MainPid(process)]);
}

/// Describes a configuration that is in use.
pub(super) fn status(config: &Config) -> String {
    format!("serving {} routes to {} clients", config.routes.len(), config.clients.len())
}

/// The watchdog of the service manager, which expects regular keep-alive messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watchdog {
    period: Duration,
}

impl Watchdog {
    /// Returns the watchdog of this process, or `None` if the service manager has not enabled one.
    pub(super) fn of_process() -> Option<Self> {
        sd_notify::watchdog_enabled().filter(|period| !period.is_zero()).map(|period| Self { period })
    }

    /// Sends keep-alive messages twice as often as required, as long as every worker thread makes progress.
    ///
    /// # Errors
    /// Fails if the thread cannot be started.
    pub(super) fn watch(self, bound: &mut Bound) -> io::Result<()> {
        let heartbeats = bound.heartbeats(self.period / 4);
        threads::spawn("tollgate-alive", move || self.run(&heartbeats))?;
        Ok(())
    }

    fn run(self, heartbeats: &Heartbeats) {
        loop {
            thread::sleep(self.period / 2);
            if heartbeats.all_alive() {
                notify(&[NotifyState::Watchdog]);
            }
        }
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!("the state of the gateway cannot be reported to the service manager: {error}");
    }
}
