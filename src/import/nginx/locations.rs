//! Translates `location` blocks into routes, with the settings that they inherit from their server.

use std::collections::BTreeSet;

use super::syntax::Directive;
use crate::config::Origin;
use crate::import::draft::{Draft, Need, Route, RoutePath, Server, Upstream};
use crate::import::name::slug;
use crate::import::render::{quoted, quoted_list};

/// The settings that a location inherits from the blocks around it, in the form of routes.
#[derive(Debug, Default, Clone)]
pub(super) struct Inherited {
    max_body_size: Option<String>,
    allow: Vec<String>,
    deny: Vec<String>,
    /// `deny all` was seen, so only addresses in `allow` are accepted.
    closed: bool,
    /// The addresses come from an outer block. The first `allow` or `deny` of an inner block replaces them.
    outer: bool,
}

/// Directives that restrict access or decide the response. A location with a directive that a route cannot
/// express is not imported, because its route would accept more than nginx does.
const RESTRICTIONS: [&str; 8] =
    ["allow", "deny", "if", "internal", "limit_except", "location", "return", "valid_referers"];

/// Returns whether a directive that was not translated prevents the import of its block.
pub(super) fn is_restriction(directive: &Directive) -> bool {
    RESTRICTIONS.contains(&&*directive.name)
}

impl Inherited {
    /// The settings for a block within this one.
    pub(super) fn for_inner(&self) -> Self {
        Self { outer: true, ..self.clone() }
    }

    /// Applies a directive that has an equivalent key of a route. Returns `false` for other directives.
    pub(super) fn take(&mut self, directive: &Directive) -> bool {
        let Some(value) = directive.arguments.first() else { return false };
        if self.outer && matches!(&*directive.name, "allow" | "deny") {
            self.allow.clear();
            self.deny.clear();
            (self.closed, self.outer) = (false, false);
        }
        match &*directive.name {
            "client_max_body_size" => match size(value) {
                Some(size) => self.max_body_size = Some(size),
                None => return false,
            },
            "allow" if value == "all" && !self.closed => {}
            "deny" if value == "all" => self.closed = true,
            // nginx ignores rules after `deny all`.
            "allow" | "deny" if self.closed => return false,
            "allow" => self.allow.push(value.clone()),
            // nginx stops at the first match, and a route checks `deny` before `allow`. The order matters
            // only here.
            "deny" if self.allow.is_empty() => self.deny.push(value.clone()),
            _ => return false,
        }
        true
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        if self.closed {
            settings.push(("allow", quoted_list(&self.allow)));
        }
        if !self.deny.is_empty() {
            settings.push(("deny", quoted_list(&self.deny)));
        }
        if let Some(size) = &self.max_body_size {
            settings.push(("max_body_size", quoted(size)));
        }
        settings
    }
}

pub(super) fn locations(
    block: &Directive,
    hosts: &[Option<String>],
    inherited: &Inherited,
    draft: &mut Draft,
) {
    for location in block.inner().iter().filter(|directive| directive.name == "location") {
        draft.found += 1;
        let shown = location.arguments.join(" ");
        let path = match &*location.arguments {
            [modifier, path] if modifier == "=" => RoutePath::Exact(path.clone()),
            [modifier, path] if modifier == "^~" => RoutePath::Prefix(path.clone()),
            [path] if path.starts_with('/') => RoutePath::Prefix(path.clone()),
            _ => {
                let text =
                    format!("location {shown} is not imported: write its paths without a regular expression");
                draft.find(location.position, text);
                continue;
            }
        };
        one(location, &shown, path, hosts, inherited.for_inner(), draft);
    }
}

