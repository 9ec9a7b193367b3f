//! A URL to its parts, without changing any: what a URL library mends is what is to be judged.

/// What is asked for, as it would stand in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The host and port; none where only a path was given.
    pub(super) authority: Option<String>,
    pub(super) path: String,
    pub(super) query: Option<String>,
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (authority, rest) = if text.starts_with('/') {
            (None, text)
        } else {
            let rest = match text.split_once("://") {
                Some((scheme, rest)) if matches!(&*scheme.to_ascii_lowercase(), "http" | "https") => rest,
                _ => return Err(format!("{text:?} is no URL: it must begin with http://, https:// or /")),
            };
            let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            (Some(authority.to_owned()), rest)
        };
        // Clients keep the fragment to themselves.
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { authority, path: path.to_owned(), query })
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn nothing_is_mended() {
        let target = |authority: Option<&str>, path: &str, query: Option<&str>| Target {
            authority: authority.map(str::to_owned),
            path: path.to_owned(),
            query: query.map(str::to_owned),
        };
        let table = [
            ("/a/../b", target(None, "/a/../b", None)),
            ("https://x:8443", target(Some("x:8443"), "/", None)),
            ("HTTP://[::1]:80?q#f", target(Some("[::1]:80"), "/", Some("q"))),
            ("https://x/%2e%2E//a;b?c=/d?e", target(Some("x"), "/%2e%2E//a;b", Some("c=/d?e"))),
        ];
        for (text, wanted) in table {
            assert_eq!(Target::parse(text), Ok(wanted), "{text}");
        }
        for text in ["", "hello", "ftp://x/", "x:80/a"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
