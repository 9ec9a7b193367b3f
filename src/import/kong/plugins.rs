//! Translates Kong's plugins into the keys of routes.

use std::collections::BTreeSet;

use crate::import::draft::{Draft, Need};
use crate::import::name::{is_scope, slug};
use crate::import::render::{quoted, quoted_list};
use crate::import::yaml::Node;

/// Plugins that authenticate callers. The token replaces them.
const AUTHENTICATION: [&str; 8] = [
    "oauth2",
    "oauth2-introspection",
    "openid-connect",
    "jwt",
    "key-auth",
    "basic-auth",
    "hmac-auth",
    "ldap-auth",
];

/// Applies the plugins of the whole file, of a service or of a route. Returns `false` if one of them
/// restricts access in a way that a route cannot express.
pub(super) fn plugins(
    owner: &Node,
    label: &str,
    need: &mut Need,
    settings: &mut Vec<(&'static str, String)>,
    draft: &mut Draft,
) -> bool {
    let mut whole = true;
    for plugin in owner.get("plugins").map(Node::items).unwrap_or_default() {
        let name = plugin.text_of("name").unwrap_or("?");
        if plugin.get("enabled").and_then(Node::flag) == Some(false) {
            continue;
        }
        let config = plugin.get("config");
        let list = |name| config.map(|config| config.texts_of(name)).unwrap_or_default();
        let mut set = |key: &'static str, value: String| {
            settings.retain(|(name, _)| *name != key);
            settings.push((key, value));
        };
        match name {
            name if AUTHENTICATION.contains(&name) => {
                draft.find(
                    plugin.position,
                    format!("plugin {name} is not imported: the token takes its place"),
                );
            }
            "acl" if list("deny").is_empty() && !list("allow").is_empty() => {
                let mut groups = BTreeSet::new();
                for group in list("allow") {
                    let scope = if is_scope(&group) { group.clone() } else { slug(&group) };
                    draft.scopes.insert(scope.clone(), format!("The group {group} of Kong's acl plugin"));
                    groups.insert(scope);
                }
                *need = if groups.len() == 1 { Need::All(groups) } else { Need::Any(groups) };
            }
            "ip-restriction" => {
                for (key, name) in [("allow", "allow"), ("deny", "deny")] {
                    let addresses = list(name);
                    if !addresses.is_empty() {
                        set(key, quoted_list(&addresses));
                    }
                }
            }
            "rate-limiting" | "rate-limiting-advanced" => match rate(config) {
                Some(rate) => {
                    set("rate_limit", quoted(&rate));
                    let text = format!("the rate limit of {label} counts all clients together");
                    draft.find(plugin.position, text);
                }
                None => draft.find(plugin.position, format!("plugin {name} of {label} is not imported")),
            },
            "request-size-limiting" => {
                let size = config.and_then(|config| config.text_of("allowed_payload_size")).unwrap_or("128");
                set("max_body_size", quoted(&format!("{size}MiB")));
            }
            "acl" | "bot-detection" | "opa" | "request-termination" => whole = false,
            _ => draft.find(plugin.position, format!("plugin {name} of {label} is not imported")),
        }
        if !whole {
            let text = format!("route {label} is not imported: a route cannot express its plugin {name}");
            draft.find(plugin.position, text);
            return false;
        }
    }
    true
}

/// Returns the limit if there is exactly one.
fn rate(config: Option<&Node>) -> Option<String> {
    let config = config?;
    let units = [("second", "s"), ("minute", "m"), ("hour", "h")];
    let mut found = units.iter().filter_map(|(name, unit)| Some(format!("{}/{unit}", config.text_of(name)?)));
    let rate = found.next()?;
    let other =
        found.next().is_some() || ["day", "month", "year"].iter().any(|name| config.text_of(name).is_some());
    if other { None } else { Some(rate) }
}
