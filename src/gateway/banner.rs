//! What the gateway prints when it starts: what it protects, what to try, and where it listens.

use std::io;
use std::path::Path;

use super::certificates::stored;
use super::console::Console;
use super::demo::Demo;
use crate::access::describe;
use crate::access::lint::exposure::has_tutorial_secret;
use crate::config::{Access, AccessLog, Acme, Config, Issuer, ListenerProtocol, Methods, ServerCertificate};
use crate::server::Bound;
use crate::telemetry::MetricsListener;
use crate::utc;

/// The most routes that are listed.
const MOST_ROUTES: usize = 20;

/// Prints what the gateway protects, what to try, and where it listens.
///
/// The text goes to standard output, or to standard error if standard output is for the access log.
pub(super) fn banner(
    config: &Config,
    bound: &Bound,
    demo: Option<&Demo>,
    metrics: Option<&MetricsListener>,
    console: Option<&Console>,
) -> io::Result<()> {
    let out: &mut dyn io::Write = match config.server.access_log {
        AccessLog::Stdout => &mut io::stderr().lock(),
        AccessLog::Off | AccessLog::File(_) => &mut io::stdout().lock(),
    };
    writeln!(out, "Protects:")?;
    if config.routes.is_empty() {
        writeln!(out, "  nothing yet: there are no [[routes]] in {}", config.file.display())?;
    }
    for route in config.routes.iter().take(MOST_ROUTES) {
        let (methods, path) = describe::requests(route);
        let methods = if route.methods == Methods::All { "any method" } else { &methods };
        let upstream = describe::upstream(config, route);
        writeln!(out, "  {methods} {path}  ->  {upstream}  ({})", describe::needs(route))?;
    }
    if config.routes.len() > MOST_ROUTES {
        writeln!(out, "  … and {} more", config.routes.len() - MOST_ROUTES)?;
    }
    try_it(out, config, bound)?;
    // The last lines show that the gateway is ready.
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
    if let Some(demo) = demo {
        writeln!(out, "tollgate: demo API on http://{} (a stand-in, from [demo])", demo.addr())?;
    }
    if let Some(console) = console {
        console.write_to(out)?;
    }
    if let Some(acme) = config.server.tls.certificate.acme() {
        let in_files =
            matches!(&config.server.tls.certificate, ServerCertificate::Acme(_, files) if !files.is_empty());
        certificates(out, acme, &config.server.state_dir, in_files)?;
    }
    out.flush()
}

/// Prints which certificates the gateway orders, and which of them it has. `in_files` is whether it has other
/// certificates, too.
fn certificates(out: &mut dyn io::Write, acme: &Acme, state_dir: &Path, in_files: bool) -> io::Result<()> {
    writeln!(out, "tollgate: certificates from {}", acme.directory)?;
    let mut has_one = in_files;
    for (domain, stored) in stored(acme, state_dir) {
        match stored.ok().flatten() {
            Some(issued) => {
                has_one = true;
                writeln!(out, "  {domain}: valid until {}", utc::from_unix(issued.not_after))?;
            }
            None => writeln!(out, "  {domain}: none yet; it is ordered now")?,
        }
    }
    if !has_one {
        writeln!(out, "  a self-signed certificate is served until the first one is issued")?;
    }
    Ok(())
}

/// Prints commands to try: the tutorial's, or those of the first client that can get tokens.
fn try_it(out: &mut dyn io::Write, config: &Config, bound: &Bound) -> io::Result<()> {
    let serving = config.server.first_serving().and_then(|(index, _)| bound.listeners().get(index));
    let Some(listener) = serving else { return Ok(()) };
    let scheme = if listener.spec.tls { "https" } else { "http" };
    // No client can verify the self-signed certificate.
    let self_signed = listener.spec.tls && config.server.tls.certificate == ServerCertificate::SelfSigned;
    let insecure = if self_signed { "-k " } else { "" };
    let base = match &config.token_service.issuer {
        // A real certificate has the name by which clients know the gateway.
        Issuer::Configured(issuer) if listener.spec.tls && !self_signed => origin_of(issuer).to_owned(),
        Issuer::Configured(_) | Issuer::FromListener(_) => {
            format!("{scheme}://localhost:{}", listener.addr().port())
        }
    };
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
            "  curl {insecure}{base}{} -H 'authorization: Bearer <the access_token of the response>'",
            route.path.as_str()
        )?;
    }
    if tutorial {
        writeln!(
            out,
            "\nWARNING: the client \"server\" has the tutorial's secret, Password1, which everybody knows. Change it before you put a real API behind this gateway."
        )?;
    }
    writeln!(
        out,
        "\nCtrl-C stops the gateway. SIGTERM lets requests in flight finish first. Changes of {} are applied automatically.",
        config.file.display()
    )
}

/// Returns a URL without its path.
fn origin_of(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(authority..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| authority + at);
    url.get(..end).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::origin_of;

    #[test]
    fn a_url_has_an_origin() {
        for (url, origin) in [
            ("https://gateway.example.test", "https://gateway.example.test"),
            ("https://gateway.example.test:8443/tenant/1", "https://gateway.example.test:8443"),
            ("gateway/path", "gateway"),
        ] {
            assert_eq!(origin_of(url), origin);
        }
    }
}
