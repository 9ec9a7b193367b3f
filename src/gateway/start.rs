//! Starts the gateway, serves, and stops it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::banner::banner;
use super::certificates;
use super::change_control;
use super::console::Console;
use super::demo::Demo;
use super::error::StartError;
use super::handover::{Handover, Parts, Predecessor};
use super::jwt_keys::keeper::KeyKeeper;
use super::load::{load, log_warnings};
use super::log::start_log;
use super::registered;
use super::reload::Reloader;
use super::secret_usage::{self, Keeper};
use super::service_manager::{self, Watchdog};
use super::settings::{
    is_secure, name_issuer, server_options, start_access_log, start_security_log, start_tracing,
};
use super::shadow_keeper::ShadowKeeper;
use super::store;
use crate::admin::listener::AdminListener;
use crate::admin::state::AdminState;
use crate::config::{Admin, Config, ListenerProtocol, Metrics};
use crate::oauth::evidence::PeerCertificate;
use crate::proxy::client::{Client, Socket};
use crate::proxy::pipeline::Proxy;
use crate::proxy::route::{ClientConnection, ConnectionCertificate};
use crate::proxy::session::Session;
use crate::proxy::stream::Stream;
use crate::server::{
    Bound, ClientCertificate, ConnInfo, ExitReason, Handler, InheritedSockets, Signal, TlsReloader, Trust,
    handle_signals,
};
use crate::telemetry::{self, Gauges, MetricsListener, access_log, security_log, tracing};
use crate::upstream::health::upkeep;
use crate::upstream::own_listener;

/// Runs the gateway until a signal stops it.
pub(crate) fn run(path: &Path) -> Result<(), StartError> {
    // This must come first, while there is only one thread.
    let inherited = InheritedSockets::from_service_manager();
    start_log();
    let predecessor = Predecessor::of_process()?.map(Arc::new);
    let outcome = start(path, inherited, predecessor.clone());
    if let (Some(predecessor), Err(error)) = (predecessor, &outcome) {
        predecessor.report(error);
    }
    outcome
}

