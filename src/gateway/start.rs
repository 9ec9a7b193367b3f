//! Starts the gateway, serves, and ends it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;

use super::banner::banner;
use super::demo::Demo;
use super::error::StartError;
use super::load::load;
use super::reload::Reloader;
use super::secret_usage::{self, Keeper};
use super::settings::{is_secure, name_issuer, server_options, start_access_log};
use crate::config::{Config, Metrics};
use crate::gate::{Gate, GateSpec};
use crate::oauth::evidence::PeerCertificate;
use crate::proxy::pipeline::Proxy;
use crate::proxy::route::ClientConnection;
use crate::server::{Bound, ConnInfo, ExitReason, handle_signals};
use crate::telemetry::{self, MetricsListener, access_log};
use crate::upstream::health::upkeep;

/// Runs the gateway until it is told to stop.
pub(crate) fn run(path: &Path) -> Result<(), StartError> {
    start_log();
    telemetry::note_start();
    let (mut config, rules) = load(path, None)?;
    let demo = config.demo.as_ref().map(bind_demo).transpose()?;
    let metrics = config.metrics.as_ref().map(bind_metrics).transpose()?;
    let bound = Bound::bind(server_options(&config)?).map_err(StartError::config)?;
    name_issuer(&mut config, bound.listeners().first().map(crate::server::Listener::addr));

    let gate = Gate::builder(GateSpec::from(&config))
        .max_tokens(usize::try_from(config.token_service.max_tokens.get()).unwrap_or(usize::MAX))
        .build()
        .map_err(StartError::system)?;
    gate.fetch_keys().map_err(StartError::system)?;
    let keeper = Keeper::start(gate.clone(), &config.server.state_dir).map_err(StartError::system)?;
    secret_usage::warn_of_expired(&gate);
    // The proxy lives as long as the process: as a plain reference it costs no request a shared counter.
    let proxy: &'static Proxy = Box::leak(Box::new(Proxy::new(gate, rules)));
    let reloader = Arc::new(Reloader::new(path, proxy, bound.tls(), bound.live_limits(), &config));

    banner(&config, &bound, demo.as_ref(), metrics.as_ref()).map_err(StartError::system)?;
    // After all that is for people: from here on standard output may be the log's.
    start_access_log(&config.server)?;
    if let Some(metrics) = metrics {
        metrics.spawn(|format| telemetry::render(&proxy.gauges(), format)).map_err(StartError::system)?;
    }
    if let Some(demo) = demo {
        demo.spawn().map_err(StartError::system)?;
    }
    let on_hangup = Arc::clone(&reloader);
    handle_signals(bound.shutdown_handle(), move || on_hangup.reload()).map_err(StartError::system)?;
    reloader.watch().map_err(StartError::system)?;
    upkeep::start(proxy.watched()).map_err(StartError::system)?;
    let exit = serve(&config, bound, proxy);
    keeper.finish();
    access_log::flush(LAST_LINES);
    match exit {
        ExitReason::Drained | ExitReason::Stopped => {}
        ExitReason::GraceExpired { connections } => {
            log::warn!("the grace period ended with connections still open: {connections} cut off");
        }
    }
    Ok(())
}

/// Serves what is bound until it is told to stop.
pub(crate) fn serve(config: &Config, bound: Bound, proxy: &'static Proxy) -> ExitReason {
    let secure: Vec<bool> = config.server.listen.iter().map(is_secure).collect();
    let handler = move |request: Request<Incoming>, connection: &Arc<ConnInfo>| {
        let connection = Arc::clone(connection);
        let secure = secure.get(connection.listener().index).copied().unwrap_or(false);
        async move {
            let client = ClientConnection {
                peer: connection.peer().ip(),
                peer_value: connection.peer_value(),
                head_is_clear: connection.head_is_clear(),
                secure,
                certificate: connection.client_certificate().map(|certificate| PeerCertificate {
                    der: certificate.der(),
                    sha256: certificate.sha256(),
                    verified: certificate.is_verified(),
                }),
            };
            proxy.serve(request, client).await
        }
    };
    bound.run(handler)
}

/// How long the end of the process waits for the access log to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

fn bind_metrics(metrics: &Metrics) -> Result<MetricsListener, StartError> {
    MetricsListener::bind(metrics.listen).map_err(|error| {
        StartError::config(format!(
            "metrics cannot be served on {} ({error}): change metrics.listen",
            metrics.listen
        ))
    })
}

/// Our own messages at the level of `RUST_LOG` (info unless set), those of libraries only as warnings: some of them
/// log whole headers below that.
fn start_log() {
    let level = std::env::var("RUST_LOG").ok().and_then(|level| level.parse().ok());
    let _ = env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .filter_module("tollgate", level.unwrap_or(log::LevelFilter::Info))
        .try_init();
}

fn bind_demo(demo: &crate::config::Demo) -> Result<Demo, StartError> {
    Demo::bind(demo.listen).map_err(|error| {
        StartError::config(format!(
            "the demo API cannot listen on {} ({error}): change demo.listen",
            demo.listen
        ))
    })
}
