//! What an import would change in a configuration: the second import of a description shows only that.

use std::fmt::Write as _;

use super::draft::{Draft, Need, Route, RoutePath};
use super::render::route_table;
use crate::config::{Access, Config, Methods, Route as Configured};
use crate::oauth::scope::{Requirement, Scopes};

/// The difference between a draft and the routes of a configuration to the same upstreams.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Routes that the configuration does not have.
    pub(crate) new: Vec<Route>,
    /// Routes that it has with other scopes or methods: what the source says, and what the file says.
    pub(crate) changed: Vec<(Route, String)>,
    /// Routes of the configuration that the source no longer has.
    pub(crate) gone: Vec<String>,
    /// How many are the same.
    pub(crate) same: usize,
}

/// Compares the routes of a draft with those of a configuration that go to an upstream of the same name.
pub(crate) fn compare(draft: &Draft, config: &Config) -> Comparison {
    let mut comparison = Comparison::default();
    let name = |route: &Configured| {
        config.upstream_of(route).map(|upstream| upstream.name.clone()).unwrap_or_default()
    };
    let mut met = vec![false; config.routes.len()];
    for route in &draft.routes {
        let mut best = None;
        for (index, configured) in config.routes.iter().enumerate() {
            if name(configured) == route.upstream
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
                Some(text) => comparison.changed.push((route.clone(), text)),
            },
        }
    }
    let upstreams: Vec<&str> = draft.upstreams.iter().map(|upstream| &*upstream.name).collect();
    for (configured, met) in config.routes.iter().zip(met) {
        if !met && upstreams.contains(&&*name(configured)) {
            comparison.gone.push(label(configured));
        }
    }
    comparison
}

impl Comparison {
    /// Whether an import would change nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.gone.is_empty()
    }

    /// The difference for people: `+` is new, `~` is changed, `-` is gone from the source. New routes stand as TOML.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for route in &self.new {
            for line in route_table(route).lines() {
                let _ = writeln!(text, "+ {line}");
            }
            text.push('\n');
        }
        for (route, difference) in &self.changed {
            let methods: Vec<&str> = route.methods.iter().map(String::as_str).collect();
            let _ = writeln!(text, "~ {} {}: {difference}", methods.join(","), route.path.text());
        }
        for label in &self.gone {
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
    let methods = match &route.methods {
        Methods::All => "any method".to_owned(),
        Methods::Only(methods) => methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(","),
    };
    let end = if route.path.is_prefix() { "/*" } else { "" };
    format!("{methods} {}{end} (line {})", route.path.as_str().trim_end_matches('/'), route.position.line)
}

fn same_path(route: &Route, configured: &Configured) -> bool {
    let prefix = matches!(route.path, RoutePath::Prefix(_));
    let shape = |text: &str| {
        let segments = text.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
        segments.collect::<Vec<_>>().join("/")
    };
    prefix == configured.path.is_prefix() && shape(route.path.text()) == shape(configured.path.as_str())
}

fn overlaps(route: &Route, configured: &Configured) -> bool {
    match &configured.methods {
        Methods::All => true,
        Methods::Only(_) if route.methods.is_empty() => true,
        Methods::Only(methods) => methods.iter().any(|method| route.methods.contains(method.as_str())),
    }
}

/// What differs, in words.
fn differences(route: &Route, configured: &Configured) -> Option<String> {
    let mut parts = Vec::new();
    let methods: Vec<String> = match &configured.methods {
        Methods::All => Vec::new(),
        Methods::Only(methods) => {
            let mut methods: Vec<String> = methods.iter().map(|method| method.as_str().to_owned()).collect();
            methods.sort();
            methods
        }
    };
    let wanted: Vec<String> = route.methods.iter().cloned().collect();
    if methods != wanted {
        parts.push(format!("methods {} instead of {}", shown(&wanted), shown(&methods)));
    }
    let (all, any): (Vec<String>, Vec<String>) = match &route.need {
        Need::Token => Default::default(),
        Need::All(scopes) => (scopes.iter().cloned().collect(), Vec::new()),
        Need::Any(scopes) if scopes.len() == 1 => (scopes.iter().cloned().collect(), Vec::new()),
        Need::Any(scopes) => (Vec::new(), scopes.iter().cloned().collect()),
    };
    let need = match (&*all, &*any) {
        ([], []) => "any valid token".to_owned(),
        (all, []) => format!("all of {}", shown(all)),
        (_, any) => format!("one of {}", shown(any)),
    };
    let has = configured_need(&configured.access);
    if need != has {
        parts.push(format!("{need} instead of {has}"));
    }
    if parts.is_empty() { None } else { Some(parts.join("; ")) }
}

fn shown(texts: &[String]) -> String {
    if texts.is_empty() { "all".to_owned() } else { texts.join(", ") }
}

fn configured_need(access: &Access) -> String {
    let Access::Token { requirement, .. } = access else { return "no token".to_owned() };
    let list = |scopes: &Scopes| {
        let mut scopes: Vec<String> = scopes.iter().map(str::to_owned).collect();
        scopes.sort();
        scopes
    };
    match requirement {
        Requirement::AnyToken => "any valid token".to_owned(),
        Requirement::Any(scopes) if scopes.iter().count() > 1 => format!("one of {}", shown(&list(scopes))),
        Requirement::All(scopes) | Requirement::Any(scopes) => format!("all of {}", shown(&list(scopes))),
    }
}
