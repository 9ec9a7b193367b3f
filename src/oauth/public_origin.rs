//! The origins under which clients know the server: what the `htu` of a DPoP proof may name (RFC 9449 §4.3,
//! 9).
//!
//! The `Host` of a request is chosen by its sender, so it proves nothing: with it, a proof that was made for
//! another server would be accepted here, if only the request says that it is for that server.

use std::fmt;

/// Scheme, host and port of a URL that clients use, such as `https://api.example.com`.
///
/// ```
/// use tollgate::oauth::PublicOrigin;
///
/// let origin = PublicOrigin::parse("https://API.example.com:443").ok_or("not an origin")?;
/// assert_eq!(origin.to_string(), "https://api.example.com");
/// assert_eq!(PublicOrigin::parse("https://api.example.com/orders"), None, "it has a path");
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicOrigin {
    https: bool,
    host: Box<str>,
    port: u16,
}

impl PublicOrigin {
    /// Parses an origin: `https://` or `http://`, a host, and a port unless it is the scheme's own. A host
    /// that begins with `*.` stands for all names below the rest.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (origin, rest) = Self::split(text)?;
        matches!(rest, "" | "/").then_some(origin)
    }

    /// Returns the origin of an absolute `http` or `https` URL. Returns `None` for any other text.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        Self::split(url).map(|(origin, _)| origin)
    }

    /// Makes an origin of a scheme and an authority (host and port), as a request has them.
    #[must_use]
    pub fn of_authority(https: bool, authority: &str) -> Option<Self> {
        let (host, port) = split_port(authority)?;
        // User information is not part of an origin, and can make one host look like another.
        if host.is_empty() || host.contains('@') || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let default = if https { 443 } else { 80 };
        let port = if port.is_empty() { default } else { parse_port(port)? };
        Some(Self { https, host: host.to_ascii_lowercase().into(), port })
    }

    /// Returns whether its scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Returns its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Splits a URL into its origin and the rest, which is empty or begins with a slash, `?` or `#`.
    pub(super) fn split(url: &str) -> Option<(Self, &str)> {
        let (scheme, rest) = url.split_once("://")?;
        let https = match () {
            () if scheme.eq_ignore_ascii_case("https") => true,
            () if scheme.eq_ignore_ascii_case("http") => false,
            () => return None,
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        Some((Self::of_authority(https, authority)?, rest))
    }

    /// Returns whether `other` is this origin, or one that the wildcard of this origin stands for.
    #[cfg(feature = "jose")]
    fn covers(&self, other: &Self) -> bool {
        if self.https != other.https || self.port != other.port {
            return false;
        }
        match self.host.strip_prefix('*') {
            Some(suffix) if suffix.starts_with('.') => {
                other.host.strip_suffix(suffix).is_some_and(|name| !name.is_empty() && name != "*")
            }
            _ => self.host == other.host,
        }
    }
}

impl fmt::Display for PublicOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { https, host, port } = self;
        match (https, port) {
            (true, 443) => write!(f, "https://{host}"),
            (false, 80) => write!(f, "http://{host}"),
            (true, port) => write!(f, "https://{host}:{port}"),
            (false, port) => write!(f, "http://{host}:{port}"),
        }
    }
}

/// All origins of a server.
#[cfg(feature = "jose")]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublicOrigins(Vec<PublicOrigin>);

#[cfg(feature = "jose")]
impl PublicOrigins {
    /// Returns whether a proof may name `origin` in a request that names `requested`. The proof must name one
    /// of these origins; if the request names one of them too, it must be the same.
    #[must_use]
    pub fn accept(&self, origin: &PublicOrigin, requested: Option<&PublicOrigin>) -> bool {
        match requested {
            Some(requested) if self.contain(requested) => origin == requested,
            _ => self.contain(origin),
        }
    }

    fn contain(&self, origin: &PublicOrigin) -> bool {
        self.0.iter().any(|known| known.covers(origin))
    }
}

#[cfg(feature = "jose")]
impl FromIterator<PublicOrigin> for PublicOrigins {
    fn from_iter<T: IntoIterator<Item = PublicOrigin>>(origins: T) -> Self {
        let mut distinct = Vec::new();
        for origin in origins {
            if !distinct.contains(&origin) {
                distinct.push(origin);
            }
        }
        Self(distinct)
    }
}

/// Splits an authority into the host and the port after its colon. An IPv6 address has its own colons in
/// brackets.
fn split_port(authority: &str) -> Option<(&str, &str)> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at_checked(end)?;
    match port.strip_prefix(':') {
        Some(port) => Some((host, port)),
        None => port.is_empty().then_some((host, "")),
    }
}

fn parse_port(port: &str) -> Option<u16> {
    port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> PublicOrigin {
        PublicOrigin::parse(text).unwrap_or_else(|| panic!("{text} is an origin"))
    }

    #[test]
    fn origins_are_compared_without_case_and_with_their_ports() {
        assert_eq!(origin("HTTPS://API.Example:443/"), origin("https://api.example"));
        assert_eq!(origin("http://[2001:DB8::1]:80"), origin("http://[2001:db8::1]"));
        assert_ne!(origin("https://api.example:8443"), origin("https://api.example"));
        assert_ne!(origin("http://api.example"), origin("https://api.example"));
        for text in
            ["", "api.example", "https://", "https://:443", "https://a@b", "https://a/b", "https://a?b"]
        {
            assert_eq!(PublicOrigin::parse(text), None, "{text}");
        }
    }

    #[cfg(feature = "jose")]
    #[test]
    fn a_proof_may_name_another_origin_only_if_the_request_names_none_of_ours() {
        let ours = PublicOrigins::from_iter([
            origin("https://api.example.com"),
            origin("https://other.example.com"),
        ]);
        let api = origin("https://api.example.com");
        assert!(ours.accept(&api, Some(&api)));
        assert!(
            !ours.accept(&api, Some(&origin("https://other.example.com"))),
            "the request is for another of ours"
        );
        assert!(
            ours.accept(&api, Some(&origin("https://10.0.0.7:8443"))),
            "a terminator has changed the name"
        );
        let elsewhere = origin("https://elsewhere.example");
        assert!(!ours.accept(&elsewhere, Some(&elsewhere)));
    }

    #[cfg(feature = "jose")]
    #[test]
    fn a_wildcard_stands_for_names_below_it() {
        let ours =
            PublicOrigins::from_iter([origin("https://*.example.com"), origin("https://api.example.org")]);
        for (text, good) in [
            ("https://a.example.com", true),
            ("https://a.b.example.com", true),
            ("https://example.com", false),
            ("https://aexample.com", false),
            ("https://*.example.com", false),
            ("https://a.example.com:8443", false),
            ("http://a.example.com", false),
            ("https://api.example.org", true),
            ("https://x.api.example.org", false),
        ] {
            assert_eq!(ours.accept(&origin(text), None), good, "{text}");
            assert_eq!(ours.accept(&origin(text), Some(&origin(text))), good, "{text}");
        }
        let (a, b) = (origin("https://a.example.com"), origin("https://b.example.com"));
        assert!(!ours.accept(&a, Some(&b)), "the request is for another name of ours");
    }
}
