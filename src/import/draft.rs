//! The result of a translation, before it is written as text.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::{Pattern, PatternError, Position};
use crate::sorting::{collect_sorted, sort_by_key};

/// The parts of a gateway.toml that a source was translated into.
#[derive(Debug, Default, Clone)]
pub(crate) struct Draft {
    /// The scopes with their descriptions.
    pub(crate) scopes: BTreeMap<String, String>,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) routes: Vec<Route>,
    /// The parts of the source that have no equivalent, in the order of the source.
    pub(crate) findings: Vec<Finding>,
    /// The number of operations, routes or locations in the source.
    pub(crate) found: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) name: String,
    pub(crate) servers: Vec<Server>,
    /// Further keys with their values, written as TOML.
    pub(crate) settings: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) weight: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) host: Option<String>,
    pub(crate) path: RoutePath,
    /// The methods. Empty means all methods.
    pub(crate) methods: BTreeSet<String>,
    pub(crate) need: Need,
    pub(crate) upstream: String,
    /// Further keys with their values, written as TOML.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// The position in the source.
    pub(crate) position: Position,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RoutePath {
    Exact(String),
    Prefix(String),
}

/// What a route requires of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Any valid token.
    Token,
    /// All of these scopes.
    All(BTreeSet<String>),
    /// One of these scopes.
    Any(BTreeSet<String>),
}

/// A part of the source that has no equivalent, or that the operator must review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) position: Position,
    pub(crate) text: String,
}

impl RoutePath {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Prefix(text) => text,
        }
    }

    fn check(&self) -> Result<Pattern, PatternError> {
        match self {
            Self::Exact(text) => Pattern::path(text),
            Self::Prefix(text) => Pattern::prefix(text),
        }
    }

    /// Returns the path with all `{name}` segments made equal, because two templates that differ only in
    /// names match the same requests.
    pub(super) fn shape(&self) -> String {
        shape(self.text(), matches!(self, Self::Prefix(_)))
    }
}

/// See [`RoutePath::shape`].
pub(super) fn shape(text: &str, is_prefix: bool) -> String {
    let kind = if is_prefix { '^' } else { '=' };
    let segments = text.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    format!("{kind}{}", segments.collect::<Vec<_>>().join("/"))
}

impl Draft {
    pub(super) fn find(&mut self, position: Position, text: impl Into<String>) {
        self.findings.push(Finding { position, text: text.into() });
    }

    /// Removes what gateway.toml would refuse, and reports it: invalid path patterns, and pairs of routes of
    /// which neither is more specific. Routes that differ only in their methods are merged.
    pub(super) fn settle(&mut self) {
        let mut routes: Vec<Route> = Vec::new();
        // The routes that match the same paths on the same host.
        let mut alike: HashMap<(Option<String>, String), Vec<usize>> = HashMap::new();
        for mut route in std::mem::take(&mut self.routes) {
            if let Err(error) = route.path.check() {
                self.find(route.position, format!("{} is not imported: {error}", route.path.text()));
                continue;
            }
            let others = alike.entry((route.host.clone(), route.path.shape())).or_default();
            let there: Vec<&Route> = others.iter().filter_map(|index| routes.get(*index)).collect();
            let taken: BTreeSet<String> =
                collect_sorted(there.iter().flat_map(|other| other.methods.iter().cloned()));
            let all = there.iter().any(|other| other.methods.is_empty());
            if all || (route.methods.is_empty() && !there.is_empty()) {
                let text = format!("{} is not imported: another route has this path", route.path.text());
                self.find(route.position, text);
                continue;
            }
            let double: Vec<String> = route.methods.intersection(&taken).cloned().collect();
            if !double.is_empty() {
                let text = format!(
                    "{} {} is not imported: another route has this path and method",
                    double.join(","),
                    route.path.text()
                );
                self.find(route.position, text);
                route.methods.retain(|method| !double.contains(method));
                if route.methods.is_empty() {
                    continue;
                }
            }
            let same = others.iter().copied().find(|index| {
                routes.get(*index).is_some_and(|other| {
                    other.path == route.path
                        && other.need == route.need
                        && other.upstream == route.upstream
                        && other.settings == route.settings
                })
            });
            match same.and_then(|index| routes.get_mut(index)) {
                Some(other) => other.methods.append(&mut route.methods),
                None => {
                    others.push(routes.len());
                    routes.push(route);
                }
            }
        }
        self.routes = routes;
        sort_by_key(&mut self.findings, |finding| finding.position);
        self.findings.dedup();
    }
}
