//! Proves that no request of a pattern is accepted.

use std::cell::RefCell;

use http::Method;

use super::hosts::{self, Host};
use super::sample::{Compile, decide, who};
use crate::access::explain::Verdict;
use crate::access::reach::Reach;
use crate::config::{Access, Client, Config, Mode, RequestPattern, Route};
use crate::route::marks::Marks;
use crate::route::path::{Canonical, canonical};
use crate::route::pattern::Pattern;
use crate::route::rewrite::{PathRewrite, Rewrite};
use crate::route::search::{Outcome, Shape, find_path};
use crate::route::table::{Match, RouteTable};

/// The number of requests that the routes accept and the gateway's function refuses before the search gives
/// up. The expected number is zero, because the function's additional checks do not depend on the path.
const MOST_REFUSED: usize = 20;

/// Proves that no request of the pattern is accepted. `client` is the client, or `None` for a request without
/// a token.
///
/// # Errors
/// Returns a request that is accepted, or the reason why there is no proof.
pub(super) fn prove(
    config: &Config,
    client: Option<&str>,
    pattern: &RequestPattern,
    compile: Compile<'_>,
) -> Result<(), String> {
    let prover = Prover {
        config,
        client: client.and_then(|id| config.client(id)),
        pattern,
        compile,
        methods: methods(config, pattern),
        endpoints: config.token_service.endpoints().into_iter().map(|(path, _)| path).collect(),
    };
    hosts::hosts(config, pattern.host.as_ref()).into_iter().try_for_each(|host| prover.prove(&host))
}

/// Returns one method for each group of methods that the routes treat alike.
fn methods(config: &Config, pattern: &RequestPattern) -> Vec<Method> {
    if let Some(methods) = &pattern.methods {
        return methods.clone();
    }
    let mut methods = vec![Method::GET];
    let named = config.routes.iter().filter_map(|route| route.methods.only()).flatten();
    for method in named {
        if !methods.contains(method) {
            methods.push(method.clone());
        }
    }
    // A method that no route names.
    let mut other = "OTHER".to_owned();
    while methods.iter().any(|method| method.as_str() == other) {
        other.push_str("-OTHER");
    }
    methods.extend(Method::from_bytes(other.as_bytes()));
    methods
}

struct Prover<'c> {
    config: &'c Config,
    /// `None` is a request without a token.
    client: Option<&'c Client>,
    pattern: &'c RequestPattern,
    compile: Compile<'c>,
    methods: Vec<Method>,
    endpoints: Vec<String>,
}

/// The state of the search.
#[derive(Default)]
struct Findings {
    counterexample: Option<String>,
    refused: usize,
}

