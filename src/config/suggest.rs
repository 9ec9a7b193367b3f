//! "Did you mean": finds the name that is nearest to a misspelled one.

/// Returns the name nearest to `typed`, if one is near enough.
pub(super) fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // No known name is longer, and the work stays bounded.
    if typed.len() > 64 {
        return None;
    }
    let allowed = (typed.chars().count() / 3).clamp(1, 3);
    names
        .into_iter()
        .map(|name| (distance(&typed.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Keys of other gateways, and the key with the same meaning here. `table` is the start of the key path of
/// the table.
const ELSEWHERE: [(&str, &[&str], &str); 9] = [
    ("routes", &["public", "anonymous", "no_auth", "noauth"], "write `access = \"public\"`"),
    (
        "routes",
        &["auth", "authenticated", "protected"],
        "every route needs a token, unless `access = \"public\"`",
    ),
    (
        "routes",
        &["timeout", "read_timeout", "connect_timeout", "total_timeout"],
        "timeouts belong to the upstream: `connect_timeout`, `read_timeout` or `total_timeout` in [upstreams.NAME]",
    ),
    ("routes", &["strip_path", "stripPrefix", "rewrite"], "write `strip_prefix = \"/…\"`"),
    ("routes", &["hosts", "domain", "server_name"], "write `host = \"…\"`"),
    ("upstreams", &["timeout"], "write `connect_timeout`, `read_timeout` or `total_timeout`"),
    ("upstreams", &["url", "target", "address", "backend"], "write `servers = [\"http://…\"]`"),
    (
        "server",
        &["timeout"],
        "write `header_timeout`, `body_timeout`, `write_timeout` or `idle_timeout` in [server.limits]",
    ),
    (
        "clients",
        &["client_secret", "password"],
        "write `secret`, with the hash that `tollgate client add` makes",
    ),
];

/// Returns what to write instead of a key that other gateways have in this table.
pub(super) fn instead_of(table: &str, typed: &str) -> Option<&'static str> {
    let room = table.split(['.', '[']).next().unwrap_or_default();
    let row = ELSEWHERE.iter().find(|(name, keys, _)| *name == room && keys.contains(&typed));
    row.map(|(_, _, instead)| *instead)
}

/// Returns ` (did you mean NAME?)`, or an empty text.
pub(crate) fn hint<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, names).map(|name| format!(" (did you mean {name:?}?)")).unwrap_or_default()
}

/// Counts the insertions, deletions, replacements and swaps of neighbours between two texts.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let (mut before, mut row): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=to.len()).collect());
    let mut last = None;
    for (i, a) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, &b) in to.iter().enumerate() {
            let mut cost = (row[j] + usize::from(a != b)).min(row[j + 1] + 1).min(next[j] + 1);
            if j > 0 && last == Some(b) && to[j - 1] == a {
                cost = cost.min(before[j - 1] + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(a);
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_suggested_and_others_are_not() {
        let names = ["scopes", "secret", "secrets", "listen", "token_lifetime"];
        let table = [
            ("scope", Some("scopes")),
            ("socpes", Some("scopes")),
            ("secert", Some("secret")),
            ("Listen", Some("listen")),
            ("tokenlifetime", Some("token_lifetime")),
            ("password", None),
            ("x", None),
        ];
        for (typed, wanted) in table {
            assert_eq!(nearest(typed, names), wanted, "{typed}");
        }
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
