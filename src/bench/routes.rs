//! The routes that are measured.

use http::Method;

use crate::access::offline::without_upstream_tls;
use crate::access::reach::{Reach, SenderConstraint};
use crate::bench::error::BenchError;
use crate::bench::plan::RequestLine;
use crate::config::{Access, Client, Config, Methods, Route};
use crate::gateway::build;
use crate::route::path::canonical;
use crate::route::table::Match;

/// A request line, and the route that it reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) line: RequestLine,
    /// The position of the route in the configuration, if there is one.
    pub(crate) index: Option<usize>,
    /// The host of the request, if the route has one.
    pub(crate) host: Option<String>,
}

impl Choice {
    /// Returns the method and the path.
    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.line.method, self.line.path)
    }
}

/// Returns the route that a request line reaches.
///
/// # Errors
/// Fails if no route does, or a protected one where a public one is needed or the reverse.
pub(crate) fn named(config: Option<&Config>, line: &RequestLine, public: bool) -> Result<Choice, BenchError> {
    let Some(config) = config else {
        return Ok(Choice { line: line.clone(), index: None, host: None });
    };
    let RequestLine { method, path } = line;
    let bare = path.split_once('?').map_or(&**path, |(path, _)| path);
    let path = canonical(bare).map_err(|error| {
        BenchError::usage(format!("the gateway refuses \"{bare}\": {}", error.public_text()))
    })?;
    let table = build::rules(&without_upstream_tls(config), None)?.routes;
    // No route has this host.
    let hosts = std::iter::once("_".to_owned()).chain(config.routes.iter().filter_map(Route::sample_host));
    for host in hosts {
        let Match::Found(found) = table.find(&host, &path, method) else { continue };
        let Some(route) = config.routes.get(found.index) else { continue };
        if (route.access == Access::Public) != public {
            let is = if public { "is protected" } else { "is public" };
            return Err(BenchError::usage(format!(
                "the route of {method} {bare} (line {}) {is}",
                route.position.line
            )));
        }
        let host = (host != "_").then_some(host);
        return Ok(Choice { line: line.clone(), index: Some(found.index), host });
    }
    Err(BenchError::usage(format!(
        "{} has no route for {method} {bare} (`tollgate explain {method} {bare}` says why)",
        config.file.display()
    )))
}

/// Returns the first public route for GET.
pub(crate) fn public(config: &Config) -> Option<Choice> {
    first(config, |route| route.access == Access::Public)
}

/// Returns the first protected route for GET that the client gets through, if the client is known.
pub(crate) fn protected(config: &Config, client: Option<&Client>) -> Option<Choice> {
    first(config, |route| {
        route.access != Access::Public
            // The load generator sends neither proofs nor certificates with its tokens.
            && client.is_none_or(|client| {
                Reach::of(client, route) == Reach::Allowed(SenderConstraint::default())
            })
    })
}

fn first(config: &Config, is_meant: impl Fn(&Route) -> bool) -> Option<Choice> {
    let accepts_get = |route: &Route| match &route.methods {
        Methods::All => true,
        Methods::Only(methods) => methods.contains(&Method::GET),
    };
    let index = config.routes.iter().position(|route| accepts_get(route) && is_meant(route))?;
    let route = config.routes.get(index)?;
    let line = RequestLine { method: Method::GET, path: route.path.sample() };
    Some(Choice { line, index: Some(index), host: route.sample_host() })
}
