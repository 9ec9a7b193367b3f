//! Derives the scopes that an operation requires.

use std::collections::BTreeSet;

use super::document::Document;
use super::terms::{METHODS, ScopeSource, one_line};
use crate::config::Position;
use crate::import::draft::{Draft, Need};
use crate::import::name::{is_scope, slug};
use crate::import::yaml::Node;
use crate::sorting::collect_sorted;

/// Chooses the source of scopes that suits the description best.
pub(super) fn choose(document: &Document<'_>) -> ScopeSource {
    let mut any_scope = false;
    let mut all_tagged = true;
    for (_, _, item) in document.paths() {
        for (_, _, operation) in item.entries().filter(|(method, _, _)| METHODS.contains(method)) {
            all_tagged &= operation.get("tags").is_some_and(|tags| !tags.items().is_empty());
            any_scope |= document.security(operation).is_some_and(|security| {
                security
                    .items()
                    .iter()
                    .any(|one| one.entries().any(|(_, _, scopes)| !scopes.items().is_empty()))
            });
        }
    }
    match (any_scope, all_tagged) {
        (true, _) => ScopeSource::Security,
        (false, true) => ScopeSource::Tags,
        (false, false) => ScopeSource::Path,
    }
}

/// Returns what an operation needs, and adds its scopes to the draft.
pub(super) fn need(
    document: &Document<'_>,
    operation: &Node,
    source: ScopeSource,
    method: &str,
    path: &str,
    position: Position,
    draft: &mut Draft,
) -> Need {
    if is_public(document, operation) {
        let text = format!(
            "{method} {path} needs no authentication in the description; here it needs a token. \
             access = \"public\" on its route opens it"
        );
        draft.find(position, text);
    }
    let what = match source {
        ScopeSource::Security => return by_security(document, operation, method, path, position, draft),
        ScopeSource::Tags => {
            let tag = operation.get("tags").and_then(|tags| tags.items().first()).and_then(|tag| tag.text());
            match tag {
                Some(tag) => slug(tag),
                None => {
                    draft.find(
                        position,
                        format!("{method} {path} has no tag: any valid token opens its route"),
                    );
                    return Need::Token;
                }
            }
        }
        ScopeSource::Path => {
            let fixed = path.split('/').find(|segment| {
                !segment.is_empty() && !segment.starts_with('{') && !is_version(segment) && *segment != "api"
            });
            slug(fixed.unwrap_or("root"))
        }
    };
    let (suffix, verb) = match method {
        "GET" | "HEAD" | "OPTIONS" => ("read", "Read"),
        _ => ("write", "Change"),
    };
    let scope = format!("{what}.{suffix}");
    draft.scopes.entry(scope.clone()).or_insert_with(|| format!("{verb} {what}"));
    Need::All(BTreeSet::from([scope]))
}

/// Returns whether the description requires no authentication, or makes it optional.
fn is_public(document: &Document<'_>, operation: &Node) -> bool {
    document.security(operation).is_some_and(|security| {
        let alternatives = security.items();
        alternatives.is_empty()
            || alternatives.iter().any(|one| one.is_mapping() && one.entries().next().is_none())
    })
}

/// `v1`, `2.0` and the like.
fn is_version(segment: &str) -> bool {
    let number = segment.strip_prefix(['v', 'V']).unwrap_or(segment);
    number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

/// Each alternative names schemes with scopes. One alternative becomes `scopes`. Alternatives with one scope
/// each become `any_scope`. In all other cases, the route requires the union of all scopes, which never
/// grants more than the description.
fn by_security(
    document: &Document<'_>,
    operation: &Node,
    method: &str,
    path: &str,
    position: Position,
    draft: &mut Draft,
) -> Need {
    let mut alternatives: Vec<BTreeSet<String>> = Vec::new();
    for alternative in document.security(operation).map(Node::items).unwrap_or_default() {
        let mut scopes = BTreeSet::new();
        for (scheme, at, names) in alternative.entries() {
            for name in names.items().iter().filter_map(Node::text) {
                if is_scope(name) {
                    let description = describe(document, scheme, name);
                    draft.scopes.entry(name.to_owned()).or_insert(description);
                    scopes.insert(name.to_owned());
                } else {
                    draft.find(at, format!("{name:?} of {method} {path} cannot be a scope (RFC 6749 §3.3)"));
                }
            }
        }
        if !scopes.is_empty() && !alternatives.contains(&scopes) {
            alternatives.push(scopes);
        }
    }
    let all: BTreeSet<String> = collect_sorted(alternatives.iter().flatten().cloned());
    match &alternatives[..] {
        [] => {
            draft.find(position, format!("{method} {path} names no scope: any valid token opens its route"));
            Need::Token
        }
        [one] => Need::All(one.clone()),
        several if several.iter().all(|one| one.len() == 1) => Need::Any(all),
        _ => {
            let text = format!(
                "{method} {path} can be reached with one of several sets of scopes; its route needs all of them"
            );
            draft.find(position, text);
            Need::All(all)
        }
    }
}

/// Returns the description of a scope in its security scheme.
fn describe(document: &Document<'_>, scheme: &str, scope: &str) -> String {
    let scheme = document
        .schemes()
        .and_then(|schemes| schemes.get(scheme))
        .and_then(|node| document.resolve(node).ok());
    let described = scheme.and_then(|scheme| {
        let flat = scheme.get("scopes").and_then(|scopes| scopes.text_of(scope));
        flat.or_else(|| {
            let flows = scheme.get("flows")?;
            flows.entries().find_map(|(_, _, flow)| flow.get("scopes")?.text_of(scope))
        })
    });
    one_line(described.unwrap_or(scope))
}
