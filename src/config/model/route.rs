//! `[[routes]]`.

use std::{fmt, num::NonZeroUsize};

use http::{HeaderName, HeaderValue};

use super::jwt::TokenForwarding;
use super::mode::Mode;
use super::{cors::Cors, methods::Methods, server::BodyLimit, upstream::UpstreamIndex};
#[cfg(feature = "gateway")]
use crate::route::marks::Marks;
use crate::{
    config::{
        address::{AddressRange, Host},
        error::Position,
        units::Rate,
    },
    oauth::scope::Requirement,
    route::{pattern::Pattern, template::Template},
};

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The paths it matches.
    pub path: Pattern,
    /// The hosts it matches, without duplicates; empty is any host.
    pub hosts: Vec<HostPattern>,
    /// The methods it matches.
    pub methods: Methods,
    /// The requirement of the route.
    pub access: Access,
    /// Whether requests that do not have it are refused. A public route is always enforced.
    pub mode: Mode,
    /// The upstream that requests are forwarded to.
    pub upstream: UpstreamIndex,
    /// The segments that are removed from the front of the path: the first ones of the route's own path.
    pub strip_prefix: Option<String>,
    /// The path for the upstream, built from the names in the route's own path. Never together with
    /// `strip_prefix`.
    pub upstream_path: Option<Template>,
    /// What the upstream gets in place of the client's token.
    pub forward_token: TokenForwarding,
    /// Whether the path may contain a `;`.
    pub allow_semicolon: bool,
    /// Whether the path may contain `%2F`.
    pub allow_encoded_slash: bool,
    /// Whether the path may contain `%3F` or `%23`.
    pub allow_encoded_delimiters: bool,
    /// Whether the path may contain empty segments.
    pub allow_empty_segments: bool,
    /// The header that has the token; `None` is `Authorization`.
    pub token_header: Option<HeaderName>,
    /// The headers that say who the client is.
    pub identity_headers: IdentityHeaders,
    /// The size up to which a request body is read before anything is sent upstream; `None` streams bodies.
    pub buffer_request: Option<u64>,
    /// Changes to the headers of requests.
    pub request_headers: HeaderChanges,
    /// Whether URLs and cookies of the upstream are mapped to those of the route.
    pub map_response_urls: bool,
    /// The largest request body: the route's own limit, or the server's.
    pub max_body_size: BodyLimit,
    /// The requests that it accepts.
    pub rate_limit: Option<Rate>,
    /// The requests that it accepts of each address (IPv6: of its /64).
    pub rate_limit_by_address: Option<Rate>,
    /// The most requests in flight.
    pub max_in_flight: Option<NonZeroUsize>,
    /// Changes to the headers of the upstream's response.
    pub response_headers: HeaderChanges,
    /// The addresses that requests are accepted from.
    pub addresses: AddressRules,
    /// Cross-origin requests from browsers; `None` allows none.
    pub cors: Option<Cors>,
    /// The position in the file.
    pub position: Position,
}

/// The hosts that a route matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// One host.
    Exact(Host),
    /// Every host below this name, at any depth: `*.example.com`. The name itself is not among them.
    Below(Box<str>),
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

impl Route {
    /// Returns the hosts as the file writes them, with commas between them; empty is any host.
    #[must_use]
    pub fn host_names(&self) -> String {
        self.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// Returns the name of the route in metrics, logs and the state folder, such as
    /// `GET,HEAD api.example.com/orders/*`. Methods and host are included only if the route has them. No two
    /// routes have the same name.
    #[cfg(feature = "gateway")]
    pub(crate) fn label(&self) -> String {
        let methods = match &self.methods {
            Methods::All => String::new(),
            Methods::Only(methods) => {
                let names: Vec<&str> = methods.iter().map(http::Method::as_str).collect();
                names.join(",") + " "
            }
        };
        let path = match self.path.as_str() {
            prefix if self.path.is_prefix() => format!("{}/*", prefix.trim_end_matches('/')),
            path => path.to_owned(),
        };
        format!("{methods}{}{path}", self.host_names())
    }

    /// Returns each host for the route table: `None` once if it is any host.
    pub(crate) fn table_hosts(&self) -> Vec<Option<String>> {
        match self.hosts.as_slice() {
            [] => vec![None],
            hosts => hosts.iter().map(|host| Some(host.to_string())).collect(),
        }
    }

    /// Returns the name of a host that the route matches; `None` if it is any host.
    #[cfg(feature = "gateway")]
    pub(crate) fn sample_host(&self) -> Option<String> {
        self.hosts.first().map(|host| match host {
            HostPattern::Exact(host) => host.to_string(),
            HostPattern::Below(name) => format!("host.{name}"),
        })
    }

    /// The marks of a path that the route accepts.
    #[cfg(feature = "gateway")]
    pub(crate) fn allowed(&self) -> Marks {
        Marks::SEMICOLON.when(self.allow_semicolon)
            | Marks::ENCODED_SLASH.when(self.allow_encoded_slash)
            | Marks::ENCODED_DELIMITER.when(self.allow_encoded_delimiters)
            | Marks::EMPTY_SEGMENT.when(self.allow_empty_segments)
    }
}

/// The requirement of the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// No token.
    Public,
    /// A token.
    Token {
        /// The scopes that it needs.
        requirement: Requirement,
        /// The audience that it must be for (RFC 8707).
        audience: Option<String>,
    },
}

/// Changes to the headers of a message: first `remove`, then `set`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HeaderChanges {
    /// The headers that are removed.
    pub remove: Vec<HeaderName>,
    /// The headers that are added, instead of any of the same name.
    pub set: Vec<(HeaderName, HeaderValue)>,
}

impl HeaderChanges {
    /// All headers that are changed.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.remove.iter().chain(self.set.iter().map(|(name, _)| name))
    }
}

/// The headers that say who the client is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentityHeaders {
    /// Instead of `X-Client-Id`.
    pub client_id: IdentityHeader,
    /// Instead of `X-Client-Scope`.
    pub scope: IdentityHeader,
}

/// A header with a part of the client's identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IdentityHeader {
    /// The usual one.
    #[default]
    Usual,
    /// This one instead.
    Named(HeaderName),
    /// None.
    Off,
}

/// The addresses that requests are accepted from: not from `deny`; and if `allow` has any, only from those.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AddressRules {
    /// If there are any: the only addresses that requests are accepted from.
    pub allow: Vec<AddressRange>,
    /// Addresses that requests are never accepted from.
    pub deny: Vec<AddressRange>,
}
