//! Other spellings of a path that a server may treat as the same path.

use std::collections::HashSet;

/// Returns the targets of the requests, each with a description.
pub(super) fn spellings(path: &str, host: &str) -> Vec<(&'static str, Vec<u8>)> {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let mut found: Vec<(&'static str, String)> = vec![
        ("a doubled slash at the start", format!("/{path}")),
        ("a dot segment", format!("/.{path}")),
        ("a parent segment", format!("/{SEGMENT}/..{path}")),
        ("an encoded dot segment", format!("/%2e{path}")),
        ("an encoded parent segment", format!("/{SEGMENT}/%2e%2e{path}")),
        ("a half encoded parent segment", format!("/{SEGMENT}/.%2E{path}")),
        ("a parent segment behind an encoded slash", format!("/{SEGMENT}%2f..{path}")),
        ("a parent segment behind a parameter", format!("/{SEGMENT}/..;{path}")),
        ("a backslash at the start", format!("/\\{rest}")),
        ("an encoded backslash at the start", format!("/%5c{rest}")),
        ("an encoded slash at the start", format!("/%2f{rest}")),
        ("a slash in an overlong encoding", format!("/%c0%af{rest}")),
        ("a trailing slash", format!("{path}/")),
        ("a trailing dot segment", format!("{path}/.")),
        ("a trailing parent segment", format!("{path}/{SEGMENT}/..")),
        ("a path parameter", format!("{path};a=b")),
        ("a trailing null byte", format!("{path}%00")),
        ("a trailing encoded space", format!("{path}%20")),
        ("an encoded question mark", format!("{path}%3f")),
        ("an encoded number sign", format!("{path}%23")),
        ("a fragment", format!("{path}#a")),
        ("a control character", format!("{path}\x01")),
        ("a tab", format!("{path}\ta")),
        ("no slash at the start", if rest.is_empty() { "x".to_owned() } else { rest.to_owned() }),
        ("the absolute form", format!("http://{host}{path}")),
        ("the absolute form of another host", format!("http://{SEGMENT}.invalid{path}")),
        ("the absolute form with a user", format!("http://user@{host}{path}")),
    ];
    if let Some(first) = rest.bytes().next() {
        let tail = rest.get(1..).unwrap_or_default();
        found.push(("an encoded letter", format!("/%{first:02x}{tail}")));
        found.push(("a letter that is encoded twice", format!("/%25{first:02x}{tail}")));
    }
    if path.bytes().any(|byte| byte.is_ascii_lowercase()) {
        found.push(("upper case", path.to_ascii_uppercase()));
    }
    if let Some((before, after)) = rest.split_once('/') {
        found.push(("a doubled slash", format!("/{before}//{after}")));
        found.push(("an encoded slash", format!("/{before}%2F{after}")));
        found.push(("a backslash", format!("/{before}\\{after}")));
    }
    let mut found: Vec<_> = found.into_iter().map(|(what, target)| (what, target.into_bytes())).collect();
    found.push(("a byte that is not ASCII", [path.as_bytes(), b"\xff"].concat()));
    // Two rules may produce the same spelling of a short path.
    let mut seen = HashSet::from([path.as_bytes().to_vec()]);
    found.retain(|(_, target)| seen.insert(target.clone()));
    found
}

/// A segment that no API uses.
const SEGMENT: &str = "tollgate-self-test";

#[cfg(test)]
mod tests {
    use super::spellings;
    use std::collections::HashSet;

    #[test]
    fn every_spelling_differs_from_the_path_and_from_the_others() {
        for path in ["/", "/a", "/v1/orders/1", "/1"] {
            let found = spellings(path, "api.example.test");
            let distinct: HashSet<_> = found.iter().map(|(_, target)| target).collect();
            assert_eq!(distinct.len(), found.len(), "{path}");
            assert!(found.iter().all(|(_, target)| target != path.as_bytes()), "{path}");
        }
    }
}
