//! Tyk: a classic API definition, or a list of them.

use std::collections::BTreeSet;

use super::draft::{Draft, Need, Route, RoutePath, Server, Upstream};
use super::error::ImportError;
use super::name::slug;
use super::render::{quoted, quoted_list};
use super::yaml::{Node, Value};

/// Members that configure authentication. The token replaces them.
const AUTHENTICATION: [&str; 8] = [
    "use_basic_auth",
    "use_oauth2",
    "use_openid",
    "use_standard_auth",
    "enable_jwt",
    "use_mutual_tls_auth",
    "enable_signature_checking",
    "enable_coprocess_auth",
];
/// Members that describe the definition itself.
const NEUTRAL: [&str; 10] =
    ["name", "slug", "id", "api_id", "org_id", "active", "proxy", "domain", "allowed_ips", "blacklisted_ips"];

pub(super) fn import(text: &str) -> Result<Draft, ImportError> {
    let root = Node::parse(text)?;
    let mut draft = Draft::default();
    let apis: Vec<&Node> = match &root.value {
        Value::Sequence(items) => items.iter().collect(),
        _ => vec![root.get("api_definition").unwrap_or(&root)],
    };
    if !apis.iter().all(|api| api.get("proxy").is_some()) {
        return Err(ImportError::at(root.position, "this is not a Tyk API definition: it has no \"proxy\""));
    }
    for api in apis {
        definition(api, &mut draft);
    }
    Ok(draft)
}

fn definition(api: &Node, draft: &mut Draft) {
    draft.found += 1;
    let name = api.text_of("name").or_else(|| api.text_of("api_id")).unwrap_or("api");
    if api.get("active").and_then(Node::flag) == Some(false) {
        return draft.find(api.position, format!("{name} is not imported: it is not active"));
    }
    let Some(proxy) = api.get("proxy") else { return };
    let Some(listen) = proxy.text_of("listen_path") else {
        return draft.find(proxy.position, format!("{name} is not imported: it has no listen_path"));
    };
    let Some(target) = proxy.text_of("target_url") else {
        return draft.find(proxy.position, format!("{name} is not imported: it has no target_url"));
    };
    let prefix = listen.trim_end_matches('/');
    let prefix = if prefix.is_empty() { "/" } else { prefix };
    let mut settings = Vec::new();
    let strip = proxy.get("strip_listen_path").and_then(Node::flag) == Some(true);
    if strip && prefix != "/" {
        settings.push(("strip_prefix", quoted(prefix)));
    }
    for (key, at, value) in api.entries() {
        if AUTHENTICATION.contains(&key) && value.flag() == Some(true) {
            draft.find(at, format!("{key} of {name} is not imported: the token takes its place"));
        } else if key == "use_keyless" && value.flag() == Some(true) {
            let text =
                format!("{name} needs no key in Tyk; here it needs a token. access = \"public\" opens it");
            draft.find(at, text);
        } else if matches!(key, "enable_ip_whitelisting" | "enable_ip_blacklisting") {
            let (key, list) = match key {
                "enable_ip_whitelisting" => ("allow", api.texts_of("allowed_ips")),
                _ => ("deny", api.texts_of("blacklisted_ips")),
            };
            if value.flag() == Some(true) {
                settings.push((key, quoted_list(&list)));
            }
        } else if key == "version_data" && lists_paths(value) {
            let text = format!("{name} is not imported: its versions list allowed or blocked paths");
            return draft.find(at, text);
        } else if key == "global_rate_limit" {
            match rate(value) {
                Ok(Some(rate)) => settings.push(("rate_limit", rate)),
                Ok(None) => {}
                Err(()) => draft.find(at, format!("global_rate_limit of {name} is not imported")),
            }
        } else if !NEUTRAL.contains(&key) && !AUTHENTICATION.contains(&key) && is_set(value) {
            draft.find(at, format!("{key} of {name} is not imported"));
        }
    }
    for (key, at, value) in proxy.entries() {
        if !matches!(key, "listen_path" | "target_url" | "strip_listen_path") && is_set(value) {
            draft.find(at, format!("proxy.{key} of {name} is not imported"));
        }
    }
    let upstream = slug(name);
    let servers = vec![Server { url: target.trim_end_matches('/').to_owned(), weight: None }];
    draft.upstreams.push(Upstream { name: upstream.clone(), servers, settings: Vec::new() });
    draft.routes.push(Route {
        host: api.text_of("domain").filter(|domain| !domain.is_empty()).map(str::to_owned),
        path: RoutePath::Prefix(prefix.to_owned()),
        methods: BTreeSet::new(),
        need: Need::Token,
        upstream,
        settings,
        position: api.position,
    });
}

/// Returns whether a version allows or blocks single paths.
fn lists_paths(data: &Node) -> bool {
    let versions = data.get("versions").into_iter().flat_map(Node::entries);
    versions.filter_map(|(_, _, version)| version.get("extended_paths")).any(|paths| {
        ["white_list", "black_list"]
            .iter()
            .any(|list| paths.get(list).is_some_and(|list| !list.items().is_empty()))
    })
}

/// Translates `{rate, per}` in seconds. Returns `None` if the limit is switched off.
fn rate(value: &Node) -> Result<Option<String>, ()> {
    let number = |name| value.text_of(name).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let (rate, per) = (number("rate"), number("per"));
    if value.get("disabled").and_then(Node::flag) == Some(true) || rate <= 0.0 {
        return Ok(None);
    }
    if rate.fract() != 0.0 {
        return Err(());
    }
    match per {
        1.0 => Ok(Some(quoted(&format!("{rate}/s")))),
        60.0 => Ok(Some(quoted(&format!("{rate}/m")))),
        3600.0 => Ok(Some(quoted(&format!("{rate}/h")))),
        _ => Err(()),
    }
}

/// Returns whether a member has a value other than false, zero, null or empty.
fn is_set(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => !(node.is_null() || matches!(&**text, "" | "0" | "false")),
        Value::Sequence(items) => items.iter().any(is_set),
        Value::Mapping(entries) => entries.iter().any(|(_, value)| is_set(value)),
    }
}