impl Prover<'_> {
    /// Proves the claim for one host.
    fn prove(&self, host: &Host) -> Result<(), String> {
        let routes: Vec<(usize, &Route)> = self
            .config
            .routes
            .iter()
            .enumerate()
            .filter(|(_, route)| {
                route.hosts.is_empty() || route.hosts.iter().any(|pattern| hosts::takes(pattern, host))
            })
            .collect();
        // No route accepts this host and method, whatever the path is.
        if !routes.iter().any(|(_, route)| self.opens(route)) {
            return Ok(());
        }
        let table = self.table(&routes)?;
        let endpoints: Vec<Pattern> =
            self.endpoints.iter().filter_map(|path| Pattern::path(path).ok()).collect();
        let of_routes = routes.iter().map(|(_, route)| {
            let (folded, is_goal) = (self.folds(route), self.opens(route));
            Shape { pattern: &route.path, folded, is_goal }
        });
        let of_endpoints = endpoints.iter().map(|pattern| Shape { pattern, folded: false, is_goal: false });
        let shapes: Vec<Shape<'_>> = of_routes.chain(of_endpoints).collect();
        let opening = routes.iter().filter(|(_, route)| self.opens(route));
        let marks = opening.fold(Marks::NONE, |all, (_, route)| all | route.allowed());
        // A route that changes the path refuses ambiguous characters (marks) in the part that it changes.
        let rewriting = routes.iter().filter(|(_, route)| rewrite(route) != Rewrite::default());
        let marked_depth =
            rewriting.map(|(_, route)| route.path.as_str().matches('/').count()).max().unwrap_or(0);
        let findings = RefCell::new(Findings::default());
        let outcome = find_path(&self.pattern.path, &shapes, marks, marked_depth, |path| {
            self.gets_through(&table, host, path, &mut findings.borrow_mut())
        });
        let Findings { counterexample, .. } = findings.into_inner();
        match (outcome, counterexample) {
            (_, Some(message)) => Err(message),
            (Outcome::Exhausted | Outcome::Accepted, None) => Ok(()),
            (Outcome::TooLarge, None) => Err(format!(
                "cannot be proved, because too many routes match parts of {:?}: write a narrower pattern",
                self.pattern.text
            )),
        }
    }

    /// Returns the table of these routes, with their positions in the configuration.
    fn table(&self, routes: &[(usize, &Route)]) -> Result<RouteTable<usize>, String> {
        let entries = routes.iter().flat_map(|(index, route)| self.config.table_entries(route, index));
        RouteTable::build(entries).map_err(|_| "cannot be proved: two routes conflict".to_owned())
    }

    fn folds(&self, route: &Route) -> bool {
        self.config.upstream_of(route).is_some_and(|upstream| upstream.case_insensitive)
    }

    /// Returns whether a route accepts some request of the client.
    fn opens(&self, route: &Route) -> bool {
        match (self.client, &route.access) {
            (_, Access::Public) => true,
            // A route in shadow mode accepts every request.
            _ if route.mode == Mode::Shadow => true,
            (None, Access::Token { .. }) => false,
            (Some(client), Access::Token { .. }) => Reach::of(client, route).is_allowed(),
        }
    }

    /// Returns whether a request for `path` is accepted, or whether the search has to end without a proof.
    fn gets_through(
        &self,
        table: &RouteTable<usize>,
        host: &Host,
        path: &str,
        findings: &mut Findings,
    ) -> bool {
        let Ok(path) = canonical(path) else { return false };
        self.methods.iter().any(|method| {
            let Some(route) = self.route(table, host, &path, method) else { return false };
            let origin = host.as_ref().map(|host| format!("https://{host}")).unwrap_or_default();
            let url = format!("{origin}{}", path.as_str());
            let client = self.client.map(|client| client.id.as_str());
            let decided = decide(self.config, client, method, &url, self.compile);
            findings.counterexample = match decided.map(|explanation| explanation.verdict) {
                Ok(Verdict::Passes { .. }) => Some(format!(
                    "is violated: {method} {url} gets through with {}, by the route in {}:{}",
                    who(client),
                    self.config.file_of(route.position).display(),
                    route.position.line
                )),
                Ok(_) if findings.refused < MOST_REFUSED => {
                    findings.refused += 1;
                    None
                }
                Ok(_) => Some("cannot be proved: the gateway refuses what the routes accept".to_owned()),
                Err(message) => Some(format!("cannot be proved: {message}")),
            };
            findings.counterexample.is_some()
        })
    }

    /// Returns the route that accepts a request of the pattern.
    fn route(
        &self,
        table: &RouteTable<usize>,
        host: &Host,
        path: &Canonical<'_>,
        method: &Method,
    ) -> Option<&Route> {
        let Match::Found(index) = table.find(host.as_deref().unwrap_or_default(), path, method) else {
            return None;
        };
        let route = self.config.routes.get(*index)?;
        let wanted = Shape { pattern: &self.pattern.path, folded: self.folds(route), is_goal: false };
        let passes = self.opens(route)
            && wanted.matches_a_reading_of(path)
            && !self.endpoints.iter().any(|endpoint| endpoint == path.as_str())
            && rewrite(route).apply(path.as_str()).is_some();
        passes.then_some(route)
    }
}

/// Returns how the route rewrites paths, because some paths are refused when they are rewritten.
fn rewrite(route: &Route) -> Rewrite {
    let path = match (&route.upstream_path, &route.strip_prefix) {
        (Some(template), _) => PathRewrite::Template(template.clone()),
        (None, Some(prefix)) => PathRewrite::Strip(prefix.as_str().into()),
        (None, None) => PathRewrite::Keep,
    };
    Rewrite { base: Box::default(), path }
}
