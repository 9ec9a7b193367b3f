//! Kong: a declarative configuration with services, routes, upstreams and plugins.

mod plugins;

use std::collections::BTreeSet;

use super::draft::{Draft, Need, Route, RoutePath, Server, Upstream};
use super::error::ImportError;
use super::render::quoted;
use super::yaml::Node;
use plugins::plugins;

use crate::sorting::collect_sorted;

pub(super) fn import(text: &str) -> Result<Draft, ImportError> {
    let root = Node::parse(text)?;
    if root.get("services").is_none() && root.get("routes").is_none() {
        return Err(ImportError::at(root.position, "this is not a Kong configuration: it has no services"));
    }
    let mut draft = Draft::default();
    for (key, at, value) in root.entries() {
        match key {
            "services" | "routes" | "upstreams" => {}
            "consumers" => {
                for consumer in value.items() {
                    let name =
                        consumer.text_of("username").or_else(|| consumer.text_of("custom_id")).unwrap_or("?");
                    let text =
                        format!("consumer {name} is not imported: `tollgate client add` makes clients");
                    draft.find(consumer.position, text);
                }
            }
            key if key.starts_with('_') => {}
            _ => draft.find(at, format!("{key} is not imported")),
        }
    }
    for service in root.get("services").map(Node::items).unwrap_or_default() {
        let name = service.text_of("name").unwrap_or("service");
        for route in service.get("routes").map(Node::items).unwrap_or_default() {
            one(&root, service, name, route, &mut draft);
        }
    }
    for route in root.get("routes").map(Node::items).unwrap_or_default() {
        let wanted =
            route.get("service").and_then(|service| service.text_of("name").or_else(|| service.text()));
        let mut services = root.get("services").map(Node::items).unwrap_or_default().iter();
        match services.find(|service| service.text_of("name") == wanted && wanted.is_some()) {
            Some(service) => one(&root, service, wanted.unwrap_or("service"), route, &mut draft),
            None => {
                draft.found += 1;
                draft.find(route.position, "this route is not imported: its service is not in the file");
            }
        }
    }
    Ok(draft)
}

fn one(root: &Node, service: &Node, name: &str, route: &Node, draft: &mut Draft) {
    draft.found += 1;
    let label = route.text_of("name").unwrap_or(name).to_owned();
    let Some(servers) = target(root, service, name, draft) else {
        return draft
            .find(route.position, format!("route {label} is not imported: its service has no address"));
    };
    for (key, at, value) in route.entries() {
        let known = [
            "name",
            "paths",
            "methods",
            "hosts",
            "strip_path",
            "service",
            "plugins",
            "protocols",
            "id",
            "tags",
        ];
        if matches!(key, "headers" | "snis" | "sources" | "destinations" | "expression") && !value.is_null() {
            let text = format!("route {label} is not imported: a route cannot match by {key}");
            return draft.find(at, text);
        }
        if !known.contains(&key) && !value.is_null() && value.flag() != Some(false) {
            draft.find(at, format!("{key} of route {label} is not imported"));
        }
    }
    let mut need = Need::Token;
    let mut settings = Vec::new();
    for owner in [root, service, route] {
        if !plugins(owner, &label, &mut need, &mut settings, draft) {
            return;
        }
    }
    let methods: BTreeSet<String> =
        collect_sorted(route.texts_of("methods").into_iter().map(|method| method.to_ascii_uppercase()));
    let mut hosts: Vec<Option<String>> = route.texts_of("hosts").into_iter().map(Some).collect();
    if hosts.is_empty() {
        hosts.push(None);
    }
    let mut paths = route.texts_of("paths");
    if paths.is_empty() {
        paths.push("/".to_owned());
    }
    // This is the default of Kong.
    let strip = route.get("strip_path").and_then(Node::flag).unwrap_or(true);
    for path in paths {
        if path.starts_with('~') {
            draft.find(
                route.position,
                format!("{path} of route {label} is not imported: it is a regular expression"),
            );
            continue;
        }
        let prefix = path.trim_end_matches('/');
        let prefix = if prefix.is_empty() { "/" } else { prefix };
        if prefix != "/" {
            let text = format!(
                "{path} of route {label} becomes a prefix of whole segments: {prefix}X is not matched"
            );
            draft.find(route.position, text);
        }
        let mut settings = settings.clone();
        if strip && prefix != "/" {
            settings.push(("strip_prefix", quoted(prefix)));
        }
        for host in &hosts {
            draft.routes.push(Route {
                host: host.clone(),
                path: RoutePath::Prefix(prefix.to_owned()),
                methods: methods.clone(),
                need: need.clone(),
                upstream: name.to_owned(),
                settings: settings.clone(),
                position: route.position,
            });
        }
    }
    if !draft.upstreams.iter().any(|upstream| upstream.name == name) {
        draft.upstreams.push(Upstream { name: name.to_owned(), servers, settings: Vec::new() });
    }
}

/// The servers of a service, with the path that is put before the path of every request.
fn target(root: &Node, service: &Node, name: &str, draft: &mut Draft) -> Option<Vec<Server>> {
    let (scheme, host, port, path) = match service.text_of("url") {
        Some(url) => {
            let (scheme, rest) = url.split_once("://")?;
            let (authority, path) =
                rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
            let (host, port) =
                authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
            (scheme, host, port, format!("/{path}"))
        }
        None => (
            service.text_of("protocol").unwrap_or("http"),
            service.text_of("host")?,
            service.text_of("port"),
            service.text_of("path").unwrap_or("/").to_owned(),
        ),
    };
    let base = path.trim_end_matches('/').to_owned();
    let with_port = |host: &str, port: Option<&str>| match port {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    };
    let upstreams = root.get("upstreams").map(Node::items).unwrap_or_default();
    let Some(upstream) = upstreams.iter().find(|upstream| upstream.text_of("name") == Some(host)) else {
        return Some(vec![Server { url: with_port(host, port) + &base, weight: None }]);
    };
    let mut servers = Vec::new();
    for target in upstream.get("targets").map(Node::items).unwrap_or_default() {
        let weight = target.text_of("weight").and_then(|weight| weight.parse().ok());
        if weight == Some(0) {
            continue;
        }
        servers.push(Server { url: format!("{scheme}://{}{base}", target.text_of("target")?), weight });
    }
    for (key, at, _) in
        upstream.entries().filter(|(key, _, _)| !matches!(*key, "name" | "targets" | "id" | "tags"))
    {
        draft.find(at, format!("{key} of upstream {host}, which service {name} uses, is not imported"));
    }
    if servers.is_empty() { None } else { Some(servers) }
}
