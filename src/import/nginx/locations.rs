//! `location` blocks: what becomes a route, and what it keeps of its server.

use std::collections::BTreeSet;

use super::syntax::Directive;
use crate::config::Origin;
use crate::import::draft::{Draft, Need, Route, RoutePath, Server, Upstream};
use crate::import::name::slug;
use crate::import::render::{quoted, quoted_list};

/// What a location takes from the blocks around it, as routes have it.
#[derive(Debug, Default, Clone)]
pub(super) struct Inherited {
    max_body_size: Option<String>,
    allow: Vec<String>,
    deny: Vec<String>,
    /// `deny all` was seen: only what `allow` names gets through.
    closed: bool,
    /// The addresses are those of an outer block. The first `allow` or `deny` of a block replaces them.
    outer: bool,
}

/// Directives that decide who gets through or what is answered. A location with one that a route cannot express is not
/// imported, because its route would let more through than nginx does.
const RESTRICTIONS: [&str; 8] =
    ["allow", "deny", "if", "internal", "limit_except", "location", "return", "valid_referers"];

/// Whether a directive that was not taken keeps its block from being imported.
pub(super) fn is_restriction(directive: &Directive) -> bool {
    RESTRICTIONS.contains(&&*directive.name)
}

impl Inherited {
    /// The settings for a block within this one.
    pub(super) fn for_inner(&self) -> Self {
        Self { outer: true, ..self.clone() }
    }

    /// Takes a directive that a route has a key for. Returns `false` if it is another one.
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
            // After `deny all`, nginx reads no further.
            "allow" | "deny" if self.closed => return false,
            "allow" => self.allow.push(value.clone()),
            // nginx stops at the first match, and a route denies before it allows: the order matters only here.
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
    // With a path in proxy_pass, nginx puts it in the place of the location's own.
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

/// Splits the target of `proxy_pass` into scheme and authority, and its path. `None` if variables decide.
fn split(url: &str) -> Option<(&str, &str)> {
    if url.contains('$') {
        return None;
    }
    let scheme = url.find("://")? + 3;
    let end = url.get(scheme..)?.find('/').map_or(url.len(), |end| scheme + end);
    Some((url.get(..end)?, url.get(end..)?))
}

/// The name of the upstream that a target means; one is made if nginx names a server itself.
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

/// nginx's sizes (`10m`, `8k`) as ours; 0 is no limit in both.
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
