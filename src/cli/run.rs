//! `tollgate run`.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;

use super::reload::Reloader;
use super::{Failure, load};
use crate::config::{
    Access, AccessLog, Config, Issuer, Listener, ListenerProtocol, Metrics, Server, ServerCertificate,
};
use crate::gate::{Gate, GateSpec};
use crate::oauth::evidence::PeerCertificate;
use crate::proxy::{ClientConnection, Proxy};
use crate::rotation::{self, Keeper};
use crate::server::demo::Demo;
use crate::server::{
    Bound, ConnInfo, ExitReason, Limits, ListenerSpec, ServerOptions, TlsPaths, TlsReloader, handle_signals,
    self_signed,
};
use crate::telemetry::access_log::{self, Output};
use crate::telemetry::{self, MetricsListener, request_id};

/// Runs the gateway until it is told to stop.
pub(super) fn run(path: &Path) -> Result<(), Failure> {
    start_log();
    telemetry::note_start();
    let (mut config, rules) = load(path, None)?;
    let demo = config.demo.as_ref().map(bind_demo).transpose()?;
    let metrics = config.metrics.as_ref().map(bind_metrics).transpose()?;
    let bound = Bound::bind(server_options(&config)?).map_err(Failure::config)?;
    name_issuer(&mut config, bound.listeners().first().map(crate::server::Listener::addr));

    let gate = Gate::builder(GateSpec::from(&config))
        .max_tokens(usize::try_from(config.token_service.max_tokens.get()).unwrap_or(usize::MAX))
        .build()
        .map_err(Failure::other)?;
    gate.fetch_keys().map_err(Failure::other)?;
    let keeper = Keeper::start(gate.clone(), &config.server.state_dir).map_err(Failure::other)?;
    rotation::warn_of_expired(&gate);
    // The proxy lives as long as the process: as a plain reference it costs no request a shared counter.
    let proxy: &'static Proxy = Box::leak(Box::new(Proxy::new(gate, rules)));
    let reloader = Arc::new(Reloader::new(path, proxy, bound.tls(), bound.live_limits(), &config));

    banner(&config, &bound, demo.as_ref(), metrics.as_ref()).map_err(Failure::other)?;
    // After all that is for people: from here on standard output may be the log's.
    start_access_log(&config.server)?;
    if let Some(metrics) = metrics {
        metrics.spawn(|format| telemetry::render(&proxy.gauges(), format)).map_err(Failure::other)?;
    }
    if let Some(demo) = demo {
        demo.spawn().map_err(Failure::other)?;
    }
    let on_hangup = Arc::clone(&reloader);
    handle_signals(bound.shutdown_handle(), move || on_hangup.reload()).map_err(Failure::other)?;
    reloader.watch().map_err(Failure::other)?;
    proxy.start_upkeep().map_err(Failure::other)?;
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
pub(super) fn serve(config: &Config, bound: Bound, proxy: &'static Proxy) -> ExitReason {
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

/// Opens what the access log goes to, or opens it anew.
pub(super) fn start_access_log(server: &Server) -> Result<(), Failure> {
    let output = match &server.access_log {
        AccessLog::Off => Ok(Output::off()),
        AccessLog::Stdout => Output::stdout(),
        AccessLog::File(path) => Output::file(path),
    };
    let output = output.map_err(|error| match &server.access_log {
        AccessLog::File(path) => Failure::config(format!(
            "the access log {} cannot be opened ({error}): change server.access_log",
            path.display()
        )),
        AccessLog::Off | AccessLog::Stdout => {
            Failure::config(format!("the access log cannot be written to standard output: {error}"))
        }
    })?;
    access_log::set(output).map_err(Failure::other)?;
    request_id::set(server.request_id);
    Ok(())
}

fn bind_metrics(metrics: &Metrics) -> Result<MetricsListener, Failure> {
    MetricsListener::bind(metrics.listen).map_err(|error| {
        Failure::config(format!(
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

fn bind_demo(demo: &crate::config::Demo) -> Result<Demo, Failure> {
    Demo::bind(demo.listen).map_err(|error| {
        Failure::config(format!(
            "the demo API cannot listen on {} ({error}): change demo.listen",
            demo.listen
        ))
    })
}

fn is_secure(listener: &Listener) -> bool {
    match listener.protocol {
        ListenerProtocol::Https => true,
        ListenerProtocol::Http { behind_tls, .. } => behind_tls,
    }
}

/// Without an issuer in the file, the first listener is it, with its real port.
pub(super) fn name_issuer(config: &mut Config, first: Option<std::net::SocketAddr>) {
    if let (Issuer::FromListener(_), Some(address), Some(listener)) =
        (&config.token_service.issuer, first, config.server.listen.first())
    {
        config.token_service.issuer = Issuer::of_listener(listener.protocol.scheme(), address);
    }
}

fn listens_with_tls(config: &Config) -> bool {
    config.server.listen.iter().any(|listener| listener.protocol == ListenerProtocol::Https)
}

/// The certificate and key to serve, a self-signed pair made on first need.
pub(super) fn tls_paths(config: &Config, state_dir: &Path) -> Result<TlsPaths, Failure> {
    let paths = match &config.server.tls.certificate {
        ServerCertificate::SelfSigned => self_signed(state_dir).map_err(Failure::config)?,
        ServerCertificate::Files { certificate, key } => TlsPaths {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: None,
            any_client_certificate: false,
        },
    };
    let client_ca = config.server.tls.client_ca.clone();
    Ok(TlsPaths { client_ca, any_client_certificate: takes_any_certificate(config), ..paths })
}

/// Whether some client needs certificates that no authority vouches for: because one such is its own, or because its
/// tokens are bound to whatever certificate it has and there is no authority to ask.
fn takes_any_certificate(config: &Config) -> bool {
    let no_authority = config.server.tls.client_ca.is_none();
    config.clients.iter().any(|client| {
        client.authentication.self_signed_tls_client_auth.is_some()
            || (client.certificate_bound_tokens && no_authority)
    })
}

/// Whether configured certificates can be served. Makes none.
pub(super) fn check_certificates(config: &Config) -> Result<(), Failure> {
    if config.server.tls.certificate == ServerCertificate::SelfSigned || !listens_with_tls(config) {
        return Ok(());
    }
    let paths = tls_paths(config, &config.server.state_dir)?;
    TlsReloader::load(&paths).map(|_| ()).map_err(Failure::config)
}

pub(super) fn server_options(config: &Config) -> Result<ServerOptions, Failure> {
    let listeners = config.server.listen.iter().map(|listener| {
        let mut spec = match listener.protocol {
            ListenerProtocol::Https => ListenerSpec::tls(listener.address),
            ListenerProtocol::Http { h2c, .. } => {
                ListenerSpec { h2c, ..ListenerSpec::plain(listener.address) }
            }
        };
        spec.proxy_protocol = listener.proxy_protocol;
        spec
    });
    let mut options = ServerOptions::new(listeners.collect());
    options.tls =
        listens_with_tls(config).then(|| tls_paths(config, &config.server.state_dir)).transpose()?;
    options.threads = config.server.threads.map_or(0, usize::from);
    options.grace = config.server.shutdown_grace;
    options.limits = server_limits(config);
    Ok(options)
}

/// What bounds connections.
pub(super) fn server_limits(config: &Config) -> Limits {
    let limits = &config.server.limits;
    Limits {
        header_timeout: limits.header_timeout,
        max_header_size: limits.max_header_size,
        max_headers: limits.max_headers,
        idle_timeout: limits.idle_timeout,
        max_connections: limits.max_connections,
        max_connections_per_address: limits.max_connections_per_address,
        write_timeout: limits.write_timeout,
        handshake_timeout: limits.handshake_timeout,
    }
}

/// Where it listens, what it protects, and what to try.
fn banner(
    config: &Config,
    bound: &Bound,
    demo: Option<&Demo>,
    metrics: Option<&MetricsListener>,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "Protects:")?;
    if config.routes.is_empty() {
        writeln!(out, "  nothing yet: there are no [[routes]] in {}", config.file.display())?;
    }
    const SHOWN: usize = 20;
    for route in config.routes.iter().take(SHOWN) {
        let upstream = config.upstream_of(route).map_or("?", |upstream| &upstream.name);
        let needs = match &route.access {
            Access::Public => "public: no token needed".to_owned(),
            Access::Token { requirement, .. } => match requirement.scopes() {
                None => "any valid token".to_owned(),
                Some(scopes) => format!("a token with scope {scopes}"),
            },
        };
        writeln!(out, "  {}  ->  {upstream}  ({needs})", route.path.as_str())?;
    }
    if config.routes.len() > SHOWN {
        writeln!(out, "  … and {} more", config.routes.len() - SHOWN)?;
    }
    try_it(&mut out, config, bound)?;
    // Last, as the sign that it is ready.
    writeln!(out)?;
    if let Some(metrics) = metrics {
        writeln!(out, "tollgate: metrics on {}", metrics.url())?;
    }
    for listener in bound.listeners() {
        writeln!(out, "tollgate: listening on {listener}")?;
    }
    if let Some(demo) = demo {
        writeln!(out, "tollgate: demo API on http://{} (a stand-in, from [demo])", demo.addr())?;
    }
    out.flush()
}

/// The tutorial's commands, where its client is there.
fn try_it(out: &mut impl io::Write, config: &Config, bound: &Bound) -> io::Result<()> {
    let Some(listener) = bound.listeners().first() else { return Ok(()) };
    let (scheme, insecure) = if listener.spec.tls { ("https", "-k ") } else { ("http", "") };
    let base = format!("{scheme}://localhost:{}", listener.addr().port());
    let tutorial = config.client("server").is_some_and(|client| {
        let secrets = client.authentication.secret.iter().flat_map(|secret| &secret.secrets);
        secrets.into_iter().any(|secret| secret.hash.to_phc() == TUTORIAL_HASH)
    });
    let (id, secret) =
        match (tutorial, config.clients.iter().find(|client| client.capabilities.client_credentials)) {
            (true, _) => ("server", "Password1"),
            (false, Some(client)) => (&*client.id, "…"),
            (false, None) => return Ok(()),
        };
    let scope = config
        .client(id)
        .and_then(|client| client.scopes.iter().next())
        .map(|scope| format!("&scope={scope}"));
    writeln!(out, "\nTry it:")?;
    writeln!(
        out,
        "  curl {insecure}-X POST {base}{} \\\n    -H 'content-type: application/x-www-form-urlencoded' \\\n    -d 'grant_type=client_credentials&client_id={id}&client_secret={secret}{}'",
        config.token_service.token_endpoint,
        scope.unwrap_or_default(),
    )?;
    if let Some(route) = config.routes.iter().find(|route| !matches!(route.access, Access::Public)) {
        writeln!(
            out,
            "  curl {insecure}{base}{} -H 'authorization: Bearer <the access_token of the answer>'",
            route.path.as_str()
        )?;
    }
    if tutorial {
        writeln!(
            out,
            "\nWARNING: the client \"server\" has the tutorial's secret, Password1, which everybody knows. Change it before anything real stands behind this gateway."
        )?;
    }
    writeln!(
        out,
        "\nCtrl-C stops; SIGTERM finishes what is in flight first; a change of {} is taken up by itself.",
        config.file.display()
    )
}

/// The hash in the shipped gateway.toml.
const TUTORIAL_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8";