fn start(
    path: &Path,
    inherited: io::Result<InheritedSockets>,
    predecessor: Option<Arc<Predecessor>>,
) -> Result<(), StartError> {
    telemetry::record_start();
    change_control::settle(path)?;
    let (mut config, rules) = load(path, None).map_err(StartError::config)?;
    log_warnings(&config);
    let mut inherited = inherited.map_err(|error| {
        StartError::system(format!(
            "a descriptor of the service manager (LISTEN_FDS) cannot be used: {error}"
        ))
    })?;
    let lock = match &predecessor {
        Some(predecessor) => predecessor.take(&mut inherited)?,
        None => None,
    };
    let mut bound = Bound::bind_with(server_options(&config)?, &mut inherited).map_err(StartError::config)?;
    let metrics = config.metrics.as_ref().map(|metrics| bind_metrics(metrics, &mut inherited)).transpose()?;
    let demo = config.demo.as_ref().map(|demo| bind_demo(demo, &mut inherited)).transpose()?;
    let admin =
        config.admin.as_ref().map(|admin| bind_admin(admin, bound.tls(), &mut inherited)).transpose()?;
    let sockets = bound.passable_sockets().map_err(StartError::system)?;
    let others = metrics.as_ref().map(MetricsListener::socket).into_iter();
    let others = others.chain(demo.as_ref().map(Demo::socket));
    let mut others = others.chain(admin.as_ref().map(AdminListener::socket));
    others.try_for_each(|socket| sockets.add(socket)).map_err(StartError::system)?;
    drop(others);
    for address in inherited.left() {
        log::warn!("the socket on {address} that was passed on is closed: no listener has this address");
    }
    drop(inherited);
    name_issuer(&mut config, &bound);

    let stored = Arc::new(store::gate(&config, lock)?);
    let gate = stored.gate.clone();
    let keys = KeyKeeper::new(&config.server.state_dir);
    if let Some(ring) = keys.load(config.token_service.jwt.as_ref())? {
        gate.set_signing_keys(ring);
    }
    gate.fetch_keys().map_err(StartError::system)?;
    let (journal, alone) = (stored.journal(), predecessor.is_none());
    // The proxy lives as long as the process. A plain reference avoids a shared reference count for each
    // request.
    let proxy: &'static Proxy = Box::leak(Box::new(Proxy::new(gate, rules)));
    let state_dir = &config.server.state_dir;
    let shadow = ShadowKeeper::new(proxy, state_dir, alone);
    let keeper = Keeper::start(proxy.gate().clone(), journal, state_dir, alone, shadow);
    let keeper = keeper.map_err(StartError::system)?;
    secret_usage::warn_of_expired(proxy.gate());
    registered::start(proxy.gate().downgrade()).map_err(StartError::system)?;
    let reloader = Arc::new(Reloader::new(
        path,
        proxy,
        Arc::clone(&stored),
        bound.tls(),
        bound.live_limits(),
        keys,
        &config,
    ));

    let console = admin.as_ref().and_then(|listener| Console::open(&config, listener.address()));
    let shortage = bound.live_limits().shortage();
    if let Some(shortage) = shortage {
        log::warn!("{shortage}");
    }
    banner(&config, &bound, demo.as_ref(), metrics.as_ref(), console.as_ref()).map_err(StartError::system)?;
    // This comes after the text for people, because the access log may also be on standard output.
    start_access_log(&config.server)?;
    start_security_log(config.security_log.as_ref())?;
    start_tracing(&config)?;
    let metrics_end = Arc::new(Notify::new());
    let admin_end = Arc::new(Notify::new());
    let mut changes = None;
    if let (Some(listener), Some(admin)) = (admin, &config.admin) {
        own_listener::set(listener.address());
        let opened = change_control::of_running(path, &config.server.state_dir, &reloader);
        let opened = opened.map_err(|error| {
            StartError::config(format!(
                "the changes that are prepared in the console cannot be kept in {} ({error}): change server.state_dir",
                config.server.state_dir.join("admin").display()
            ))
        })?;
        let control = Arc::<Reloader>::clone(&reloader);
        let address = listener.address();
        let state = AdminState::new(control, Arc::clone(&opened), proxy, admin.clone(), address);
        changes = Some(opened);
        listener.spawn(state, Arc::clone(&admin_end)).map_err(StartError::system)?;
    }
    if let Some(metrics) = metrics {
        let (end, counted) = (Arc::clone(&metrics_end), Arc::clone(&stored));
        metrics
            .spawn(
                end,
                move |format| {
                    let shared_store = counted.shared_status();
                    telemetry::render(&Gauges { shared_store, ..proxy.gauges() }, format)
                },
                || proxy.is_ready(),
            )
            .map_err(StartError::system)?;
    }
    if let Some(demo) = demo {
        demo.spawn().map_err(StartError::system)?;
    }
    let handover = Handover::new(
        Parts {
            sockets,
            shutdown: bound.shutdown_handle(),
            stored: Arc::clone(&stored),
            keeper: keeper.handle(),
            reloader: Arc::clone(&reloader),
            metrics: metrics_end,
            admin: admin_end,
        },
        &config.server.state_dir,
    );
    let (on_signal, on_upgrade) = (Arc::clone(&reloader), Arc::clone(&handover));
    let act = move |signal| match signal {
        Signal::Reload => on_signal.reload(),
        Signal::Upgrade => on_upgrade.upgrade_on_signal(),
        // If another process takes over, the service manager waits for the end of that process.
        Signal::End if on_signal.is_retired() => {}
        Signal::End => service_manager::stopping(),
    };
    handle_signals(bound.shutdown_handle(), act).map_err(StartError::system)?;
    reloader.watch().map_err(StartError::system)?;
    change_control::watch(path, &config.server.state_dir, &reloader, changes).map_err(StartError::system)?;
    upkeep::start(proxy.watched()).map_err(StartError::system)?;
    if let Some(watchdog) = Watchdog::of_process() {
        watchdog.watch(&mut bound).map_err(StartError::system)?;
    }
    let status = service_manager::status(&config);
    let exit = serve(&config, bound, proxy, move || {
        telemetry::record_serving();
        handover.start(predecessor, move || service_manager::ready(&status));
        if let Err(error) = certificates::keep(Arc::clone(&reloader)) {
            log::error!("certificates are not renewed: {error}");
        }
    });
    keeper.finish();
    stored.finish();
    access_log::flush(LAST_LINES);
    security_log::flush(LAST_LINES);
    tracing::flush(LAST_LINES);
    match exit {
        ExitReason::Drained | ExitReason::Stopped => {}
        ExitReason::GraceExpired { connections } => {
            log::warn!("the grace period ended while connections were open: {connections} were closed");
        }
    }
    log::info!("stopped");
    Ok(())
}

