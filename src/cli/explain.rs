//! `tollgate explain`: what would become of a request, and why.

mod holder;
mod report;
mod target;

use std::path::Path;

use http::Method;

use self::holder::Holder;
use self::report::Report;
use self::target::Target;
use super::{Failure, access, output, read};
use crate::config::{self, Config, Route};
use crate::proxy::host::Host;
use crate::proxy::path::{PathError, canonical};
use crate::proxy::route::Match;
use crate::proxy::{build, strip};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The request's method.
    method: String,
    /// The request's URL, or its path.
    url: String,
    /// Judge for this client, with all its scopes (or those of --scope). With --token: who asks about the token.
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Judge for this token; a running gateway is asked about it by introspection, as --client.
    #[arg(long, value_name = "TOKEN", conflicts_with = "scopes")]
    token: Option<String>,
    /// Judge for a token with this scope; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The secret of the client that asks about the token; rather set TOLLGATE_CLIENT_SECRET, or pipe it in.
    #[arg(long, value_name = "SECRET", requires = "token", allow_hyphen_values = true)]
    secret: Option<String>,
    /// Where to ask about the token; left out: the configuration's first listener.
    #[arg(long = "gateway", value_name = "URL", requires = "token")]
    gateway: Option<String>,
    /// Do not check the gateway's certificate.
    #[arg(short = 'k', long, requires = "token")]
    insecure: bool,
    /// As JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// What would become of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// It goes upstream, with this path.
    Passes { upstream: String, path: String },
    /// The gateway answers it itself.
    Endpoint(&'static str),
    /// The gateway refuses it.
    Refused { status: u16, error: Option<&'static str>, reason: String },
}

impl Verdict {
    fn refused(status: u16, reason: impl Into<String>) -> Self {
        Self::Refused { status, error: None, reason: reason.into() }
    }

    fn oauth(status: u16, error: &'static str, reason: impl Into<String>) -> Self {
        Self::Refused { status, error: Some(error), reason: reason.into() }
    }
}

pub(super) fn explain(path: &Path, arguments: Arguments) -> Result<(), Failure> {
    let config = read(path)?;
    let target = Target::parse(&arguments.url).map_err(Failure::config)?;
    let method = Method::from_bytes(arguments.method.as_bytes())
        .map_err(|_| Failure::config(format!("{:?} is no method", arguments.method)))?;
    let json = arguments.json;
    let holder = Holder::find(&config, arguments)?;
    let report = judge(&config, method, &target, &holder)?;
    output::print(&if json { report.json() } else { report.text() })
}

/// The same steps in the same order as a request takes them through the gateway.
fn judge<'c>(
    config: &'c Config,
    method: Method,
    target: &Target,
    holder: &'c Holder,
) -> Result<Report<'c>, Failure> {
    let mut report = Report::new(config, method.clone(), target, holder);
    if matches!(method, Method::TRACE | Method::CONNECT) {
        return Ok(report.end(Verdict::refused(405, "TRACE and CONNECT are taken on no route")));
    }
    let host = match &target.authority {
        None => None,
        Some(authority) => match Host::parse(authority) {
            Ok(host) => Some(host),
            Err(error) => return Ok(report.end(Verdict::refused(400, error.public_text()))),
        },
    };
    let path = match canonical(&target.path) {
        Ok(path) => path,
        Err(error) => return Ok(report.end(Verdict::refused(400, error.public_text()))),
    };
    report.canonical = Some(path.as_str().to_owned());
    let endpoints = config.token_service.endpoints();
    if let Some((_, name)) = endpoints.iter().find(|(endpoint, _)| endpoint == path.as_str()) {
        return Ok(report.end(Verdict::Endpoint(name)));
    }
    let table = build::index(config)?;
    // A path alone is for any host; no route's host has this name.
    let found = match table.find(host.map_or("_", |host| host.name()), &path, &method) {
        Match::Found(at) => config.routes.get(*at),
        Match::NotFound => {
            return Ok(report.end(Verdict::refused(404, "no route is for this path")));
        }
        Match::MethodNotAllowed { allow } => {
            let allow = allow.to_str().unwrap_or_default();
            let reason = format!("the path's routes take other methods: {allow}");
            return Ok(report.end(Verdict::refused(405, reason)));
        }
        Match::PathRefused(error) => {
            return Ok(report.end(Verdict::refused(400, error.public_text())));
        }
    };
    let Some(route) = found else {
        return Ok(report.end(Verdict::refused(404, "no route is for this path")));
    };
    report.route = Some(route);
    let verdict = admit(config, route, holder).unwrap_or_else(|| {
        match strip(path.as_str(), route.strip_prefix.as_deref()) {
            Some(path) => Verdict::Passes {
                upstream: access::upstream(config, route).to_owned(),
                path: path.to_owned(),
            },
            None => Verdict::refused(400, PathError::Ambiguous.public_text()),
        }
    });
    Ok(report.end(verdict))
}

/// Why the route refuses who asks; nothing where it does not.
fn admit(config: &Config, route: &Route, holder: &Holder) -> Option<Verdict> {
    let config::Access::Token { requirement, .. } = &route.access else { return None };
    let held = match holder {
        Holder::Nobody => {
            return Some(Verdict::refused(401, "the route needs a token, and the request has none"));
        }
        Holder::DeadToken(reason) => return Some(Verdict::oauth(401, "invalid_token", *reason)),
        Holder::Client { id, held } => {
            if let Some(reason) = config.client(id).and_then(access::shut_out) {
                let reason = format!("the client {id:?} has no good token: it is {}", described(reason));
                return Some(Verdict::oauth(401, "invalid_token", reason));
            }
            held
        }
        Holder::Scopes(held) | Holder::LiveToken { held, .. } => held,
    };
    let missing = access::missing(requirement, held);
    if missing.is_empty() {
        return None;
    }
    let reason = match requirement {
        crate::oauth::scope::Requirement::Any(_) => format!("the token has none of {}", missing.join(", ")),
        _ => format!("the token lacks {}", missing.join(", ")),
    };
    Some(Verdict::oauth(403, "insufficient_scope", reason))
}

fn described(reason: &str) -> &str {
    if reason == "disabled" { reason } else { "not allowed to get tokens (capabilities)" }
}

#[cfg(test)]
mod tests;
