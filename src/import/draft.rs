//! What a translation makes, before it is text.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Pattern, PatternError, Position};

/// The parts of a gateway.toml that a source was translated into.
#[derive(Debug, Default, Clone)]
pub(crate) struct Draft {
    /// Scopes and what they are for.
    pub(crate) scopes: BTreeMap<String, String>,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) routes: Vec<Route>,
    /// What has no equivalent, in the order of the source.
    pub(crate) findings: Vec<Finding>,
    /// How many operations, routes or locations the source has.
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
    /// All methods if there are none.
    pub(crate) methods: BTreeSet<String>,
    pub(crate) need: Need,
    pub(crate) upstream: String,
    /// Further keys with their values, written as TOML.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// Where the source has it.
    pub(crate) position: Position,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RoutePath {
    Exact(String),
    Prefix(String),
}

/// What a request needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Any valid token.
    Token,
    /// All of these scopes.
    All(BTreeSet<String>),
    /// One of these scopes.
    Any(BTreeSet<String>),
}

/// Something of the source that has no equivalent, or that the operator must look at.
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

    /// The path with every `{name}` alike: two templates that differ only in names match the same requests.
    fn shape(&self) -> String {
        let kind = if matches!(self, Self::Exact(_)) { '=' } else { '^' };
        let segments =
            self.text().split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
        format!("{kind}{}", segments.collect::<Vec<_>>().join("/"))
    }
}

impl Draft {
    pub(super) fn find(&mut self, position: Position, text: impl Into<String>) {
        self.findings.push(Finding { position, text: text.into() });
    }

    /// Removes what gateway.toml would refuse, and reports it: paths that are no patterns, and routes of which neither is
    /// more specific. Routes that differ only in their methods become one.
    pub(super) fn settle(&mut self) {
        let mut routes: Vec<Route> = Vec::new();
        for mut route in std::mem::take(&mut self.routes) {
            if let Err(error) = route.path.check() {
                self.find(route.position, format!("{} is not imported: {error}", route.path.text()));
                continue;
            }
            let alike = |other: &Route| other.host == route.host && other.path.shape() == route.path.shape();
            let mut taken = BTreeSet::new();
            let mut all = false;
            for other in routes.iter().filter(|other| alike(other)) {
                all |= other.methods.is_empty();
                taken.extend(other.methods.iter().cloned());
            }
            let double: Vec<String> = route.methods.intersection(&taken).cloned().collect();
            if all || (route.methods.is_empty() && !taken.is_empty()) {
                let text = format!("{} is not imported: another route has this path", route.path.text());
                self.find(route.position, text);
                continue;
            }
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
            let same = routes.iter_mut().find(|other| {
                other.host == route.host
                    && other.path == route.path
                    && other.need == route.need
                    && other.upstream == route.upstream
                    && other.settings == route.settings
            });
            match same {
                Some(other) => other.methods.append(&mut route.methods),
                None => routes.push(route),
            }
        }
        self.routes = routes;
        self.findings.sort_by_key(|finding| finding.position);
        self.findings.dedup();
    }
}
