//! `[[routes]]`.

use std::{num::NonZeroUsize, time::Duration};

use http::{HeaderName, HeaderValue, Method};

use super::{server::BodyLimit, upstream::UpstreamIndex};
use crate::{
    config::{
        address::{AddressRange, Host, Origin},
        error::Place,
        units::Rate,
    },
    oauth::scope::Requirement,
    route::pattern::Pattern,
};

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// Which paths.
    pub path: Pattern,
    /// Which host; any where left out.
    pub host: Option<Host>,
    /// Which methods.
    pub methods: Methods,
    /// What a request needs.
    pub access: Access,
    /// Where to.
    pub upstream: UpstreamIndex,
    /// What is taken off the front of the path: whole segments, and the route's own first ones.
    pub strip_prefix: Option<String>,
    /// Whether the client's `Authorization` goes to the upstream.
    pub forward_token: bool,
    /// Whether a `;` may stand in the path.
    pub allow_semicolon: bool,
    /// Whether `%2F` may stand in the path.
    pub allow_encoded_slash: bool,
    /// How large a request body may be: the route's own, or the server's.
    pub max_body_size: BodyLimit,
    /// How many requests it takes.
    pub rate_limit: Option<Rate>,
    /// How many requests may be under way at once.
    pub max_in_flight: Option<NonZeroUsize>,
    /// What is changed in the upstream's answer.
    pub response_headers: ResponseHeaders,
    /// From where requests are taken.
    pub addresses: AddressRules,
    /// Cross-origin requests from browsers; refused where left out.
    pub cors: Option<Cors>,
    /// Where it stands in the file.
    pub place: Place,
}

/// Which methods a route takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// All but TRACE and CONNECT.
    All,
    /// These: at least one, none twice, neither TRACE nor CONNECT.
    Only(Vec<Method>),
}

impl Methods {
    /// The methods, or `None` for all.
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
        /// What it must be good for.
        requirement: Requirement,
        /// Whom it must be meant for (RFC 8707).
        audience: Option<String>,
    },
}

/// What is changed in an upstream's answer: first removed, then set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ResponseHeaders {
    /// Headers taken out.
    pub remove: Vec<HeaderName>,
    /// Headers put in, in place of any of the same name.
    pub set: Vec<(HeaderName, HeaderValue)>,
}

/// From where requests are taken: `deny` first; then, if `allow` has any, only those.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AddressRules {
    /// If any: only from here.
    pub allow: Vec<AddressRange>,
    /// Never from here.
    pub deny: Vec<AddressRange>,
}

/// Cross-origin requests from browsers (Fetch §3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cors {
    /// Whose pages.
    pub origins: CorsOrigins,
    /// With which methods: the route's where left out.
    pub methods: Methods,
    /// With which request headers, beside the safelisted ones.
    pub headers: Vec<HeaderName>,
    /// How long a browser may remember the answer.
    pub max_age: Option<Duration>,
    /// Whether cookies and the like may be sent; never together with any origin.
    pub credentials: bool,
}

/// Whose pages may make cross-origin requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Anybody's: `"*"`.
    Any,
    /// These: at least one.
    Only(Vec<Origin>),
}
