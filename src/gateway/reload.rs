//! Applies a changed gateway.toml without a restart.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use super::build;
use super::changes;
use super::error::StartError;
use super::file_watch::Watched;
use super::jwt_keys::keeper::KeyKeeper;
use super::load::{load, load_texts, log_warnings};
use super::secret_usage;
use super::service_manager;
use super::settings::{start_access_log, start_security_log, tls_paths};
use super::store::Stored;
use crate::acme::challenge::Challenges;
use crate::admin::control::{Control, Reload};
use crate::change::error::ChangeError;
use crate::change::texts::Texts;
use crate::config::restart::needs_restart;
use crate::config::{Config, ConfigError, ConfigErrors, ErrorKind, Issuer, Position};
use crate::gate::GateSpec;
use crate::gate::jwt::KeyRing;
use crate::proxy::pipeline::Proxy;
use crate::proxy::rules::Rules;
use crate::server::{LiveLimits, PreparedTls, TlsReloader};
use crate::telemetry::{self, access_log};
use crate::threads;

/// How often the files are checked. A few `stat` calls cost nothing, notice every way of writing a file
/// (rename, symlink swap, network mounts) and, unlike notifications of the system, cannot be lost.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Applies changes of the configuration while the gateway runs.
pub(crate) struct Reloader {
    proxy: &'static Proxy,
    stored: Arc<Stored>,
    tls: Option<Arc<TlsReloader>>,
    limits: Arc<LiveLimits>,
    keys: KeyKeeper,
    issuer: Issuer,
    started_with: Config,
    /// The configuration that was applied last.
    in_force: Mutex<Arc<Config>>,
    /// The result of the last reload.
    last: Mutex<Option<Reload>>,
    /// The state of the files at the last reload. Its lock also serializes reloads.
    seen: Mutex<Watched>,
    /// The number of the configuration in force.
    generation: AtomicU64,
    /// Whether another process has taken over.
    retired: AtomicBool,
    /// Is notified when another configuration is in force.
    changed: Notify,
    /// Is notified when another process has taken over.
    end: Notify,
}

/// Returns an error that was found after a configuration was compiled.
fn late(texts: &Texts, error: &StartError) -> ConfigErrors {
    let position = Position::new(1, 1);
    ConfigErrors::sorted(vec![ConfigError::late(
        ErrorKind::FileUnusable,
        texts.main_path(),
        position,
        String::new(),
        error.to_string(),
    )])
}

/// A configuration whose every part can be applied.
struct Ready {
    config: Config,
    rules: Rules,
    tls: Option<PreparedTls>,
    keys: Option<Arc<KeyRing>>,
}

impl Reloader {
    pub(crate) fn new(
        path: &Path,
        proxy: &'static Proxy,
        stored: Arc<Stored>,
        tls: Option<Arc<TlsReloader>>,
        limits: Arc<LiveLimits>,
        keys: KeyKeeper,
        config: &Config,
    ) -> Self {
        Self {
            proxy,
            stored,
            tls,
            limits,
            keys,
            issuer: config.token_service.issuer.clone(),
            started_with: config.clone(),
            in_force: Mutex::new(Arc::new(config.clone())),
            last: Mutex::default(),
            seen: Mutex::new(Watched::new(path, &config.files)),
            generation: AtomicU64::new(1),
            retired: AtomicBool::new(false),
            changed: Notify::new(),
            end: Notify::new(),
        }
    }

    /// Reads the file and all files that it names, compiles them, and puts the result into force. An error
    /// anywhere changes nothing.
    pub(crate) fn reload(&self) {
        if self.retired.load(Relaxed) {
            return;
        }
        service_manager::reloading();
        let outcome = self.apply();
        telemetry::record_reload(outcome.is_ok());
        let (status, error) = match outcome {
            Ok(status) => (status, None),
            Err(error) => {
                let status = "the changed configuration has errors: the previous one stays in force";
                (status.to_owned(), Some(error.to_string()))
            }
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Reload { at: SystemTime::now(), error });
        service_manager::ready(&status);
    }

