//! Compares an import with an existing configuration, so that a second import shows only the differences.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::draft::{Draft, Need, Route, shape};
use super::render::route_table;
use crate::access::describe;
use crate::change::routes::RouteAddress;
use crate::config::{Access, Config, Methods, Route as Configured};
use crate::oauth::scope::{Requirement, Scopes};
use crate::sorting::{collect_sorted, sort};

/// The difference between a draft and the routes of a configuration to the same upstreams.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Routes that the configuration does not have.
    pub(crate) new: Vec<Route>,
    /// Routes that exist with other scopes or methods.
    pub(crate) changed: Vec<Changed>,
    /// Routes of the configuration that the source no longer has.
    pub(crate) gone: Vec<Gone>,
    /// The number of identical routes.
    pub(crate) same: usize,
}

/// A route that the configuration has with other scopes or methods.
#[derive(Debug)]
pub(crate) struct Changed {
    /// The version of the source.
    pub(crate) route: Route,
    /// Its address in the configuration.
    pub(crate) address: RouteAddress,
    /// The differences in words.
    pub(crate) text: String,
}

/// A route that the source no longer has.
#[derive(Debug)]
pub(crate) struct Gone {
    /// Its address in the configuration.
    pub(crate) address: RouteAddress,
    /// The route in words.
    pub(crate) label: String,
}

/// Compares the routes of a draft with those of a configuration that go to an upstream of the same name.
pub(crate) fn compare(draft: &Draft, config: &Config) -> Comparison {
    let mut comparison = Comparison::default();
    let mut met = vec![false; config.routes.len()];
    for route in &draft.routes {
        let mut best = None;
        for (index, configured) in config.routes.iter().enumerate() {
            if describe::upstream(config, configured) == route.upstream
                && same_path(route, configured)
                && overlaps(route, configured)
            {
                if let Some(met) = met.get_mut(index) {
                    *met = true;
                }
                best = Some(configured);
            }
        }
        match best {
            None => comparison.new.push(route.clone()),
            Some(configured) => match differences(route, configured) {
                None => comparison.same += 1,
                Some(text) => comparison.changed.push(Changed {
                    route: route.clone(),
                    address: RouteAddress::of_route(configured),
                    text,
                }),
            },
        }
    }
    let upstreams: Vec<&str> = draft.upstreams.iter().map(|upstream| &*upstream.name).collect();
    for (configured, met) in config.routes.iter().zip(met) {
        if !met && upstreams.contains(&describe::upstream(config, configured)) {
            let address = RouteAddress::of_route(configured);
            comparison.gone.push(Gone { address, label: label(configured) });
        }
    }
    comparison
}

impl Comparison {
    /// Returns whether the import would change nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.gone.is_empty()
    }

    /// Formats the difference for people: `+` is new, `~` is changed, `-` is missing in the source. New
    /// routes are shown as TOML.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for route in &self.new {
            for line in route_table(route).lines() {
                let _ = writeln!(text, "+ {line}");
            }
            text.push('\n');
        }
        for Changed { route, text: difference, .. } in &self.changed {
            let methods: Vec<&str> = route.methods.iter().map(String::as_str).collect();
            let _ = writeln!(text, "~ {} {}: {difference}", methods.join(","), route.path.text());
        }
        for Gone { label, .. } in &self.gone {
            let _ = writeln!(text, "- {label} is no longer in the source");
        }
        let _ = writeln!(
            text,
            "{} new, {} changed, {} gone, {} the same",
            self.new.len(),
            self.changed.len(),
            self.gone.len(),
            self.same
        );
        text
    }
}

fn label(route: &Configured) -> String {
    let (methods, path) = describe::requests(route);
    format!("{methods} {path} (line {})", route.position.line)
}

/// Returns whether both routes match the same paths, on the same host if the source names one.
fn same_path(route: &Route, configured: &Configured) -> bool {
    let same_host = route
        .host
        .as_ref()
        .is_none_or(|host| configured.hosts.iter().any(|other| other.to_string() == *host));
    same_host && route.path.shape() == shape(configured.path.as_str(), configured.path.is_prefix())
}

fn overlaps(route: &Route, configured: &Configured) -> bool {
    match &configured.methods {
        Methods::All => true,
        Methods::Only(_) if route.methods.is_empty() => true,
        Methods::Only(methods) => methods.iter().any(|method| route.methods.contains(method.as_str())),
    }
}

/// Describes the differences in words.
fn differences(route: &Route, configured: &Configured) -> Option<String> {
    let mut parts = Vec::new();
    let methods: Vec<String> = match &configured.methods {
        Methods::All => Vec::new(),
        Methods::Only(methods) => {
            let mut methods: Vec<String> = methods.iter().map(|method| method.as_str().to_owned()).collect();
            sort(&mut methods);
            methods
        }
    };
    let wanted: Vec<String> = route.methods.iter().cloned().collect();
    if methods != wanted {
        parts.push(format!("methods {} instead of {}", shown(&wanted), shown(&methods)));
    }
    let wanted = scopes_of(&route.need);
    let same = match &configured.access {
        Access::Public => false,
        Access::Token { requirement, .. } => sets(requirement) == sets(&wanted),
    };
    if !same {
        parts.push(format!("{} instead of {}", describe::scopes(&wanted), describe::needs(configured)));
    }
    if parts.is_empty() { None } else { Some(parts.join("; ")) }
}

/// Returns the requirement for a need. Every translation names valid scopes only.
fn scopes_of(need: &Need) -> Requirement {
    let list = |scopes: &BTreeSet<String>| scopes.iter().cloned().collect::<Vec<_>>();
    let requirement = match need {
        Need::Token => Ok(Requirement::AnyToken),
        Need::All(scopes) => Requirement::all(list(scopes)),
        Need::Any(scopes) => Requirement::any(list(scopes)),
    };
    requirement.unwrap_or(Requirement::AnyToken)
}

/// Returns the scopes in sorted order, and whether one of several is enough.
fn sets(requirement: &Requirement) -> (bool, BTreeSet<&str>) {
    let scopes: BTreeSet<&str> = collect_sorted(requirement.scopes().into_iter().flat_map(Scopes::iter));
    (matches!(requirement, Requirement::Any(_)) && scopes.len() > 1, scopes)
}

fn shown(texts: &[String]) -> String {
    if texts.is_empty() { "all".to_owned() } else { texts.join(", ") }
}
