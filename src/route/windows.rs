//! Names that a server on Windows treats as other names. They matter for upstreams that are
//! `case_insensitive`.

use super::path::without_parameters;

/// Why a path may lead to another resource on Windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alias {
    /// A segment ends with a dot or a space, which the file system removes.
    TrailingDot,
    /// A character outside of ASCII that turns into an ASCII letter when its case is folded, or when the text
    /// is converted to a code page.
    Lookalike,
}

/// Returns why a canonical path is ambiguous on Windows, if it is.
pub(super) fn alias(path: &str) -> Option<Alias> {
    let pieces = path.split('/').flat_map(|segment| segment.split("%2F"));
    let trailing = |name: &str| name.ends_with('.') || name.ends_with("%20");
    if pieces.into_iter().any(|piece| trailing(piece) || trailing(without_parameters(piece))) {
        return Some(Alias::TrailingDot);
    }
    // The Kelvin sign, the long s, and the Turkish i with and without its dot.
    let folds = ["%E2%84%AA", "%C5%BF", "%C4%B0", "%C4%B1"];
    // The full-width forms of ASCII, U+FF01 to U+FF5E.
    let wide = |rest: &str| matches!(rest.get(..3), Some("%BC" | "%BD"));
    let lookalike = folds.iter().any(|folds| path.contains(folds))
        || path.match_indices("%EF").any(|(at, _)| path.get(at + 3..).is_some_and(wide));
    lookalike.then_some(Alias::Lookalike)
}

/// Returns whether a path has a character outside of ASCII. The table folds only ASCII case, so a pattern
/// with such a character would not match its other case.
pub fn has_non_ascii(path: &str) -> bool {
    path.match_indices('%').any(|(at, _)| {
        path.as_bytes().get(at + 1).is_some_and(|high| matches!(high, b'8' | b'9' | b'A'..=b'F'))
    })
}

/// Returns whether a segment of a path ends with a dot or a space.
pub fn has_trailing_dot(path: &str) -> bool {
    alias(path) == Some(Alias::TrailingDot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases() {
        for (path, expected) in [
            ("/admin", None),
            ("/a.b/c%20d", None),
            ("/admin.", Some(Alias::TrailingDot)),
            ("/admin./x", Some(Alias::TrailingDot)),
            ("/admin%20", Some(Alias::TrailingDot)),
            ("/admin.;v=1/x", Some(Alias::TrailingDot)),
            ("/admin;v=1./x", Some(Alias::TrailingDot)),
            ("/admin.%2Fx", Some(Alias::TrailingDot)),
            ("/%C3%A9t%C3%A9", None),
            ("/%E2%84%AAeys", Some(Alias::Lookalike)),
            ("/%C5%BFecret", Some(Alias::Lookalike)),
            ("/%EF%BC%A1dmin", Some(Alias::Lookalike)),
            ("/%EF%BF%BD", None),
        ] {
            assert_eq!(alias(path), expected, "{path}");
        }
        assert!(has_non_ascii("/%C3%A9") && !has_non_ascii("/a%20b%7Bc"));
    }
}
