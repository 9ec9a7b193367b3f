//! Maps URLs and cookies in responses. Servers write them as if clients reached them directly.

use http::HeaderName;
use http::header::{CONTENT_LOCATION, LOCATION, SET_COOKIE};

use super::field::Field;
use crate::route::rewrite::Rewrite;

/// Where clients reach a route, as the forwarded request said it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PublicOrigin {
    /// Whether clients use `https`.
    pub(crate) secure: bool,
    /// The host, with its port if that is not the scheme's default. Empty if the client sent no host.
    pub(crate) authority: String,
    /// The `Host` field that was sent to the server.
    pub(crate) sent: String,
}

impl PublicOrigin {
    /// Reads the origin from the headers of the request that went upstream.
    pub(crate) fn of<'a>(headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut origin = Self::default();
        let text = |value: &[u8]| {
            let first = value.split(|byte| *byte == b',').next().unwrap_or_default();
            String::from_utf8_lossy(first.trim_ascii()).into_owned()
        };
        for (name, value) in headers {
            if name.eq_ignore_ascii_case(b"x-forwarded-proto") {
                origin.secure = text(value).eq_ignore_ascii_case("https");
            } else if name.eq_ignore_ascii_case(b"x-forwarded-host") {
                origin.authority = text(value);
            } else if name.eq_ignore_ascii_case(b"host") {
                origin.sent = text(value);
            }
        }
        origin
    }

    /// Reads the origin from the head of an HTTP/1.1 request.
    pub(crate) fn of_head(head: &[u8]) -> Self {
        let lines = head.split(|byte| *byte == b'\n').skip(1).map(<[u8]>::trim_ascii);
        let lines = lines.take_while(|line| !line.is_empty());
        Self::of(lines.filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((line.get(..colon)?, line.get(colon + 1..)?))
        }))
    }

    fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

/// The origin of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerOrigin {
    /// Whether the server is reached over TLS.
    pub(crate) secure: bool,
    /// The name or address of the server, in brackets if it is an IPv6 address.
    pub(crate) host: Box<str>,
    /// The port of the server.
    pub(crate) port: u16,
}

/// Maps the URLs and cookies of an upstream to those of its route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UrlMap<'a> {
    /// The servers of the upstream.
    pub(crate) servers: &'a [ServerOrigin],
    /// How the path was changed for the upstream.
    pub(crate) rewrite: Option<&'a Rewrite>,
    /// The canonical path that the client requested, on a route that changes it.
    pub(crate) request_path: Option<&'a str>,
}

