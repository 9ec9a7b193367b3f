//! Comparing the targets of two URIs (RFC 9449 §4.3, 9).

use std::borrow::Cow;

use crate::oauth::public_origin::PublicOrigin;

/// An absolute `http` or `https` URI without query and fragment, after the normalization of RFC 3986 §6.2.2
/// and §6.2.3: case of scheme, host and percent-encodings, needless percent-encodings, the default port, the
/// empty path. Dot segments are not removed: no accepted request has any, so a URI with one matches none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TargetUri<'a> {
    pub(super) origin: PublicOrigin,
    path: Cow<'a, str>,
}

impl<'a> TargetUri<'a> {
    /// Parses a URI. Returns `None` for any other text.
    pub(super) fn parse(uri: &'a str) -> Option<Self> {
        let (origin, rest) = PublicOrigin::split(uri)?;
        let path = rest.find(['?', '#']).map_or(rest, |end| &rest[..end]);
        let path = if path.is_empty() { "/" } else { path };
        Some(Self { origin, path: normal_path(path)? })
    }

    /// Returns whether this is the path of the URI.
    pub(super) fn has_path(&self, path: &str) -> bool {
        let path = if path.is_empty() { "/" } else { path };
        normal_path(path).is_some_and(|path| path == self.path)
    }
}

/// Normalizes a path (RFC 3986 §6.2.2.1 and §6.2.2.2). Returns `None` if it has other bytes than visible
/// ASCII, or a percent sign without two digits after it.
fn normal_path(path: &str) -> Option<Cow<'_, str>> {
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    if !path.contains('%') {
        return Some(Cow::Borrowed(path));
    }
    let mut normal = String::with_capacity(path.len());
    let mut parts = path.split('%');
    normal.push_str(parts.next()?);
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        // The parser would also accept a sign.
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        match char::from(u8::from_str_radix(digits, 16).ok()?) {
            unreserved @ ('A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '.' | '_' | '~') => {
                normal.push(unreserved)
            }
            _ => {
                normal.push('%');
                normal.push_str(&digits.to_ascii_uppercase());
            }
        }
        normal.push_str(rest);
    }
    Some(Cow::Owned(normal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same_target(htu: &str, uri: &str) -> bool {
        match (TargetUri::parse(htu), TargetUri::parse(uri)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        }
    }

    #[test]
    fn equal_and_different_targets() {
        let table = [
            ("https://api.example/a", "https://api.example/a", true),
            ("HTTPS://API.Example/a", "https://api.example/a", true),
            ("https://api.example:443/a", "https://api.example/a", true),
            ("https://api.example:/a", "https://api.example/a", true),
            ("http://api.example:80", "http://api.example/", true),
            ("https://api.example/a?x=1#y", "https://api.example/a?z", true),
            ("https://api.example?x", "https://api.example/", true),
            ("https://api.example/%7eme/%c3%a9", "https://api.example/~me/%C3%A9", true),
            ("https://[::1]:8443/a", "https://[::1]:8443/a", true),
            ("https://[2001:DB8::1]/a", "https://[2001:db8::1]:443/a", true),
            ("https://api.example:8443/a", "https://api.example:08443/a", true),
            // not the same
            ("http://api.example/a", "https://api.example/a", false),
            ("https://api.example:80/a", "https://api.example/a", false),
            ("https://api.example:8443/a", "https://api.example/a", false),
            ("https://api.example/a", "https://api.example/A", false),
            ("https://api.example/a", "https://api.example/a/", false),
            ("https://api.example/a%2Fb", "https://api.example/a/b", false),
            ("https://api.example/a/../b", "https://api.example/b", false),
            ("https://api.example/b%2e", "https://api.example/b", false),
            ("https://api.example.evil/a", "https://api.example/a", false),
            ("https://api.example./a", "https://api.example/a", false),
            ("https://user@api.example/a", "https://api.example/a", false),
        ];
        for (one, other, same) in table {
            assert_eq!(same_target(one, other), same, "{one} {other}");
            assert_eq!(same_target(other, one), same, "{other} {one}");
            assert!(same_target(one, one) || one.contains('@'), "{one}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_target_does_not_even_match_itself() {
        let table = [
            "",
            "/a",
            "//api.example/a",
            "api.example/a",
            "ftp://api.example/a",
            "https:/api.example/a",
            "https:///a",
            "https://:443/a",
            "https://a@b/",
            "https://a b/",
            "https://a/b c",
            "https://a/é",
            "https://a/%",
            "https://a/%a",
            "https://a/%zz",
            "https://a/%+1",
            "https://a:99999/",
            "https://a:+443/",
            "https://a:b/",
            "https://[::1/",
            "https://[::1]x/",
            " https://a/",
            "https://a/\n",
        ];
        for uri in table {
            assert!(!same_target(uri, uri), "{uri:?}");
        }
    }

    #[test]
    fn the_path_of_a_request_is_normalized_too() {
        let target = TargetUri::parse("https://a/%7eme?x").unwrap();
        assert!(target.has_path("/~me") && target.has_path("/%7Eme"));
        assert!(!target.has_path("/me") && !target.has_path("/%zz") && !target.has_path(""));
        assert!(TargetUri::parse("https://a").unwrap().has_path(""));
    }

    proptest! {
        #[test]
        fn never_panics(one in any::<String>(), other in "https?://[a-z:@\\[\\]é]{0,8}[/%0-9a-f?#é]{0,12}") {
            let _ = same_target(&one, &other);
            let _ = same_target(&other, &other);
        }
    }
}
