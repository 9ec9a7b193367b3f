//! nginx: `upstream`, `server` and `location` blocks with `proxy_pass`.

mod locations;
mod syntax;

use super::draft::{Draft, Server, Upstream};
use super::error::ImportError;
use locations::{Inherited, is_restriction, locations};
use syntax::Directive;

/// Translates a configuration: all of nginx.conf, or a file of `conf.d`.
pub(super) fn import(text: &str) -> Result<Draft, ImportError> {
    let directives = syntax::parse(text)?;
    let mut draft = Draft::default();
    let http: Vec<&Directive> =
        directives
            .iter()
            .flat_map(|directive| {
                if directive.name == "http" { directive.inner() } else { std::slice::from_ref(directive) }
            })
            .collect();
    for directive in &http {
        if directive.name == "upstream" {
            upstream(directive, &mut draft);
        }
    }
    let mut inherited = Inherited::default();
    for directive in
        http.iter().filter(|directive| !matches!(&*directive.name, "upstream" | "server" | "location"))
    {
        if !inherited.take(directive) && is_restriction(directive) {
            let text = format!(
                "nothing is imported: this {} is for all servers, and routes cannot express it",
                directive.name
            );
            return Err(ImportError::at(directive.position, text));
        }
    }
    for directive in &http {
        match &*directive.name {
            "upstream" => {}
            "server" => server(directive, inherited.for_inner(), &mut draft),
            "allow" | "deny" | "client_max_body_size" => {}
            _ => draft.find(directive.position, format!("{} is not imported", directive.name)),
        }
    }
    let used: Vec<String> = draft.routes.iter().map(|route| route.upstream.clone()).collect();
    draft.upstreams.retain(|upstream| used.contains(&upstream.name));
    Ok(draft)
}

fn upstream(directive: &Directive, draft: &mut Draft) {
    let Some(name) = directive.arguments.first() else { return };
    let mut upstream = Upstream { name: name.clone(), servers: Vec::new(), settings: Vec::new() };
    for inner in directive.inner() {
        match (&*inner.name, inner.arguments.split_first()) {
            ("server", Some((address, parameters))) => {
                if address.starts_with("unix:") {
                    draft
                        .find(inner.position, format!("server {address} is not imported: write it yourself"));
                    continue;
                }
                let mut weight = None;
                for parameter in parameters {
                    match parameter.strip_prefix("weight=").and_then(|weight| weight.parse().ok()) {
                        Some(number) => weight = Some(number),
                        None => draft
                            .find(inner.position, format!("{parameter} of server {address} is not imported")),
                    }
                }
                // The scheme comes from `proxy_pass`.
                upstream.servers.push(Server { url: address.clone(), weight });
            }
            ("least_conn", _) => upstream.settings.push(("balance", "\"least_requests\"".to_owned())),
            ("random", _) => upstream.settings.push(("balance", "\"random\"".to_owned())),
            ("keepalive" | "keepalive_requests" | "keepalive_timeout" | "zone", _) => {
                draft.find(inner.position, format!("{} is not needed: connections are kept", inner.name));
            }
            _ => draft.find(inner.position, format!("{} of upstream {name} is not imported", inner.name)),
        }
    }
    draft.upstreams.push(upstream);
}

fn server(directive: &Directive, mut inherited: Inherited, draft: &mut Draft) {
    let mut hosts = Vec::new();
    for inner in directive.inner() {
        match &*inner.name {
            "server_name" => {
                for name in &inner.arguments {
                    match &**name {
                        "_" | "" => hosts.push(None),
                        name if name.starts_with('~') => {
                            draft.find(
                                inner.position,
                                format!("server_name {name} is not imported: it is a pattern"),
                            );
                        }
                        name if name.starts_with('.') || name.ends_with('*') => {
                            let text = format!(
                                "server_name {name} is not imported: write the hosts or *.example.com"
                            );
                            draft.find(inner.position, text);
                        }
                        name => hosts.push(Some(name.to_owned())),
                    }
                }
                if hosts.is_empty() {
                    return draft
                        .find(directive.position, "this server is not imported: none of its names is");
                }
            }
            "listen"
            | "ssl_certificate"
            | "ssl_certificate_key"
            | "ssl_protocols"
            | "ssl_ciphers"
            | "http2" => {
                let text =
                    format!("{} is not imported: listeners and certificates are set in [server]", inner.name);
                draft.find(inner.position, text);
            }
            "location" => {}
            _ if inherited.take(inner) => {}
            name if is_restriction(inner) => {
                let text = format!("this server is not imported: a route cannot express this {name}");
                return draft.find(inner.position, text);
            }
            name => draft.find(inner.position, format!("{name} is not imported")),
        }
    }
    if hosts.is_empty() {
        hosts.push(None);
    }
    locations(directive, &hosts, &inherited, draft);
}
