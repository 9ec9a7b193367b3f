//! The parts of a URL exactly as they were typed. A URL library would normalize parts that the gateway has to
//! judge.

use crate::config::Scheme;

/// The target of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The scheme, or `None` if only a path was given.
    pub(crate) scheme: Option<Scheme>,
    /// The host and port, or `None` if only a path was given.
    pub(crate) authority: Option<String>,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
}

impl Target {
    /// Splits a URL, or a path with an optional query.
    ///
    /// # Errors
    /// Fails with a message if the text is neither.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, authority, rest) = if text.starts_with('/') {
            (None, None, text)
        } else {
            let no_url = || format!("\"{text}\" is not a URL: it must begin with http://, https:// or /");
            let (scheme, rest) = text.split_once("://").ok_or_else(no_url)?;
            let scheme = match &*scheme.to_ascii_lowercase() {
                "http" => Scheme::Http,
                "https" => Scheme::Https,
                _ => return Err(no_url()),
            };
            let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            (Some(scheme), Some(authority.to_owned()), rest)
        };
        // Clients do not send the fragment.
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { scheme, authority, path: path.to_owned(), query })
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn nothing_is_repaired() {
        let target = |authority: Option<&str>, path: &str, query: Option<&str>| Target {
            scheme: None,
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
            let parsed = Target::parse(text).map(|parsed| {
                assert_eq!(parsed.scheme.is_some(), parsed.authority.is_some(), "{text}");
                Target { scheme: None, ..parsed }
            });
            assert_eq!(parsed, Ok(wanted), "{text}");
        }
        for text in ["", "hello", "ftp://x/", "x:80/a"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
