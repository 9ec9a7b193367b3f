//! Taking up a changed gateway.toml without a restart.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::run::{start_access_log, takes_any_certificate};
use super::{check, load};
use crate::config::{Config, Issuer, Listener, ListenerProtocol, Server};
use crate::gate::GateSpec;
use crate::proxy::Proxy;
use crate::server::TlsReloader;
use crate::telemetry::{self, access_log};

/// How often the file is looked at. A stat a second costs nothing, sees every way of writing a file (rename,
/// symlink swap, network mounts) and never misses an event.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Takes up changes of the configuration while the gateway runs.
pub(super) struct Reloader {
    path: PathBuf,
    proxy: &'static Proxy,
    tls: Option<Arc<TlsReloader>>,
    issuer: Issuer,
    started_with: Config,
    /// `[server]` as it was last taken up.
    in_force: Mutex<Server>,
    /// One reload at a time; what the file looked like at the last one.
    seen: Mutex<Option<Seen>>,
}

/// How a file is told from its predecessor.
#[derive(Clone, PartialEq, Eq)]
struct Seen {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Reloader {
    pub(super) fn new(
        path: &Path,
        proxy: &'static Proxy,
        tls: Option<Arc<TlsReloader>>,
        config: &Config,
    ) -> Self {
        Self {
            path: path.to_owned(),
            proxy,
            tls,
            issuer: config.token_service.issuer.clone(),
            started_with: config.clone(),
            in_force: Mutex::new(config.server.clone()),
            seen: Mutex::new(look(path)),
        }
    }

    /// Reads the file again, compiles it whole, and swaps it in. A bad file changes nothing.
    pub(super) fn reload(&self) {
        let good = self.take_up();
        telemetry::note_reload(good);
    }

    fn take_up(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at before it is read: a change in between is found by the next look.
        *seen = look(&self.path);
        let (mut config, rules) = match load(&self.path, Some(&self.proxy.rules())) {
            Ok(loaded) => loaded,
            Err(failure) => {
                log::error!(
                    "the changed {} is not taken up, what was there before stays:\n{}",
                    self.path.display(),
                    failure.text
                );
                self.reopen_access_log();
                return false;
            }
        };
        // The real port, where the issuer comes from the listener.
        if matches!(config.token_service.issuer, Issuer::FromListener(_)) {
            config.token_service.issuer = self.issuer.clone();
        }
        if let Some(tls) = &self.tls {
            tls.take_any_client_certificate(takes_any_certificate(&config));
            if let Err(error) = tls.reload() {
                log::error!("the certificates are not taken up, the ones before stay: {error}");
            }
        }
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&config.server);
        self.reopen_access_log();
        self.proxy.gate().reload(GateSpec::from(&config));
        self.proxy.reload(rules);
        log::info!(
            "{} taken up: {} clients, {} routes",
            self.path.display(),
            config.clients.len(),
            config.routes.len()
        );
        check::warn_of_unenforced(&config);
        for key in self.needs_restart(&config) {
            log::warn!("a change of {key} takes effect only when the gateway is started anew");
        }
        true
    }

    /// Even where nothing changed, or for the worse: what rotates logs renames the file and sends SIGHUP.
    fn reopen_access_log(&self) {
        if let Err(failure) = start_access_log(&self.in_force.lock().unwrap_or_else(PoisonError::into_inner))
        {
            log::error!("the access log stays as it was: {}", failure.text);
        }
    }

    /// Looks at the file from now on.
    pub(super) fn watch(self: &Arc<Self>) -> io::Result<()> {
        let reloader = Arc::clone(self);
        std::thread::Builder::new().name("tollgate-watch".to_owned()).spawn(move || {
            loop {
                std::thread::sleep(LOOK_EVERY);
                access_log::report_dropped();
                let now = look(&reloader.path);
                let changed = *reloader.seen.lock().unwrap_or_else(PoisonError::into_inner) != now;
                // A file that is gone for a moment is being replaced.
                if changed && now.is_some() {
                    reloader.reload();
                }
            }
        })?;
        Ok(())
    }

    fn needs_restart(&self, now: &Config) -> Vec<&'static str> {
        // Named one by one, so that a new key is not forgotten here.
        let Server {
            listen,
            threads,
            state_dir,
            tls,
            limits,
            shutdown_grace,
            access_log: _,
            request_id: _,
            trusted_proxies,
        } = &self.started_with.server;
        let changes = [
            ("server.listen", !listen.iter().map(socket).eq(now.server.listen.iter().map(socket))),
            ("server.threads", *threads != now.server.threads),
            ("server.state_dir", *state_dir != now.server.state_dir),
            ("server.tls", *tls != now.server.tls),
            ("server.limits", *limits != now.server.limits),
            ("server.shutdown_grace", *shutdown_grace != now.server.shutdown_grace),
            ("server.trusted_proxies", *trusted_proxies != now.server.trusted_proxies),
            (
                "token_service.max_tokens",
                self.started_with.token_service.max_tokens != now.token_service.max_tokens,
            ),
            (
                "metrics",
                self.started_with.metrics.as_ref().map(|metrics| metrics.listen)
                    != now.metrics.as_ref().map(|metrics| metrics.listen),
            ),
            (
                "demo",
                self.started_with.demo.as_ref().map(|demo| demo.listen)
                    != now.demo.as_ref().map(|demo| demo.listen),
            ),
        ];
        changes.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
    }
}

/// What of a listener is bound at the start. Not its line in the file, which shifts with every edit above it.
fn socket(listener: &Listener) -> (SocketAddr, ListenerProtocol, bool) {
    (listener.address, listener.protocol, listener.proxy_protocol)
}

fn look(path: &Path) -> Option<Seen> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    Some(Seen { modified: metadata.modified().ok(), length: metadata.len(), inode: metadata.ino() })
}
