//! What a route requires of a token, and where the token is.

use std::sync::Arc;

use http::HeaderName;

use crate::oauth::scope::Demand;

/// What a route requires of the token of a request.
#[derive(Debug)]
pub(crate) enum TokenAccess {
    /// A valid token in `Authorization` that meets the demand.
    Plain(Demand),
    /// The same, on a route with a token header of its own or a JWT for its upstream.
    Special(Box<SpecialToken>),
}

/// What few routes require of a token, or do with it.
#[derive(Debug)]
pub(crate) struct SpecialToken {
    pub(crate) demand: Demand,
    /// The header that has the token; `None` is `Authorization`.
    pub(crate) header: Option<HeaderName>,
    /// The audience of the JWT that the upstream gets in place of the token, if it gets one.
    pub(crate) jwt_for: Option<Arc<str>>,
}

impl TokenAccess {
    /// Creates the requirement of a route.
    pub(crate) fn new(demand: Demand, header: Option<HeaderName>, jwt_for: Option<Arc<str>>) -> Self {
        if header.is_none() && jwt_for.is_none() {
            return Self::Plain(demand);
        }
        Self::Special(Box::new(SpecialToken { demand, header, jwt_for }))
    }

    /// Returns the header that has the token, unless it is `Authorization`.
    pub(crate) fn header(&self) -> Option<&HeaderName> {
        match self {
            Self::Plain(_) => None,
            Self::Special(special) => special.header.as_ref(),
        }
    }
}
