//! `[[routes]]`.

use std::{num::NonZeroUsize, time::Duration};

use http::{HeaderName, HeaderValue, Method};

use super::{server::BodyLimit, upstream::UpstreamIndex};
use crate::{
    config::{
        address::{AddressRange, Host, Origin},
        error::Position,
        units::Rate,
    },
    oauth::scope::Requirement,
    route::pattern::Pattern,
};

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The paths it matches.
    pub path: Pattern,
    /// The host it matches; `None` is any host.
    pub host: Option<Host>,
    /// The methods it matches.
    pub methods: Methods,
    /// What a request needs.
    pub access: Access,
    /// The upstream that requests are forwarded to.
    pub upstream: UpstreamIndex,
    /// The segments that are removed from the front of the path: the first ones of the route's own path.
    pub strip_prefix: Option<String>,
    /// Whether the upstream gets the client's `Authorization` header.
    pub forward_token: bool,
    /// Whether the path may contain a `;`.
    pub allow_semicolon: bool,
    /// Whether the path may contain `%2F`.
    pub allow_encoded_slash: bool,
    /// The largest request body: the route's own limit, or the server's.
    pub max_body_size: BodyLimit,
    /// The requests that it accepts.
    pub rate_limit: Option<Rate>,
    /// The requests that it accepts of each address (IPv6: of its /64).
    pub rate_limit_by_address: Option<Rate>,
    /// The most requests in flight.
    pub max_in_flight: Option<NonZeroUsize>,
    /// Changes to the headers of the upstream's response.
    pub response_headers: ResponseHeaders,
    /// The addresses that requests are accepted from.
    pub addresses: AddressRules,
    /// Cross-origin requests from browsers; `None` allows none.
    pub cors: Option<Cors>,
    /// The position in the file.
    pub position: Position,
}

/// The methods that a route matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// All but TRACE and CONNECT.
    All,
    /// At least one, without duplicates, neither TRACE nor CONNECT.
    Only(Vec<Method>),
}

impl Methods {
    /// Returns the methods, or `None` for all of them.
    #[must_use]
    pub fn only(&self) -> Option<&[Method]> {
        match self {
            Self::All => None,
            Self::Only(methods) => Some(methods),
        }
    }
}

/// What a request needs.
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

/// Changes to the headers of an upstream's response: first `remove`, then `set`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ResponseHeaders {
    /// The headers that are removed.
    pub remove: Vec<HeaderName>,
    /// The headers that are added, instead of any of the same name.
    pub set: Vec<(HeaderName, HeaderValue)>,
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

/// Cross-origin requests from browsers (Fetch §3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cors {
    /// The origins of the pages.
    pub origins: CorsOrigins,
    /// The methods that pages may use; those of the route unless the file says otherwise.
    pub methods: Methods,
    /// The request headers that pages may set, beside those that are always allowed.
    pub headers: Vec<HeaderName>,
    /// How long a browser may remember the answer to a preflight request.
    pub max_age: Option<Duration>,
    /// Whether cookies and other credentials may be sent; never together with [`CorsOrigins::Any`].
    pub credentials: bool,
}

/// The origins of pages that may make cross-origin requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Any origin: `"*"`.
    Any,
    /// At least one origin.
    Only(Vec<Origin>),
}
