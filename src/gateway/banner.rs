//! What the gateway prints when it starts: what it protects, what to try, and where it listens.

use std::io::{self, Write as _};

use super::demo::Demo;
use crate::access::lint::exposure::has_tutorial_secret;
use crate::config::{Access, Config, ListenerProtocol, ServerCertificate};
use crate::server::Bound;
use crate::telemetry::MetricsListener;

/// Prints what the gateway protects, what to try, and where it listens.
pub(super) fn banner(
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
        let redirects = config
            .server
            .listen
            .get(listener.index)
            .is_some_and(|listener| listener.protocol == ListenerProtocol::Redirect);
        let redirects = if redirects { " (redirects to https)" } else { "" };
        writeln!(out, "tollgate: listening on {listener}{redirects}")?;
    }
    if let Some(shortage) = bound.live_limits().shortage() {
        writeln!(out, "tollgate: {shortage}")?;
    }
    if let Some(demo) = demo {
        writeln!(out, "tollgate: demo API on http://{} (a stand-in, from [demo])", demo.addr())?;
    }
    out.flush()
}

/// The tutorial's commands, where its client is there.
fn try_it(out: &mut impl io::Write, config: &Config, bound: &Bound) -> io::Result<()> {
    let serving = config.server.first_serving().and_then(|(index, _)| bound.listeners().get(index));
    let Some(listener) = serving else { return Ok(()) };
    let scheme = if listener.spec.tls { "https" } else { "http" };
    // A client cannot verify the self-signed certificate.
    let self_signed = listener.spec.tls && config.server.tls.certificate == ServerCertificate::SelfSigned;
    let insecure = if self_signed { "-k " } else { "" };
    let base = format!("{scheme}://localhost:{}", listener.addr().port());
    let tutorial = config.client("server").is_some_and(has_tutorial_secret);
    let (id, secret) =
        match (tutorial, config.clients.iter().find(|client| client.capabilities.client_credentials)) {
            (true, _) => ("server", "Password1"),
            (false, Some(client)) => (client.id.as_str(), "…"),
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