    /// Leaves configuration changes to another process.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Relaxed);
        self.end.notify_one();
    }

    /// Waits until another configuration is in force. There is one waiter at a time.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until another process has taken over. There is one waiter at a time.
    pub(super) async fn until_retired(&self) {
        self.end.notified().await;
    }

    /// Returns the challenges that TLS listeners answer; `None` without such a listener.
    pub(super) fn challenges(&self) -> Option<Arc<Challenges>> {
        self.tls.as_ref().map(|tls| Arc::clone(tls.challenges()))
    }

    /// Returns the folder for the gateway's own files, as the gateway has started with it.
    pub(super) fn state_dir(&self) -> &Path {
        &self.started_with.server.state_dir
    }

    /// Loads the certificates again, after one of those that the gateway orders itself has changed.
    pub(super) fn refresh_certificates(&self) {
        // The lock keeps a reload from applying other settings meanwhile.
        let _seen = self.seen();
        let Some(reloader) = &self.tls else { return };
        let config = Arc::clone(&self.in_force());
        let paths = tls_paths(&config, self.state_dir());
        match paths.and_then(|paths| reloader.prepare(&paths).map_err(StartError::config)) {
            Ok(prepared) => self.use_certificates(prepared),
            Err(error) => log::error!("the previous certificates stay in use: {error}"),
        }
    }

    fn use_certificates(&self, prepared: PreparedTls) {
        if self.tls.as_ref().is_some_and(|reloader| reloader.swap(prepared)) {
            log::info!("new connections use the changed certificates");
        }
    }

    /// Returns whether another process applies the configuration.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Relaxed)
    }

    /// Returns the status for the service manager.
    ///
    /// # Errors
    /// Fails if the configuration is not applied. The reason has already been logged.
    fn apply(&self) -> Result<String, StartError> {
        let mut seen = self.seen();
        // The file states are read before the contents, so that the next check detects a change in between.
        seen.look_again();
        let loaded = load(seen.path(), Some(&self.proxy.rules())).map_err(|errors| {
            // A change of one of these files may remove the error.
            seen.follow_also(errors.files());
            StartError::config(errors)
        });
        match loaded.and_then(|(config, rules)| self.prepare(config, rules)) {
            Ok(ready) => Ok(self.enforce(&mut seen, ready)),
            Err(failure) => {
                self.reopen_logs();
                log::error!(
                    "the changed {} is not applied, and the previous configuration stays in force:\n{}",
                    seen.path().display(),
                    failure
                );
                Err(failure)
            }
        }
    }

    /// Compiles texts that are not written yet, and runs all preparations that could fail with them.
    ///
    /// # Errors
    /// Returns all errors in the texts.
    pub(super) fn check(&self, texts: &Texts) -> Result<Config, ConfigErrors> {
        let (mut config, _) = load_texts(texts, None)?;
        // Keys for JWTs are not prepared: that would make them.
        self.prepare_tls(&mut config).map_err(|error| late(texts, &error))?;
        Ok(config)
    }

    /// Puts texts into force. Everything is prepared before `replace` writes the files, and no other reload
    /// runs meanwhile. Returns the number of the configuration.
    ///
    /// # Errors
    /// Fails if the texts have errors, or if `replace` does.
    pub(super) fn apply_texts(
        &self,
        texts: &Texts,
        replace: &mut dyn FnMut() -> Result<(), ChangeError>,
    ) -> Result<u64, ChangeError> {
        let mut seen = self.seen();
        if self.is_retired() {
            return Err(ChangeError::Retired);
        }
        let (config, rules) = load_texts(texts, Some(&self.proxy.rules())).map_err(ChangeError::Invalid)?;
        let ready = self.prepare(config, rules).map_err(|error| ChangeError::Invalid(late(texts, &error)))?;
        service_manager::reloading();
        if let Err(error) = replace() {
            service_manager::ready(&service_manager::status(&self.in_force()));
            return Err(error);
        }
        let before = seen.clone();
        seen.look_again();
        // If another program has written a file since then, the next check must still detect it.
        if !Texts::read(texts.main_path()).is_ok_and(|now| now.hash() == texts.hash()) {
            *seen = before;
        }
        let status = self.enforce(&mut seen, ready);
        drop(seen);
        telemetry::record_reload(true);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Reload { at: SystemTime::now(), error: None });
        service_manager::ready(&status);
        Ok(self.generation())
    }

    /// Returns the number of the configuration in force. It is 1 at the start, and grows with each one.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Puts a configuration into force. This step cannot fail. Returns the status for the service manager.
    fn enforce(&self, seen: &mut Watched, ready: Ready) -> String {
        let Ready { config, rules, tls, keys } = ready;
        seen.follow(&config.files);
        log_warnings(&config);
        if let Some(tls) = tls {
            self.use_certificates(tls);
        }
        self.limits.set(
            config.server.limits.clone(),
            &config.server.trusted_proxies,
            config.server.shutdown_grace,
        );
        if let Some(shortage) = self.limits.shortage() {
            log::warn!("{shortage}");
        }
        let before = std::mem::replace(&mut *self.in_force(), Arc::new(config.clone()));
        self.reopen_logs();
        if let Some(keys) = keys {
            self.proxy.gate().set_signing_keys(keys);
        }
        self.proxy.gate().reload(GateSpec::from(&config));
        self.stored.set_clients(&config);
        self.proxy.reload(rules);
        log::info!(
            "{} reloaded: {}; {}",
            seen.path().display(),
            changes::counts(&config),
            changes::summary(&before, &config)
        );
        for line in changes::access(&before, &config) {
            log::info!("{line}");
        }
        secret_usage::warn_of_expired(self.proxy.gate());
        for key in needs_restart(&self.started_with, &config) {
            log::warn!("a change of {key} takes effect only after a restart");
        }
        self.generation.fetch_add(1, Relaxed);
        self.changed.notify_one();
        service_manager::status(&config)
    }

    /// Reopens the logs, even if the configuration is unchanged or has errors, because a program that rotates
    /// logs renames the files and sends SIGHUP.
    fn reopen_logs(&self) {
        let in_force = self.in_force();
        if let Err(failure) = start_access_log(&in_force.server) {
            log::error!("the access log is not reopened: {failure}");
        }
        if let Err(failure) = start_security_log(in_force.security_log.as_ref()) {
            log::error!("the security log is not reopened: {failure}");
        }
    }

    /// Runs the preparations that can fail even with a valid configuration.
    fn prepare(&self, mut config: Config, rules: Rules) -> Result<Ready, StartError> {
        let tls = self.prepare_tls(&mut config)?;
        let keys = self.keys.load(config.token_service.jwt.as_ref())?;
        Ok(Ready { config, rules, tls, keys })
    }

    /// Loads certificates, and completes the issuer. It changes nothing outside of `config`.
    fn prepare_tls(&self, config: &mut Config) -> Result<Option<PreparedTls>, StartError> {
        // An issuer that is derived from the listener contains its real port.
        if matches!(config.token_service.issuer, Issuer::FromListener(_)) {
            config.token_service.issuer = self.issuer.clone();
        }
        let Some(reloader) = &self.tls else { return Ok(None) };
        // The folder that the gateway started with is used. A change of the folder needs a restart.
        let paths = tls_paths(config, self.state_dir())?;
        reloader.prepare(&paths).map(Some).map_err(StartError::config)
    }

    /// Does what is due to the keys that sign JWTs.
    fn tend_keys(&self) {
        // No reload runs meanwhile, so the keys are those of the configuration in force.
        let _seen = self.seen();
        let config = Arc::clone(&self.in_force());
        if let Some(jwt) = &config.token_service.jwt {
            self.keys.tend(jwt, self.proxy.gate());
        }
    }

    /// Starts the thread that checks the files.
    pub(crate) fn watch(self: &Arc<Self>) -> io::Result<()> {
        let reloader = Arc::clone(self);
        threads::spawn("tollgate-watch", move || {
            let mut before = None;
            loop {
                std::thread::sleep(LOOK_EVERY);
                access_log::report_dropped();
                reloader.tend_keys();
                let now = reloader.seen().look();
                // A file that is being written looks different each time, and one that is being replaced is
                // missing for a moment. The files are read once they look the same twice.
                let at_rest = before.as_ref() == Some(&now) && now.has_main();
                if at_rest && *reloader.seen() != now {
                    reloader.reload();
                }
                before = Some(now);
            }
        })?;
        Ok(())
    }

    fn in_force(&self) -> MutexGuard<'_, Arc<Config>> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Watched> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control for Reloader {
    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.in_force())
    }

    fn last_reload(&self) -> Option<Reload> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn rules(&self, config: &Config) -> Result<Rules, ConfigErrors> {
        build::rules(config, None)
    }
}