impl UrlMap<'_> {
    /// Returns the value of a field for the client, with its name, or `None` if it is unchanged.
    pub(crate) fn value(
        &self,
        field: &Field<'_>,
        public: impl FnOnce() -> PublicOrigin,
    ) -> Option<(&'static HeaderName, String)> {
        static NAMES: [HeaderName; 3] = [LOCATION, CONTENT_LOCATION, SET_COOKIE];
        let is = |name: &&HeaderName| field.name.eq_ignore_ascii_case(name.as_str().as_bytes());
        let name = NAMES.iter().find(is)?;
        // A folded value is never mapped.
        let value = std::str::from_utf8(field.value).ok().filter(|_| !field.repaired)?;
        let mapped =
            if *name == SET_COOKIE { self.cookie(value, &public()) } else { self.url(value, public) };
        mapped.filter(|mapped| mapped != value).map(|mapped| (name, mapped))
    }

    fn url(&self, url: &str, public: impl FnOnce() -> PublicOrigin) -> Option<String> {
        if url.starts_with('/') && !url.starts_with("//") {
            return self.target(url);
        }
        let (scheme, rest) = url.split_once("//")?;
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("https:") => Some(true),
            _ if scheme.eq_ignore_ascii_case("http:") => Some(false),
            "" => None,
            _ => return None,
        };
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let public = public();
        if public.authority.is_empty() || !self.is_own(secure, authority, &public) {
            return None;
        }
        let target = match target {
            "" => "/".to_owned(),
            target if target.starts_with('/') => target.to_owned(),
            target => format!("/{target}"),
        };
        let target = self.target(&target).or_else(|| self.rewrite.is_none().then_some(target))?;
        let scheme = if secure.is_some() { format!("{}:", public.scheme()) } else { String::new() };
        Some(format!("{scheme}//{}{target}", public.authority))
    }

    /// Returns whether an authority means the server itself: its own address, or the host that the request
    /// named.
    fn is_own(&self, secure: Option<bool>, authority: &str, public: &PublicOrigin) -> bool {
        let (host, port) = split_port(authority);
        let port_of = |secure: bool| port.unwrap_or(if secure { 443 } else { 80 });
        let by_address = self.servers.iter().any(|server| {
            let scheme = secure.unwrap_or(server.secure);
            scheme == server.secure
                && port_of(scheme) == server.port
                && host.eq_ignore_ascii_case(&server.host)
        });
        // A server that redirects the client's own host from http to https means the public `https` URL.
        let upgrades =
            secure == Some(true) && !public.secure && !self.servers.iter().any(|server| server.secure);
        let (sent_host, sent_port) = split_port(&public.sent);
        let same_host = !sent_host.is_empty() && host.eq_ignore_ascii_case(sent_host);
        // Some servers append their own port to the host that the request named.
        let same_port = port == sent_port
            || port.is_some_and(|port| self.servers.iter().any(|server| server.port == port));
        by_address || same_host && same_port && !upgrades
    }

    /// Maps a path, and keeps the query and the fragment behind it.
    fn target(&self, target: &str) -> Option<String> {
        let (rewrite, request_path) = (self.rewrite?, self.request_path?);
        let (path, rest) = target.split_at(target.find(['?', '#']).unwrap_or(target.len()));
        Some(rewrite.restore(request_path, path)? + rest)
    }

    fn cookie(&self, cookie: &str, public: &PublicOrigin) -> Option<String> {
        let mut out = String::with_capacity(cookie.len());
        for (number, part) in cookie.split(';').enumerate() {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            let kept = match name.trim() {
                name if number > 0 && name.eq_ignore_ascii_case("path") => self
                    .rewrite
                    .zip(self.request_path)
                    .and_then(|(rewrite, request_path)| rewrite.restore_cookie(request_path, value))
                    .map(|path| format!(" Path={path}")),
                name if number > 0 && name.eq_ignore_ascii_case("domain") => {
                    match self.domain(value, public) {
                        Some(None) => continue,
                        Some(Some(domain)) => Some(format!(" Domain={domain}")),
                        None => None,
                    }
                }
                _ => None,
            };
            if number > 0 {
                out.push(';');
            }
            out.push_str(kept.as_deref().unwrap_or(part));
        }
        Some(out)
    }

    /// Returns the domain of a cookie for the client. `Some(None)` removes the domain, so that the cookie
    /// belongs to the client's host.
    fn domain<'a>(&self, domain: &str, public: &'a PublicOrigin) -> Option<Option<&'a str>> {
        let domain = domain.strip_prefix('.').unwrap_or(domain);
        let is = |host: &str| !host.is_empty() && host.eq_ignore_ascii_case(domain);
        let own = self.servers.iter().any(|server| is(&server.host)) || is(split_port(&public.sent).0);
        let (public, _) = split_port(&public.authority);
        if !own || is(public) {
            return None;
        }
        let is_name = public.bytes().any(|byte| byte.is_ascii_alphabetic()) && !public.starts_with('[');
        Some(Some(public).filter(|public| is_name && public.contains('.')))
    }
}

