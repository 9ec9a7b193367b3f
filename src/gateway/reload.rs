//! Taking up a changed gateway.toml without a restart.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::StartError;
use super::file_watch::Watched;
use super::load::{load, log_warnings};
use super::secret_usage;
use super::service_manager;
use super::settings::{start_access_log, tls_paths};
use crate::config::restart::needs_restart;
use crate::config::{Config, Issuer, Server};
use crate::gate::GateSpec;
use crate::proxy::pipeline::Proxy;
use crate::proxy::rules::Rules;
use crate::server::{LiveLimits, PreparedTls, TlsReloader};
use crate::telemetry::{self, access_log};

/// How often the files are looked at. A few stats cost nothing, see every way of writing a file (rename, symlink swap,
/// network mounts) and never miss an event.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Takes up changes of the configuration while the gateway runs.
pub(crate) struct Reloader {
    proxy: &'static Proxy,
    tls: Option<Arc<TlsReloader>>,
    limits: Arc<LiveLimits>,
    issuer: Issuer,
    started_with: Config,
    /// `[server]` as it was last taken up.
    in_force: Mutex<Server>,
    /// One reload at a time; what the files looked like at the last one.
    seen: Mutex<Watched>,
}

/// A configuration that can be taken up as it is.
struct Ready {
    config: Config,
    rules: Rules,
    tls: Option<PreparedTls>,
}

impl Reloader {
    pub(crate) fn new(
        path: &Path,
        proxy: &'static Proxy,
        tls: Option<Arc<TlsReloader>>,
        limits: Arc<LiveLimits>,
        config: &Config,
    ) -> Self {
        Self {
            proxy,
            tls,
            limits,
            issuer: config.token_service.issuer.clone(),
            started_with: config.clone(),
            in_force: Mutex::new(config.server.clone()),
            seen: Mutex::new(Watched::new(path, &config.files)),
        }
    }

    /// Reads the file again, compiles it whole with all that it names, and swaps it in. What is bad anywhere changes nothing.
    pub(crate) fn reload(&self) {
        service_manager::reloading();
        let good = self.take_up();
        telemetry::record_reload(good.is_some());
        service_manager::ready(&match good {
            Some(status) => status,
            None => "the changed configuration has mistakes: the one before it stays in use".to_owned(),
        });
    }

    /// Returns the status for the service manager, or `None` if nothing has changed because of a mistake.
    fn take_up(&self) -> Option<String> {
        let mut seen = self.seen();
        // Looked at before they are read: a change in between is found by the next look.
        seen.look_again();
        let loaded = load(seen.path(), Some(&self.proxy.rules())).map_err(|errors| {
            // A change of one of these files may remove the error.
            seen.follow_also(errors.files());
            StartError::config(errors)
        });
        let Ready { config, rules, tls } =
            match loaded.and_then(|(config, rules)| self.prepare(config, rules)) {
                Ok(ready) => ready,
                Err(failure) => {
                    self.reopen_access_log();
                    log::error!(
                        "the changed {} is not taken up, what was there before stays:\n{}",
                        seen.path().display(),
                        failure
                    );
                    return None;
                }
            };
        seen.follow(&config.files);
        log_warnings(&config);
        if let (Some(reloader), Some(tls)) = (&self.tls, tls)
            && reloader.swap(tls)
        {
            log::info!("new connections get the changed certificates");
        }
        self.limits.set(
            config.server.limits.clone(),
            &config.server.trusted_proxies,
            config.server.shutdown_grace,
        );
        if let Some(shortage) = self.limits.shortage() {
            log::warn!("{shortage}");
        }
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&config.server);
        self.reopen_access_log();
        self.proxy.gate().reload(GateSpec::from(&config));
        self.proxy.reload(rules);
        log::info!(
            "{} taken up: {} clients, {} routes",
            seen.path().display(),
            config.clients.len(),
            config.routes.len()
        );
        secret_usage::warn_of_expired(self.proxy.gate());
        for key in needs_restart(&self.started_with, &config) {
            log::warn!("a change of {key} takes effect only when the gateway is started anew");
        }
        Some(service_manager::status(&config))
    }

    /// Even where nothing changed, or for the worse: what rotates logs renames the file and sends SIGHUP.
    fn reopen_access_log(&self) {
        if let Err(failure) = start_access_log(&self.in_force.lock().unwrap_or_else(PoisonError::into_inner))
        {
            log::error!("the access log stays as it was: {}", failure);
        }
    }

    /// Everything that can fail with a configuration that is good in itself.
    fn prepare(&self, mut config: Config, rules: Rules) -> Result<Ready, StartError> {
        // The real port, where the issuer comes from the listener.
        if matches!(config.token_service.issuer, Issuer::FromListener(_)) {
            config.token_service.issuer = self.issuer.clone();
        }
        let tls = match &self.tls {
            None => None,
            Some(reloader) => {
                // The folder of the start: another one counts from the next start on.
                let paths = tls_paths(&config, &self.started_with.server.state_dir)?;
                Some(reloader.prepare(&paths).map_err(StartError::config)?)
            }
        };
        Ok(Ready { config, rules, tls })
    }

    /// Looks at the files from now on.
    pub(crate) fn watch(self: &Arc<Self>) -> io::Result<()> {
        let reloader = Arc::clone(self);
        std::thread::Builder::new().name("tollgate-watch".to_owned()).spawn(move || {
            let mut before = None;
            loop {
                std::thread::sleep(LOOK_EVERY);
                access_log::report_dropped();
                let now = reloader.seen().look();
                // One that is being written looks different each time, one that is being replaced is gone for a moment:
                // they are read when they have come to rest.
                let at_rest = before.as_ref() == Some(&now) && now.has_main();
                if at_rest && *reloader.seen() != now {
                    reloader.reload();
                }
                before = Some(now);
            }
        })?;
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Watched> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
