//! The verdict: the same steps in the same order as a request takes them through the gateway.

use http::Method;

use super::Verdict;
use super::asking::Asking;
use super::holder::Holder;
use super::report::Report;
use crate::cli::access;
use crate::cli::failure::Failure;
use crate::config::{Access, BodyLimit, Config, Route, Scheme, ShownSize};
use crate::gateway::build;
use crate::oauth::scope::Requirement;
use crate::proxy::addresses::AddressFilter;
use crate::proxy::cors::{self, Cors};
use crate::route::host::Host;
use crate::route::path::{PathError, canonical};
use crate::route::strip::strip_prefix;
use crate::route::table::Match;

pub(super) fn judge<'c>(config: &'c Config, asking: &'c Asking) -> Result<Report<'c>, Failure> {
    let mut report = Report::new(config, asking);
    let Asking { method, target, .. } = asking;
    if matches!(*method, Method::TRACE | Method::CONNECT) {
        return Ok(report.end(Verdict::refused(405, "TRACE and CONNECT are taken on no route")));
    }
    let host = match &target.authority {
        None => None,
        Some(authority) => match Host::parse(authority) {
            Ok(host) => Some(host),
            Err(error) => return Ok(report.end(Verdict::refused(400, error.public_text()))),
        },
    };
    // A path alone is for any host; no route's host has this name.
    let host = host.as_ref().map_or("_", |host| host.name());
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
    let head = asking.head();
    if let Some(method) = cors::preflight(&head)
        && let Match::Found(at) = table.find(host, &path, &method)
        && let Some(route) = config.routes.get(*at)
        && let Some(cors) = &route.cors
    {
        report.route = Some(route);
        let allowed = Cors::new(cors, true).origin(&head.headers).is_some();
        let verdict = from_elsewhere(route, asking).unwrap_or(Verdict::Preflight { allowed });
        return Ok(report.end(verdict));
    }
    let found = match table.find(host, &path, method) {
        Match::Found(at) => config.routes.get(*at),
        Match::NotFound => None,
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
    let refused = from_elsewhere(route, asking)
        .or_else(|| not_admitted(config, route, asking))
        .or_else(|| too_large(route, asking));
    let verdict =
        refused.unwrap_or_else(|| match strip_prefix(path.as_str(), route.strip_prefix.as_deref()) {
            Some(path) => Verdict::Passes {
                upstream: access::upstream(config, route).to_owned(),
                path: path.to_owned(),
            },
            None => Verdict::refused(400, PathError::Ambiguous.public_text()),
        });
    Ok(report.end(verdict))
}

/// Refused for where it comes from, where that is known.
fn from_elsewhere(route: &Route, asking: &Asking) -> Option<Verdict> {
    let (from, addresses) = (asking.from?, AddressFilter::new(&route.addresses)?);
    (!addresses.allows(from)).then(|| {
        Verdict::refused(403, format!("the route takes no requests from {from}, whatever the token"))
    })
}

/// Why the route refuses who asks; nothing where it does not.
fn not_admitted(config: &Config, route: &Route, asking: &Asking) -> Option<Verdict> {
    let Access::Token { requirement, audience } = &route.access else { return None };
    let invalid = |reason: String| Some(Verdict::oauth(401, "invalid_token", reason));
    match &asking.holder {
        Holder::Nobody => {
            return Some(Verdict::refused(401, "the route needs a token, and the request has none"));
        }
        Holder::DeadToken(reason) => return invalid((*reason).to_owned()),
        Holder::Client { id, .. } => {
            if let Some(reason) = config.client(id).and_then(access::shut_out) {
                return invalid(format!("the client {id:?} has no good token: it is {}", described(reason)));
            }
        }
        Holder::Scopes { .. } | Holder::LiveToken { .. } => {}
    }
    let token = asking.holder.token(config, route)?;
    if token.bound.certificate && asking.target.scheme == Some(Scheme::Http) {
        let reason = "the token is bound to a client certificate (RFC 8705), which none can show without TLS";
        return invalid(reason.to_owned());
    }
    if let Some(needed) = audience
        && token.audience.as_ref() != Some(needed)
    {
        let other =
            token.audience.map_or("no resource in particular".to_owned(), |other| format!("{other:?}"));
        return invalid(format!(
            "the route needs a token for {needed:?} (RFC 8707), and this one is for {other}"
        ));
    }
    let missing = access::missing(requirement, token.held);
    if missing.is_empty() {
        return None;
    }
    let reason = match requirement {
        Requirement::Any(_) => format!("the token has none of {}", missing.join(", ")),
        _ => format!("the token lacks {}", missing.join(", ")),
    };
    Some(Verdict::oauth(403, "insufficient_scope", reason))
}

fn described(reason: &str) -> &str {
    if reason == "disabled" { reason } else { "not allowed to get tokens (capabilities)" }
}

fn too_large(route: &Route, asking: &Asking) -> Option<Verdict> {
    match route.max_body_size {
        BodyLimit::Bytes(most) if asking.body > most => {
            Some(Verdict::refused(413, format!("the route takes bodies of at most {}", ShownSize(most))))
        }
        BodyLimit::Bytes(_) | BodyLimit::Unlimited => None,
    }
}
