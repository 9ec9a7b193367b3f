//! Describes the effect of a reload for the log: changed clients, routes and upstreams by name, and changes
//! of access.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::SystemTime;

use crate::access::describe;
use crate::access::difference::difference;
use crate::config::{Client, Config, Position, Route, Scope, Upstream};

/// The most names in one list.
const MOST_NAMES: usize = 10;
/// The most characters of one name.
const LONGEST_NAME: usize = 80;
/// The maximum number of lines about access.
const MOST_LINES: usize = 20;
/// The maximum number of pairs of a client and a route that are compared.
const MOST_PAIRS: usize = 1_000_000;

/// Describes how many clients and routes there are.
pub(super) fn counts(config: &Config) -> String {
    let counted = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    format!("{}, {}", counted(config.clients.len(), "client"), counted(config.routes.len(), "route"))
}

/// Describes in one line what is added, changed and removed. Positions in the file do not count.
pub(super) fn summary(before: &Config, after: &Config) -> String {
    let mut lists = Lists::default();
    let name = |client: &Client| format!("client \"{}\"", client.id.as_str());
    lists.compare(&before.clients, &after.clients, |client| client.id.as_str().to_owned(), name, client);
    let name = |upstream: &Upstream| format!("upstream \"{}\"", upstream.name);
    lists.compare(&before.upstreams, &after.upstreams, |upstream| upstream.name.clone(), name, upstream);
    let route = |config: &Config| -> Vec<(Route, String)> {
        let upstream = |route| describe::upstream(config, route).to_owned();
        config.routes.iter().map(|route| (without_position(route), upstream(route))).collect()
    };
    let name = |(route, _): &(Route, String)| format!("route {}", route_name(route));
    let key = |(route, _): &(Route, String)| (route_name(route), route.path.is_prefix());
    lists.compare(&route(before), &route(after), key, name, Clone::clone);
    lists.tables(before, after);
    lists.text()
}

/// Describes how a reload changed access, with one line for each difference.
pub(super) fn access(before: &Config, after: &Config) -> Vec<String> {
    let pairs = |config: &Config| (config.clients.len() + 1).saturating_mul(config.routes.len());
    if pairs(before).max(pairs(after)) > MOST_PAIRS {
        return vec![
            "access is not compared, because there are too many clients and routes: `tollgate diff` does it"
                .to_owned(),
        ];
    }
    let changes = difference(before, after, SystemTime::now());
    let mut lines: Vec<String> = changes
        .iter()
        .take(MOST_LINES)
        .map(|change| {
            let direction = if change.widens() { "wider" } else { "narrower" };
            format!("{direction} access: {}", shortened(&change.to_string(), 4 * LONGEST_NAME))
        })
        .collect();
    if let Some(more @ 1..) = changes.len().checked_sub(MOST_LINES) {
        lines.push(format!("{more} more differences in access: `tollgate diff` lists all of them"));
    }
    lines
}

/// The names of what is added, changed and removed.
#[derive(Default)]
struct Lists {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

impl Lists {
    /// Compares items with the same `key`. `compared` returns the part to compare.
    fn compare<T, K: Eq + Hash, C: PartialEq>(
        &mut self,
        before: &[T],
        after: &[T],
        key: impl Fn(&T) -> K,
        name: impl Fn(&T) -> String,
        compared: impl Fn(&T) -> C,
    ) {
        let mut old: HashMap<K, &T> = before.iter().map(|item| (key(item), item)).collect();
        for item in after {
            match old.remove(&key(item)) {
                None => self.added.push(name(item)),
                Some(old) if compared(old) != compared(item) => self.changed.push(name(item)),
                Some(_) => {}
            }
        }
        let is_removed = |item: &&T| old.contains_key(&key(item));
        self.removed.extend(before.iter().filter(is_removed).map(name));
    }

    fn tables(&mut self, before: &Config, after: &Config) {
        let scopes = |config: &Config| config.scopes.iter().map(scope).collect::<Vec<(String, String)>>();
        let server = |config: &Config| {
            let mut server = config.server.clone();
            for listener in &mut server.listen {
                listener.position = Position::default();
            }
            server
        };
        for (table, is_changed) in [
            ("[server]", server(before) != server(after)),
            ("[token_service]", before.token_service != after.token_service),
            ("[scopes]", scopes(before) != scopes(after)),
        ] {
            if is_changed {
                self.changed.push(table.to_owned());
            }
        }
    }

    fn text(&self) -> String {
        let lists = [("added", &self.added), ("changed", &self.changed), ("removed", &self.removed)];
        let lists: Vec<String> = lists
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what} {}", listed(names)))
            .collect();
        if lists.is_empty() { "no client, route or upstream changed".to_owned() } else { lists.join("; ") }
    }
}

fn listed(names: &[String]) -> String {
    let mut text = names
        .iter()
        .take(MOST_NAMES)
        .map(|name| shortened(name, LONGEST_NAME))
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more @ 1..) = names.len().checked_sub(MOST_NAMES) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Cuts a text after `most` characters and makes control characters visible, so that the log keeps its lines.
fn shortened(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).flat_map(visible).collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}

fn visible(character: char) -> impl Iterator<Item = char> {
    let (as_it_is, escaped) = if character.is_control() {
        (None, Some(character.escape_default()))
    } else {
        (Some(character), None)
    };
    as_it_is.into_iter().chain(escaped.into_iter().flatten())
}