fn split_port(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::Class;
    use crate::route::rewrite::PathRewrite;

    fn mapped(map: UrlMap<'_>, public: &PublicOrigin, name: &str, value: &str) -> String {
        let field = Field {
            class: Class::Url,
            disguised: false,
            repaired: false,
            name: name.as_bytes(),
            value: value.as_bytes(),
            line: (0, 0),
        };
        map.value(&field, || public.clone()).map_or_else(|| value.to_owned(), |(_, value)| value)
    }

    fn servers() -> Vec<ServerOrigin> {
        vec![ServerOrigin { secure: false, host: "10.0.0.1".into(), port: 8080 }]
    }

    #[test]
    fn locations() {
        let servers = servers();
        let rewrite = Rewrite { base: "/base".into(), path: PathRewrite::Strip("/v1".into()) };
        let map = UrlMap { servers: &servers, rewrite: Some(&rewrite), request_path: Some("/v1/a") };
        let head = b"GET /base/a HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nX-Forwarded-Proto: https\r\n\
            x-forwarded-host: api.example.com\r\n\r\nhost: body";
        let public = PublicOrigin::of_head(head);
        for (from, to) in [
            ("/base/b?x=/base#f", "/v1/b?x=/base#f"),
            ("/base", "/v1/"),
            ("/login", "/login"),
            ("b/c", "b/c"),
            ("http://10.0.0.1:8080/base/b", "https://api.example.com/v1/b"),
            ("HTTP://10.0.0.1:8080/base/b", "https://api.example.com/v1/b"),
            ("//10.0.0.1:8080/base/b", "//api.example.com/v1/b"),
            ("http://10.0.0.1:8080/login", "http://10.0.0.1:8080/login"),
            ("http://10.0.0.1/base/b", "http://10.0.0.1/base/b"),
            ("http://other.example/base/b", "http://other.example/base/b"),
            ("mailto:a@b", "mailto:a@b"),
            ("//", "//"),
        ] {
            assert_eq!(mapped(map, &public, "Location", from), to);
            assert_eq!(mapped(map, &public, "content-location", from), to);
        }
    }

    #[test]
    fn the_scheme_and_port_of_the_client_are_kept_without_any_rewriting() {
        let servers = servers();
        let map = UrlMap { servers: &servers, rewrite: None, request_path: None };
        let public = |secure| PublicOrigin {
            secure,
            authority: "api.example.com".to_owned(),
            sent: "api.example.com".to_owned(),
        };
        for (secure, from, to) in [
            (true, "http://api.example.com/b", "https://api.example.com/b"),
            (true, "http://api.example.com:8080/b", "https://api.example.com/b"),
            (true, "http://10.0.0.1:8080", "https://api.example.com/"),
            (true, "/b", "/b"),
            // A server that redirects to https.
            (false, "https://api.example.com/b", "https://api.example.com/b"),
            (false, "http://api.example.com:9/b", "http://api.example.com:9/b"),
        ] {
            assert_eq!(mapped(map, &public(secure), "location", from), to);
        }
    }

    #[test]
    fn cookies() {
        let servers = vec![ServerOrigin { secure: false, host: "inner.corp".into(), port: 80 }];
        let rewrite = Rewrite { base: "".into(), path: PathRewrite::Strip("/v1".into()) };
        let map = UrlMap { servers: &servers, rewrite: Some(&rewrite), request_path: Some("/v1/a") };
        let public = |authority: &str| PublicOrigin {
            secure: true,
            authority: authority.to_owned(),
            sent: "inner.corp".to_owned(),
        };
        for (authority, from, to) in [
            ("api.example.com", "a=/x; Path=/; HttpOnly", "a=/x; Path=/v1; HttpOnly"),
            ("api.example.com", "path=/x;path=/b;Secure", "path=/x; Path=/v1/b;Secure"),
            ("api.example.com:8443", "a=b; domain=.Inner.corp", "a=b; Domain=api.example.com"),
            ("127.0.0.1:8443", "a=b; Domain=inner.corp; Path=/c", "a=b; Path=/v1/c"),
            ("localhost", "a=b; Domain=inner.corp", "a=b"),
            ("api.example.com", "a=b; Domain=corp", "a=b; Domain=corp"),
            ("api.example.com", "a=b", "a=b"),
        ] {
            assert_eq!(mapped(map, &public(authority), "Set-Cookie", from), to);
        }
    }
}
