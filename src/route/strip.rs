//! `strip_prefix`: removes the first segments of a path for the upstream.

/// Returns the path for the upstream: `path` without as many leading segments as `prefix` has.
///
/// It counts segments, because a segment of the path may be longer or shorter than the one in the route: the
/// route may say `{name}` there, or the segment may carry parameters.
///
/// Returns `None` if an encoded slash, an encoded question mark or an empty segment is in the removed part:
/// servers differ about the number of segments then. The same holds for an empty segment that would come
/// first.
pub fn strip_prefix<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    let depth = prefix.bytes().filter(|byte| *byte == b'/').count();
    let rest = after_segments(path, depth)?;
    Some(if rest.is_empty() { "/" } else { rest })
}

/// Returns the part of a path after its first `depth` segments: nothing, or a path.
pub(super) fn after_segments(path: &str, depth: usize) -> Option<&str> {
    let end = path.match_indices('/').nth(depth).map_or(path.len(), |(at, _)| at);
    let (removed, rest) = path.split_at(end);
    let ambiguous = ["%2F", "%3F", "%23", "//"].iter().any(|part| removed.contains(part));
    (!ambiguous && !removed.ends_with('/') && !rest.starts_with("//")).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::strip_prefix;

    #[test]
    fn removes_whole_segments() {
        for (path, prefix, want) in [
            ("/v1/orders", "/v1", Some("/orders")),
            ("/v1", "/v1", Some("/")),
            ("/v1/", "/v1", Some("/")),
            ("/tenant-7/orders/1", "/{tenant}", Some("/orders/1")),
            ("/v1;x=1/orders", "/v1", Some("/orders")),
            ("/v1/a/b", "/v1/a", Some("/b")),
            ("/v1/a%2Fb", "/v1", Some("/a%2Fb")),
            ("/v%2F1/a", "/v1", None),
            ("/v1/a//b", "/v1", Some("/a//b")),
            ("/v1//a", "/v1", None),
            ("/a//b/c", "/a/b", None),
        ] {
            assert_eq!(strip_prefix(path, prefix), want, "{path} without {prefix:?}");
        }
    }
}
