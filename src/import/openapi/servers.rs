//! Derives the origin of the upstream, and the base path of the API.

use super::document::Document;
use crate::config::Origin;
use crate::import::draft::Draft;

/// The placeholder for a server that the description does not name.
const PLACEHOLDER: &str = "http://127.0.0.1:9000";

/// Returns the origin of the upstream and the base path of the API.
pub(super) fn server(document: &Document<'_>, given: Option<&str>, draft: &mut Draft) -> (String, String) {
    let (origin, base) = if document.swagger { swagger(document) } else { first_server(document, draft) };
    if let Some(given) = given {
        return (given.trim_end_matches('/').to_owned(), base);
    }
    match origin {
        Some(origin) => (origin, base),
        None => {
            let text = format!(
                "the description names no server, so {PLACEHOLDER} is used; --upstream names another one"
            );
            draft.find(document.root.position, text);
            (PLACEHOLDER.to_owned(), base)
        }
    }
}

fn swagger(document: &Document<'_>) -> (Option<String>, String) {
    let base = document.root.text_of("basePath").unwrap_or_default();
    let schemes = document.root.get("schemes");
    let scheme = schemes.and_then(|schemes| {
        let mut schemes = schemes.items().iter().filter_map(|scheme| scheme.text());
        schemes.clone().find(|scheme| *scheme == "https").or_else(|| schemes.next())
    });
    let origin = document
        .root
        .text_of("host")
        .map(|host| format!("{}://{host}", scheme.unwrap_or("https")))
        .and_then(|url| Some(Origin::parse_with_rest(&url).ok()?.0.to_string()));
    (origin, path_of(base))
}

fn first_server(document: &Document<'_>, draft: &mut Draft) -> (Option<String>, String) {
    let Some(servers) = document.root.get("servers") else { return (None, String::new()) };
    let Some(server) = servers.items().first() else { return (None, String::new()) };
    if servers.items().len() > 1 {
        let text = "the description has several servers: the first one is used, --upstream names another one";
        draft.find(servers.position, text);
    }
    let mut url = server.text_of("url").unwrap_or("/").to_owned();
    for (name, _, variable) in server.get("variables").into_iter().flat_map(|variables| variables.entries()) {
        url = url.replace(&format!("{{{name}}}"), variable.text_of("default").unwrap_or_default());
    }
    if url.starts_with("//") {
        // The URL is relative to the scheme of the page that shows the description.
        url.insert_str(0, "https:");
    }
    if url.starts_with('/') {
        return (None, path_of(&url));
    }
    match Origin::parse_with_rest(&url) {
        Ok((origin, rest)) => (Some(origin.to_string()), path_of(rest)),
        Err(error) => {
            draft.find(server.position, format!("the server {url} is not used: it {error}"));
            (None, String::new())
        }
    }
}

/// A base path without a slash at its end, a query or a fragment.
fn path_of(text: &str) -> String {
    let path = text.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}