fn route_name(route: &Route) -> String {
    let (methods, path) = describe::requests(route);
    format!("{methods} {path}")
}

fn without_position(route: &Route) -> Route {
    let mut route = route.clone();
    route.position = Position::default();
    // The index differs if an upstream before it is added or removed. The name is compared instead.
    route.upstream.0 = 0;
    route
}

fn client(client: &Client) -> Client {
    let mut client = client.clone();
    client.position = Position::default();
    for secret in client.authentication.secret.iter_mut().flat_map(|secret| &mut secret.secrets) {
        secret.position = Position::default();
    }
    client
}

fn upstream(upstream: &Upstream) -> Upstream {
    let mut upstream = upstream.clone();
    upstream.position = Position::default();
    for server in &mut upstream.servers {
        server.position = Position::default();
    }
    upstream
}

fn scope(scope: &Scope) -> (String, String) {
    (scope.name.clone(), scope.description.clone())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const SERVER: &str =
        "[server]\nlisten = [\"http://127.0.0.1:8080\"]\n[scopes]\nread = \"R\"\nwrite = \"W\"\n";

    fn client(id: &str, scope: &str) -> String {
        const HASH: &str =
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w";
        format!(
            "[clients.{id}]\nsecret = \"{HASH}\"\ncapabilities = [\"client_credentials\"]\nscopes = [\"{scope}\"]\n"
        )
    }

    fn upstream(name: &str, port: u16) -> String {
        format!("[upstreams.{name}]\nservers = [\"http://127.0.0.1:{port}\"]\n")
    }

    fn route(path: &str, access: &str) -> String {
        format!("[[routes]]\nmethods = [\"GET\"]\npath = \"{path}\"\n{access}\nupstream = \"api\"\n")
    }

    fn config(parts: &[String]) -> Config {
        let text = format!("{SERVER}{}", parts.concat());
        Config::parse(&text, Path::new("gateway.toml"), Path::new("."), &|_| None)
            .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
    }

    const READ: &str = "scopes = [\"read\"]";
    const PUBLIC: &str = "access = \"public\"";

    #[test]
    fn additions_changes_and_removals_are_named() {
        let before = config(&[
            client("kept", "read"),
            client("edited", "read"),
            client("gone", "read"),
            upstream("api", 9000),
            upstream("old", 9001),
            route("/kept", READ),
            route("/opened", READ),
            route("/gone", READ),
        ]);
        let after = config(&[
            upstream("before", 9002),
            upstream("api", 9003),
            client("late", "write"),
            client("edited", "write"),
            client("kept", "read"),
            route("/new", READ),
            route("/opened", PUBLIC),
            route("/kept", READ),
        ]);
        assert_eq!(
            summary(&before, &after),
            "added client \"late\", upstream \"before\", route GET /new; \
             changed client \"edited\", upstream \"api\", route GET /opened; \
             removed client \"gone\", upstream \"old\", route GET /gone"
        );
        let lines = access(&before, &after);
        for line in [
            "wider access: GET /opened becomes public: it needs no token",
            "wider access: client \"kept\" gets through GET /new",
            "narrower access: client \"edited\" no longer gets through GET /kept",
            "narrower access: GET /gone is removed",
        ] {
            assert!(lines.iter().any(|found| found == line), "{line}\n{lines:#?}");
        }
    }

    #[test]
    fn positions_and_order_are_no_changes() {
        let parts = [client("one", "read"), client("two", "read"), upstream("api", 9000), route("/a", READ)];
        let mut moved = parts.clone();
        moved.reverse();
        moved[0].push_str("# a line more\n");
        let (before, after) = (config(&parts), config(&moved));
        assert_eq!(summary(&before, &after), "no client, route or upstream changed");
        assert!(access(&before, &after).is_empty());
    }

    #[test]
    fn tables_are_named() {
        let text = |config: &str| {
            Config::parse(config, Path::new("gateway.toml"), Path::new("."), &|_| None).unwrap()
        };
        let before = text("[server]\nlisten = [\"http://127.0.0.1:8080\"]\n");
        let after = text(
            "[scopes]\nread = \"R\"\n[server]\nlisten = [\"http://127.0.0.1:8080\"]\nshutdown_grace = \"3s\"\n[token_service]\ntoken_lifetime = \"3m\"\n",
        );
        assert_eq!(summary(&before, &after), "changed [server], [token_service], [scopes]");
    }

    #[test]
    fn the_text_stays_short() {
        let before = config(&[upstream("api", 9000)]);
        let clients = (0..500).map(|number| client(&format!("client-{number}"), "read"));
        let routes = (0..50).map(|number| route(&format!("/{}{number}", "long".repeat(200)), READ));
        let after =
            config(&std::iter::once(upstream("api", 9000)).chain(clients).chain(routes).collect::<Vec<_>>());
        let text = summary(&before, &after);
        assert!(text.ends_with(" and 540 more") && text.len() < 1_500, "{text}");
        let lines = access(&before, &after);
        assert_eq!(lines.len(), MOST_LINES + 1);
        assert!(lines.iter().all(|line| line.len() < 500), "{lines:#?}");
        assert!(lines[MOST_LINES].ends_with("more differences in access: `tollgate diff` lists all of them"));
        assert_eq!(shortened("a\nb\u{1b}é", 4), "a\\nb\\u{1b}…");
    }
}
