//! The state that every request of the listener can access.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::attempts::Attempts;
use super::blocking::run_blocking;
use super::console::series::SeriesStore;
use super::control::Control;
use super::cookie::CookieName;
use super::password_check::PasswordCheck;
use super::sessions::Sessions;
use crate::access::registered::add_to;
use crate::change::audit::AuditLine;
use crate::change::control::ChangeControl;
use crate::clock::Millis;
use crate::config::{Admin, Config, Host};
use crate::gate::Gate;
use crate::proxy::pipeline::Proxy;

/// The state of the listener. A clone is a shared reference.
#[derive(Clone)]
pub(crate) struct AdminState(Arc<Inner>);

struct Inner {
    control: Arc<dyn Control>,
    changes: Arc<ChangeControl>,
    proxy: &'static Proxy,
    /// The settings at the start, which name the listener.
    started_with: Admin,
    cookie: CookieName,
    sessions: Sessions,
    attempts: Attempts,
    passwords: PasswordCheck,
    /// Held while a setup link is being used.
    setups: Mutex<()>,
    /// The recent traffic.
    series: Arc<SeriesStore>,
}

impl AdminState {
    /// Makes the state of a listener that is bound to `address`.
    pub(crate) fn new(
        control: Arc<dyn Control>,
        changes: Arc<ChangeControl>,
        proxy: &'static Proxy,
        started_with: Admin,
        address: SocketAddr,
    ) -> Self {
        let cookie = CookieName::new(address.port(), started_with.tls);
        Self(Arc::new(Inner {
            control,
            changes,
            proxy,
            started_with,
            cookie,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            passwords: PasswordCheck::default(),
            setups: Mutex::default(),
            series: Arc::default(),
        }))
    }

    /// Returns the running gateway.
    pub(crate) fn control(&self) -> &dyn Control {
        &*self.0.control
    }

    /// Returns drafts, commits, the history and the audit. The methods block: call them on a thread that may
    /// block.
    pub(crate) fn changes(&self) -> &Arc<ChangeControl> {
        &self.0.changes
    }

    /// Returns the configuration in force.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.0.control.config()
    }

    /// Returns the configuration in force, with the registered client of this id among its clients.
    pub(super) fn config_with_registered(&self, id: &str) -> Arc<Config> {
        let config = self.config();
        match self.gate().registered_client(id) {
            Some(client) if config.client(id).is_none() => {
                let mut config = Config::clone(&config);
                add_to(&mut config, [&*client]);
                Arc::new(config)
            }
            _ => config,
        }
    }

    /// Returns the proxy, whose counters and servers are shown.
    pub(crate) fn proxy(&self) -> &'static Proxy {
        self.0.proxy
    }

    /// Returns the gate, whose clients and tokens are shown.
    pub(crate) fn gate(&self) -> &'static Gate {
        self.0.proxy.gate()
    }

    /// Returns the clock by which sessions expire.
    pub(super) fn now(&self) -> Millis {
        self.gate().clock().now()
    }

    /// Returns `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.0.started_with.tls { "https" } else { "http" }
    }

    /// Returns whether the listener is reachable under this name.
    pub(super) fn has_host(&self, host: &Host) -> bool {
        self.config().admin.as_ref().unwrap_or(&self.0.started_with).hosts.contains(host)
    }

    pub(super) fn cookie(&self) -> &CookieName {
        &self.0.cookie
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(super) fn attempts(&self) -> &Attempts {
        &self.0.attempts
    }

    /// Returns the recent traffic.
    pub(super) fn series(&self) -> &Arc<SeriesStore> {
        &self.0.series
    }

    pub(super) fn setups(&self) -> &Mutex<()> {
        &self.0.setups
    }

    /// Adds a line to the audit about an event that is not a change. If the line cannot be written, the error
    /// is logged.
    pub(crate) async fn audit(&self, line: AuditLine) {
        let changes = Arc::clone(self.changes());
        let recorded = run_blocking(move || changes.audit().record(&line));
        if let Some(Err(error)) = recorded.await {
            log::error!("the audit cannot be written: {error}");
        }
    }

    pub(super) fn passwords(&self) -> &PasswordCheck {
        &self.0.passwords
    }
}