fn one(
    location: &Directive,
    shown: &str,
    path: RoutePath,
    hosts: &[Option<String>],
    mut inherited: Inherited,
    draft: &mut Draft,
) {
    let mut methods = BTreeSet::new();
    let mut pass = None;
    for directive in location.inner() {
        match &*directive.name {
            "proxy_pass" => pass = directive.arguments.first().map(|url| (url.clone(), directive.position)),
            "limit_except" if is_deny_all(directive) => {
                methods.extend(directive.arguments.iter().map(|method| method.to_ascii_uppercase()));
                if methods.contains("GET") {
                    methods.insert("HEAD".to_owned());
                }
            }
            "auth_basic" | "auth_basic_user_file" | "auth_request" | "auth_jwt" => {
                let text = format!("{} is not imported: the token takes its place", directive.name);
                draft.find(directive.position, text);
            }
            "proxy_http_version" | "proxy_buffering" | "proxy_redirect" => {
                draft.find(directive.position, format!("{} is not needed", directive.name));
            }
            _ if inherited.take(directive) => {}
            name if is_restriction(directive) => {
                let text = format!("location {shown} is not imported: a route cannot express this {name}");
                return draft.find(directive.position, text);
            }
            name => draft.find(directive.position, format!("{name} of location {shown} is not imported")),
        }
    }
    let Some((url, at)) = pass else {
        draft.find(location.position, format!("location {shown} is not imported: it has no proxy_pass"));
        return;
    };
    let (origin, rest) = match split(&url) {
        Some(parts) => parts,
        None => {
            return draft
                .find(at, format!("location {shown} is not imported: proxy_pass {url} has no fixed target"));
        }
    };
    if inherited.closed && inherited.allow.is_empty() {
        return draft
            .find(location.position, format!("location {shown} is not imported: it denies everybody"));
    }
    let mut settings = inherited.settings();
    let text = path.text().to_owned();
    // If `proxy_pass` has a path, nginx replaces the location's path with it.
    match rest {
        "" => {}
        rest if rest == text => {}
        "/" if text.ends_with('/') && text != "/" && matches!(path, RoutePath::Prefix(_)) => {
            settings.push(("strip_prefix", quoted(text.trim_end_matches('/'))));
        }
        _ => {
            let text = format!("location {shown} is not imported: proxy_pass {url} rewrites the path");
            return draft.find(at, text);
        }
    }
    let path = match path {
        RoutePath::Prefix(text) if text.len() > 1 => {
            let whole = text.trim_end_matches('/').to_owned();
            let note = if text.ends_with('/') {
                format!("location {shown} becomes the prefix {whole}, which also matches {whole} itself")
            } else {
                format!(
                    "location {shown} becomes the prefix {whole}, which does not match {whole}X as in nginx"
                )
            };
            draft.find(location.position, note);
            RoutePath::Prefix(whole)
        }
        other => other,
    };
    let upstream = upstream(origin, draft);
    for host in hosts {
        draft.routes.push(Route {
            host: host.clone(),
            path: path.clone(),
            methods: methods.clone(),
            need: Need::Token,
            upstream: upstream.clone(),
            settings: settings.clone(),
            position: location.position,
        });
    }
}

fn is_deny_all(directive: &Directive) -> bool {
    matches!(directive.inner(), [only] if only.name == "deny" && only.arguments == ["all"])
}

/// Splits the target of `proxy_pass` into scheme and authority, and its path. Returns `None` if the target
/// contains variables.
fn split(url: &str) -> Option<(&str, &str)> {
    if url.contains('$') {
        return None;
    }
    let scheme = url.find("://")? + 3;
    let end = url.get(scheme..)?.find('/').map_or(url.len(), |end| scheme + end);
    Some((url.get(..end)?, url.get(end..)?))
}

/// Returns the name of the upstream of a target. Makes a new upstream if nginx names a server directly.
fn upstream(origin: &str, draft: &mut Draft) -> String {
    let (scheme, authority) = origin.split_once("://").unwrap_or(("http", origin));
    if let Some(upstream) = draft.upstreams.iter_mut().find(|upstream| upstream.name == authority) {
        for server in &mut upstream.servers {
            if !server.url.contains("://") {
                server.url = format!("{scheme}://{}", server.url);
            }
        }
        return upstream.name.clone();
    }
    let url =
        Origin::parse_with_rest(origin).map_or_else(|_| origin.to_owned(), |(origin, _)| origin.to_string());
    let name = slug(authority);
    if !draft.upstreams.iter().any(|upstream| upstream.name == name) {
        let servers = vec![Server { url, weight: None }];
        draft.upstreams.push(Upstream { name: name.clone(), servers, settings: Vec::new() });
    }
    name
}

/// Translates nginx's sizes (`10m`, `8k`). In both formats, 0 means no limit.
fn size(text: &str) -> Option<String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_suffix(unit).filter(|number| !number.is_empty())?;
    Some(match unit {
        "" if number == "0" => "0".to_owned(),
        "" => format!("{number}B"),
        "k" | "K" => format!("{number}KiB"),
        "m" | "M" => format!("{number}MiB"),
        "g" | "G" => format!("{number}GiB"),
        _ => return None,
    })
}
