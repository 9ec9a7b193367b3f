//! Which routes are measured.

use http::Method;

use super::arguments::Line;
use crate::cli::access;
use crate::cli::failure::Failure;
use crate::config::{Access, Client, Config, Methods, Pattern, Route};
use crate::gateway::build;
use crate::oauth::scope::Requirement;
use crate::route::path::canonical;
use crate::route::table::Match;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) line: Line,
    /// Its place in the configuration, where there is one.
    pub(super) index: Option<usize>,
    /// The host it asks for, where it is not any.
    pub(super) host: Option<String>,
}

impl Choice {
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.line.method, self.line.path)
    }
}

/// The route that is meant by a request line.
pub(super) fn named(config: Option<&Config>, line: &Line, public: bool) -> Result<Choice, Failure> {
    let Some(config) = config else {
        return Ok(Choice { line: line.clone(), index: None, host: None });
    };
    let Line { method, path } = line;
    let bare = path.split_once('?').map_or(&**path, |(path, _)| path);
    let path = canonical(bare)
        .map_err(|error| Failure::config(format!("the gateway refuses {bare:?}: {}", error.public_text())))?;
    let table = build::index(config)?;
    // A path alone is for any host; no route's host has this name.
    let hosts = std::iter::once("_".to_owned())
        .chain(config.routes.iter().filter_map(|route| Some(route.host.as_ref()?.to_string())));
    for host in hosts {
        let Match::Found(index) = table.find(&host, &path, method) else { continue };
        let Some(route) = config.routes.get(*index) else { continue };
        if (route.access == Access::Public) != public {
            let is = if public { "is protected" } else { "is public" };
            return Err(Failure::config(format!(
                "the route of {method} {bare} (line {}) {is}",
                route.place.line
            )));
        }
        let host = (host != "_").then_some(host);
        return Ok(Choice { line: line.clone(), index: Some(*index), host });
    }
    Err(Failure::config(format!(
        "{} has no route for {method} {bare} (`tollgate explain {method} {bare}` tells more)",
        config.file.display()
    )))
}

/// The first public route that takes GET.
pub(super) fn public(config: &Config) -> Option<Choice> {
    first(config, |route| route.access == Access::Public)
}

/// The first protected route that takes GET and, where the client is known, lets it in.
pub(super) fn protected(config: &Config, client: Option<&Client>) -> Option<Choice> {
    first(config, |route| {
        route.access != Access::Public
            // With a token that whoever has it may use: the load proves nothing more.
            && client.is_none_or(|client| {
                matches!(access::reach(client, route), access::Reach::Yes(bound) if bound.words().is_none())
            })
    })
}

fn first(config: &Config, is_it: impl Fn(&Route) -> bool) -> Option<Choice> {
    let takes_get = |route: &Route| match &route.methods {
        Methods::All => true,
        Methods::Only(methods) => methods.contains(&Method::GET),
    };
    let index = config.routes.iter().position(|route| takes_get(route) && is_it(route))?;
    let route = config.routes.get(index)?;
    let line = Line { method: Method::GET, path: some_path(&route.path) };
    Some(Choice { line, index: Some(index), host: route.host.as_ref().map(ToString::to_string) })
}

/// A path that a pattern takes.
fn some_path(pattern: &Pattern) -> String {
    let segment = |segment: &str| match segment.starts_with('{') {
        true => "1".to_owned(),
        false => segment.to_owned(),
    };
    pattern.as_str().split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// What a token must have for a route: scopes, and whom it is for. Of scopes one of which would do, one that the
/// client may have.
pub(super) fn needs(route: &Route, client: Option<&Client>) -> (Option<String>, Option<String>) {
    let Access::Token { requirement, audience } = &route.access else { return (None, None) };
    let scopes = match requirement {
        Requirement::AnyToken => None,
        Requirement::All(scopes) => Some(scopes.to_string()),
        Requirement::Any(scopes) => {
            let may = |scope: &&str| client.is_none_or(|client| client.scopes.contains(scope));
            scopes.iter().find(may).map(str::to_owned)
        }
    };
    (scopes, audience.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_patterns_take() {
        for (pattern, path) in [
            (Pattern::path("/hello"), "/hello"),
            (Pattern::path("/users/{name}/orders/{id}"), "/users/1/orders/1"),
            (Pattern::prefix("/"), "/"),
            (Pattern::prefix("/v1/orders"), "/v1/orders"),
        ] {
            assert_eq!(some_path(&pattern.unwrap()), path);
        }
    }
}
