//! The host of a request.
//!
//! The gateway picks a route by host, and the upstream picks a resource by host, so both must read the same
//! name. A request that names two hosts, no host, or something that is neither a name nor an address is
//! refused (RFC 9112 §3.2).

use std::fmt;
use std::net::Ipv6Addr;

/// The host and port of a request, as the client spelled them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host<'a> {
    authority: &'a str,
    name: &'a str,
    port: Option<u16>,
}

/// Why the host of a request is refused. The text can be sent to the client: it repeats nothing of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostError {
    /// No `Host` header, and no authority in the target.
    Missing,
    /// More than one `Host` header.
    Repeated,
    /// Not `uri-host [ ":" port ]`, or with user information.
    Malformed,
    /// The target and the `Host` header name different hosts.
    Disagree,
    /// A target in absolute-form that is neither `http` nor `https`.
    Scheme,
}

impl<'a> Host<'a> {
    /// Parses `uri-host [ ":" port ]`: a registered name, an IPv4 address or an IPv6 literal in brackets.
    ///
    /// Names consist of letters, digits, `-`, `_`, `~` and dots between non-empty labels. RFC 3986 would
    /// allow escapes and `sub-delims` too, but no name in use has them, and `a,b` is what two merged headers
    /// look like.
    ///
    /// # Errors
    /// [`HostError::Malformed`] for anything else, an empty port included.
    pub fn parse(authority: &'a str) -> Result<Self, HostError> {
        let (name, port) = split_port(authority)?;
        let port = match port {
            None => None,
            Some(digits) => Some(parse_port(digits)?),
        };
        Ok(Self { authority, name, port })
    }

    /// Returns the host as the client sent it, with the port if it has one, for `X-Forwarded-Host` and
    /// `Host`.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.authority
    }

    /// Returns the name without the port, in the client's case. Brackets stay; the dot at the end of a fully
    /// qualified name does not, so that `api.example.com.` cannot bypass the routes of `api.example.com`.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Returns whether both are the same host; the default port of the scheme counts as no port.
    fn agrees(&self, other: &Host<'_>, default_port: Option<u16>) -> bool {
        let normal = |port: Option<u16>| port.filter(|_| port != default_port);
        self.name.eq_ignore_ascii_case(other.name) && normal(self.port) == normal(other.port)
    }
}

impl HostError {
    /// Returns the text for the client.
    #[must_use]
    pub fn public_text(&self) -> &'static str {
        match self {
            Self::Missing => "the request names no host",
            Self::Repeated => "the request has more than one Host header",
            Self::Malformed => "the request's host is malformed",
            Self::Disagree => "the request target and the Host header disagree",
            Self::Scheme => "the scheme of the request target is not http or https",
        }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.public_text())
    }
}

impl std::error::Error for HostError {}

/// The host in a request target.
#[derive(Debug, Clone, Copy)]
pub struct TargetHost<'a> {
    /// The authority of an absolute-form target, or `:authority`.
    pub authority: &'a str,
    /// The default port of the scheme.
    pub default_port: Option<u16>,
}

/// The requirement of an HTTP version on `Host`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostRule {
    /// HTTP/1.0: optional.
    Optional,
    /// HTTP/1.1: exactly one.
    Required,
    /// HTTP/2: not needed beside `:authority` (RFC 9113 §8.3.1).
    TargetSuffices,
}

impl Host<'static> {
    /// Creates the host of a request without one. It has no name, so no route with a host matches.
    #[must_use]
    pub fn none() -> Self {
        Self { authority: "", name: "", port: None }
    }
}

impl Host<'_> {
    /// Returns whether the request has no host.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.authority.is_empty()
    }
}

