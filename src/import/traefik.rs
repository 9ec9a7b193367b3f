//! Traefik: the dynamic configuration in YAML.

mod rule;

use super::draft::{Draft, Need, Route, Server, Upstream};
use super::error::ImportError;
use super::render::{quoted, quoted_list};
use super::yaml::Node;

pub(super) fn import(text: &str) -> Result<Draft, ImportError> {
    let root = Node::parse(text)?;
    let Some(http) = root.get("http") else {
        return Err(ImportError::at(
            root.position,
            "this is not a dynamic configuration of Traefik: it has no \"http\"",
        ));
    };
    let mut draft = Draft::default();
    for (key, at, _) in root.entries().filter(|(key, _, _)| *key != "http") {
        draft.find(at, format!("{key} is not imported"));
    }
    for (key, at, _) in
        http.entries().filter(|(key, _, _)| !matches!(*key, "routers" | "services" | "middlewares"))
    {
        draft.find(at, format!("http.{key} is not imported"));
    }
    for (name, _, router) in http.get("routers").into_iter().flat_map(Node::entries) {
        one(http, name, router, &mut draft);
    }
    Ok(draft)
}

fn one(http: &Node, name: &str, router: &Node, draft: &mut Draft) {
    draft.found += 1;
    let Some(rule) = router.get("rule") else {
        return draft.find(router.position, format!("router {name} is not imported: it has no rule"));
    };
    let matches = match rule::parse(rule.text().unwrap_or_default()) {
        Ok(matches) => matches,
        Err(text) => return draft.find(rule.position, format!("router {name} is not imported: {text}")),
    };
    let service = router.text_of("service").unwrap_or_default();
    // `name@file` names the provider.
    let service = service.split('@').next().unwrap_or_default();
    if !upstream(http, service, draft) {
        return draft.find(
            router.position,
            format!("router {name} is not imported: service {service:?} has no servers"),
        );
    }
    for (key, at, value) in router.entries() {
        if !matches!(key, "rule" | "service" | "middlewares") && !value.is_null() {
            draft.find(at, format!("{key} of router {name} is not imported"));
        }
    }
    let mut settings = Vec::new();
    let mut strip: Vec<String> = Vec::new();
    for middleware in router.get("middlewares").map(Node::items).unwrap_or_default() {
        let id = middleware.text().unwrap_or_default().split('@').next().unwrap_or_default();
        let Some(definition) = http.get("middlewares").and_then(|all| all.get(id)) else {
            draft.find(middleware.position, format!("middleware {id} is not in the file"));
            continue;
        };
        for (kind, at, config) in definition.entries() {
            match kind {
                "stripPrefix" => strip = config.texts_of("prefixes"),
                "ipAllowList" | "ipWhiteList" => {
                    settings.push(("allow", quoted_list(&config.texts_of("sourceRange"))));
                }
                "buffering" if config.text_of("maxRequestBodyBytes").is_some() => {
                    let size = config.text_of("maxRequestBodyBytes").unwrap_or("0");
                    settings.push(("max_body_size", quoted(&format!("{size}B"))));
                }
                "basicAuth" | "digestAuth" | "forwardAuth" => {
                    draft.find(
                        at,
                        format!("middleware {id} ({kind}) is not imported: the token takes its place"),
                    );
                }
                _ => draft.find(at, format!("middleware {id} ({kind}) is not imported")),
            }
        }
    }
    for one in matches {
        let mut settings = settings.clone();
        let path = one.path.text().to_owned();
        let stripped =
            strip.iter().find(|prefix| path == **prefix || path.starts_with(&format!("{prefix}/")));
        match stripped {
            Some(prefix) => settings.push(("strip_prefix", quoted(prefix))),
            None if !strip.is_empty() => {
                let text =
                    format!("{path} of router {name} is not imported: its prefix is removed only sometimes");
                draft.find(rule.position, text);
                continue;
            }
            None => {}
        }
        draft.routes.push(Route {
            host: one.host,
            path: one.path,
            methods: one.methods,
            need: Need::Token,
            upstream: service.to_owned(),
            settings,
            position: router.position,
        });
    }
}

/// Adds the upstream of a service. Returns `false` if it has no servers.
fn upstream(http: &Node, name: &str, draft: &mut Draft) -> bool {
    if draft.upstreams.iter().any(|upstream| upstream.name == name) {
        return true;
    }
    let balancer =
        http.get("services").and_then(|services| services.get(name)).and_then(|one| one.get("loadBalancer"));
    let Some(balancer) = balancer else { return false };
    let mut servers = Vec::new();
    for server in balancer.get("servers").map(Node::items).unwrap_or_default() {
        let Some(url) = server.text_of("url") else { continue };
        let weight = server.text_of("weight").and_then(|weight| weight.parse().ok());
        servers.push(Server { url: url.trim_end_matches('/').to_owned(), weight });
    }
    for (key, at, _) in balancer.entries().filter(|(key, _, _)| *key != "servers") {
        draft.find(at, format!("{key} of service {name} is not imported"));
    }
    if servers.is_empty() {
        return false;
    }
    draft.upstreams.push(Upstream { name: name.to_owned(), servers, settings: Vec::new() });
    true
}
