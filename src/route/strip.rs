//! `strip_prefix`: removes the first segments of a path on its way to the upstream.

/// Returns the path that goes to the upstream: `path` without as many leading segments as `prefix` has.
///
/// It counts segments, because a segment of the path may be longer or shorter than the one in the route: the
/// route may say `{name}` there, or the segment may carry parameters.
///
/// Returns `None` if an encoded slash is in the removed part: some servers read it as a separator, so the
/// number of segments is ambiguous.
pub fn strip_prefix<'p>(path: &'p str, prefix: Option<&str>) -> Option<&'p str> {
    let Some(prefix) = prefix else { return Some(path) };
    let depth = prefix.bytes().filter(|byte| *byte == b'/').count();
    let end = path.match_indices('/').nth(depth).map_or(path.len(), |(at, _)| at);
    let (removed, rest) = path.split_at(end);
    if removed.contains("%2F") {
        return None;
    }
    Some(if rest.is_empty() { "/" } else { rest })
}

#[cfg(test)]
mod tests {
    use super::strip_prefix;

    #[test]
    fn removes_whole_segments() {
        for (path, prefix, want) in [
            ("/v1/orders", None, Some("/v1/orders")),
            ("/v1/orders", Some("/v1"), Some("/orders")),
            ("/v1", Some("/v1"), Some("/")),
            ("/v1/", Some("/v1"), Some("/")),
            ("/tenant-7/orders/1", Some("/{tenant}"), Some("/orders/1")),
            ("/v1;x=1/orders", Some("/v1"), Some("/orders")),
            ("/v1/a/b", Some("/v1/a"), Some("/b")),
            ("/v1/a%2Fb", Some("/v1"), Some("/a%2Fb")),
            ("/v%2F1/a", Some("/v1"), None),
        ] {
            assert_eq!(strip_prefix(path, prefix), want, "{path} without {prefix:?}");
        }
    }
}
