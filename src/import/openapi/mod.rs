//! An API's description in OpenAPI 2.0 (Swagger), 3.0, 3.1 or 3.2: operations become routes, and security
//! requirements become scopes.

mod document;
mod path;
mod scopes;
mod servers;
mod terms;

use std::collections::BTreeSet;

pub(crate) use self::terms::ScopeSource;

use self::document::Document;
use self::terms::METHODS;
use super::draft::{Draft, Need, Route, RoutePath, Server, Upstream};
use super::name::slug;
use super::yaml::Node;
use crate::import::error::ImportError;

/// Members of a path item that are not operations.
const OTHERS: [&str; 5] = ["summary", "description", "servers", "parameters", "$ref"];

/// Options for the translation of a description.
#[derive(Debug, Default)]
pub(crate) struct Options<'a> {
    /// The origin that requests are forwarded to, instead of the server in the description.
    pub(crate) upstream: Option<&'a str>,
    /// Default: security requirements if they name scopes, otherwise tags if all operations have some,
    /// otherwise the path.
    pub(crate) scopes: Option<ScopeSource>,
    /// The name of the upstream. If it is left out, the name is derived from the title.
    pub(crate) name: Option<&'a str>,
}

/// Translates a description.
///
/// # Errors
/// [`ImportError`] if the text is not an OpenAPI description.
pub(crate) fn import(text: &str, options: &Options<'_>) -> Result<Draft, ImportError> {
    let root = Node::parse(text)?;
    let document = Document::new(&root)?;
    let mut draft = Draft::default();
    let (origin, base) = servers::server(&document, options.upstream, &mut draft);
    let name = match options.name {
        Some(name) => name.to_owned(),
        None => slug(root.get("info").and_then(|info| info.text_of("title")).unwrap_or("api")),
    };
    let source = options.scopes.unwrap_or_else(|| scopes::choose(&document));
    for (path, position, item) in document.paths() {
        if path.starts_with("x-") {
            continue;
        }
        let item = match document.resolve(item) {
            Ok(item) => item,
            Err(text) => {
                draft.find(position, format!("{path} is not imported: {text}"));
                continue;
            }
        };
        let full = path::join(&base, path);
        for (method, position, operation) in item.entries() {
            if !METHODS.contains(&method) {
                if !OTHERS.contains(&method) && !method.starts_with("x-") {
                    draft.found += 1;
                    draft.find(
                        position,
                        format!("{method} {path} is not imported: a route cannot have this method"),
                    );
                }
                continue;
            }
            draft.found += 1;
            let method = method.to_ascii_uppercase();
            if let Some(servers) = operation.get("servers").or_else(|| item.get("servers")) {
                let text =
                    format!("{method} {path} has servers of its own, which are ignored: it goes to {origin}");
                draft.find(servers.position, text);
            }
            let path = match &full {
                Ok(path) => path.clone(),
                Err(text) => {
                    draft.find(position, format!("{method} {path} is not imported: {text}"));
                    continue;
                }
            };
            let need = scopes::need(&document, operation, source, &method, &path, position, &mut draft);
            draft.routes.push(Route {
                host: None,
                path: RoutePath::Exact(path),
                methods: BTreeSet::from([method]),
                need,
                upstream: name.clone(),
                settings: Vec::new(),
                position,
            });
        }
    }
    draft.settle();
    if !draft.routes.is_empty() {
        let servers = vec![Server { url: origin, weight: None }];
        draft.upstreams.push(Upstream { name, servers, settings: Vec::new() });
    }
    keep_used_scopes(&mut draft);
    Ok(draft)
}

/// Removes the scopes that no imported route needs.
fn keep_used_scopes(draft: &mut Draft) {
    let mut used = BTreeSet::new();
    for route in &draft.routes {
        if let Need::All(scopes) | Need::Any(scopes) = &route.need {
            used.extend(scopes.iter().cloned());
        }
    }
    draft.scopes.retain(|scope, _| used.contains(scope));
}