/// The host in the target and in the first `Host` header.
fn resolve<'a>(
    target: Option<TargetHost<'a>>,
    header: Option<&'a [u8]>,
    repeated: bool,
    rule: HostRule,
) -> Result<Host<'a>, HostError> {
    let header = match header {
        None => None,
        Some(value) => {
            let text = std::str::from_utf8(value).map_err(|_| HostError::Malformed)?;
            Some(Host::parse(text)?)
        }
    };
    if repeated {
        return Err(HostError::Repeated);
    }
    let Some(TargetHost { authority, default_port }) = target else {
        return match (header, rule) {
            (Some(host), _) => Ok(host),
            (None, HostRule::Optional) => Ok(Host::none()),
            (None, _) => Err(HostError::Missing),
        };
    };
    let target = Host::parse(authority)?;
    match header {
        Some(header) if !target.agrees(&header, default_port) => Err(HostError::Disagree),
        None if rule == HostRule::Required => Err(HostError::Missing),
        _ => Ok(target),
    }
}

/// The host of the last request of a connection. The next request usually has the same host, which is then
/// not parsed again.
#[derive(Debug, Default)]
pub struct LastHost {
    authority: String,
    name_length: usize,
    port: Option<u16>,
}

impl LastHost {
    /// Longer hosts are not cached.
    const MAX_LENGTH: usize = 255;

    /// Returns the host of a request: the authority of its target, or its `Host` header. If both are present,
    /// they must agree.
    ///
    /// # Errors
    /// Fails if the request names several hosts, a malformed host, or no host where one is required.
    pub fn of_request<'a>(
        &'a mut self,
        target: Option<TargetHost<'a>>,
        mut headers: impl Iterator<Item = &'a [u8]>,
        rule: HostRule,
    ) -> Result<Host<'a>, HostError> {
        let (header, repeated) = (headers.next(), headers.next().is_some());
        // The only text that names the host. It is parsed in the same way wherever it is.
        let only = match (target, header) {
            (None, Some(value)) if !repeated => value,
            (Some(target), None) if rule == HostRule::TargetSuffices => target.authority.as_bytes(),
            _ => &[],
        };
        if !(1..=Self::MAX_LENGTH).contains(&only.len()) {
            return resolve(target, header, repeated, rule);
        }
        if self.authority.as_bytes() != only {
            self.keep(resolve(target, header, false, rule)?);
        }
        let name = self.authority.get(..self.name_length).unwrap_or_default();
        Ok(Host { authority: &self.authority, name, port: self.port })
    }

    fn keep(&mut self, host: Host<'_>) {
        self.authority.clear();
        self.authority.push_str(host.authority);
        // The name is a prefix of the authority.
        (self.name_length, self.port) = (host.name.len(), host.port);
    }
}

/// Splits an authority into its name, checked and without a final dot, and the text after the colon.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), HostError> {
    if let Some(inner) = authority.strip_prefix('[') {
        let (address, rest) = inner.split_once(']').ok_or(HostError::Malformed)?;
        // Zone identifiers mean nothing to another machine, so they are refused.
        address.parse::<Ipv6Addr>().map_err(|_| HostError::Malformed)?;
        let literal = authority.get(..address.len() + 2).ok_or(HostError::Malformed)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((literal, Some(port))),
            None if rest.is_empty() => Ok((literal, None)),
            None => Err(HostError::Malformed),
        };
    }
    let (name, port) = match authority.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (authority, None),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    check_name(name)?;
    Ok((name, port))
}

fn check_name(name: &str) -> Result<(), HostError> {
    let mut previous = b'.';
    for byte in name.bytes() {
        let label = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
        if !(label || byte == b'.' && previous != b'.') {
            return Err(HostError::Malformed);
        }
        previous = byte;
    }
    // This includes an empty name.
    if previous == b'.' { Err(HostError::Malformed) } else { Ok(()) }
}

fn parse_port(digits: &str) -> Result<u16, HostError> {
    // `u16::from_str` accepts a sign, which a port cannot have.
    if digits.len() > 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HostError::Malformed);
    }
    digits.parse().map_err(|_| HostError::Malformed)
}

#[cfg(test)]
mod tests;