/// Serves the bound listeners until a signal stops the gateway. Calls `serving` once every worker accepts
/// connections.
pub(crate) fn serve(
    config: &Config,
    bound: Bound,
    proxy: &'static Proxy,
    serving: impl FnOnce() + Send + Sync + 'static,
) -> ExitReason {
    let https = config.server.listen.iter().zip(bound.listeners());
    let mut https = https.filter(|(listener, _)| listener.protocol == ListenerProtocol::Https);
    let port = https.next().map_or(443, |(_, bound)| bound.addr().port());
    let roles = config.server.listen.iter().map(|listener| match listener.protocol {
        ListenerProtocol::Redirect => Role::Redirect { port },
        _ if is_secure(listener) => Role::Secure,
        _ => Role::Plain,
    });
    let roles = roles.collect();
    bound.run(Gateway { proxy, roles }, serving)
}

/// The proxy behind the listeners.
struct Gateway {
    proxy: &'static Proxy,
    /// The mode of each listener.
    roles: Arc<[Role]>,
}

/// The mode of a listener.
#[derive(Debug, Clone, Copy)]
enum Role {
    /// Serves requests without TLS.
    Plain,
    /// Serves requests whose clients use TLS.
    Secure,
    /// Redirects requests to `https` on this port.
    Redirect { port: u16 },
}

impl Gateway {
    fn role(&self, connection: &ConnInfo) -> Role {
        self.roles.get(connection.listener().index).copied().unwrap_or(Role::Plain)
    }
}

/// Returns the properties of a connection that the proxy needs.
fn client(connection: &ConnInfo, secure: bool) -> ClientConnection<'_> {
    ClientConnection {
        peer: connection.peer().ip(),
        peer_value: connection.peer_value(),
        secure,
        certificate: connection.client_certificate().map(|certificate| certificate as _),
    }
}

impl ConnectionCertificate for ClientCertificate {
    fn verify(&self) -> Option<PeerCertificate<'_>> {
        let verified = match self.trust() {
            Trust::Verified => true,
            Trust::Unverified => false,
            Trust::Refused => return None,
        };
        Some(PeerCertificate { der: self.der(), sha256: self.sha256(), verified })
    }
}

impl Handler for Gateway {
    type Session = Session;

    async fn serve<I: Socket>(&self, http1: &mut Client<I>, connection: &ConnInfo, session: &mut Session) {
        let role = self.role(connection);
        let client = client(connection, matches!(role, Role::Secure));
        if let Role::Redirect { port } = role {
            // The future is boxed, so that its state does not enlarge the future of other requests.
            return Box::pin(self.proxy.redirect(http1, &client, session, port)).await;
        }
        self.proxy.serve_http1(http1, &client, session).await;
    }

    async fn serve_stream(&self, stream: &mut Stream, connection: &ConnInfo, session: &mut Session) {
        // A listener that redirects speaks HTTP/1.1 only.
        let secure = matches!(self.role(connection), Role::Secure);
        self.proxy.serve_http2(stream, &client(connection, secure), session).await;
    }
}

/// How long the exit waits until the access log is written.
const LAST_LINES: Duration = Duration::from_secs(2);

fn bind_metrics(metrics: &Metrics, inherited: &mut InheritedSockets) -> Result<MetricsListener, StartError> {
    listener(metrics.listen, inherited).and_then(MetricsListener::new).map_err(|error| {
        StartError::config(format!(
            "metrics cannot be served on {} ({error}): change metrics.listen",
            metrics.listen
        ))
    })
}

fn bind_admin(
    admin: &Admin,
    tls: Option<Arc<TlsReloader>>,
    inherited: &mut InheritedSockets,
) -> Result<AdminListener, StartError> {
    let tls = tls.filter(|_| admin.tls);
    listener(admin.listen, inherited).and_then(|socket| AdminListener::new(socket, tls)).map_err(|error| {
        StartError::config(format!(
            "the console cannot be served on {} ({error}): change admin.listen",
            admin.listen
        ))
    })
}

fn bind_demo(demo: &crate::config::Demo, inherited: &mut InheritedSockets) -> Result<Demo, StartError> {
    listener(demo.listen, inherited).and_then(Demo::new).map_err(|error| {
        StartError::config(format!(
            "the demo API cannot listen on {} ({error}): change demo.listen",
            demo.listen
        ))
    })
}

/// Returns the socket for an address: one of those that were passed on, or a new one.
fn listener(address: SocketAddr, inherited: &mut InheritedSockets) -> io::Result<TcpListener> {
    inherited.take(address).pop().map_or_else(|| TcpListener::bind(address), Ok)
}

#[cfg(test)]
mod tests {
    use super::Gateway;
    use crate::server::sizes_when_idle;

    #[test]
    fn an_idle_connection_keeps_little_state() {
        let [task, plain, tls] = sizes_when_idle::<Gateway>();
        assert!(task <= 320 && plain <= 768 && tls <= 768, "{task} {plain} {tls}");
    }
}
