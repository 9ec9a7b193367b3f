//! What a route in shadow mode requires, and how it forwards requests that do not have it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::headers::{ClientAuthorization, RequestRules, RequestView};
use crate::oauth::bearer::carries_issued_token;
use crate::oauth::denial::Denial;
use crate::proxy::token_access::TokenAccess;
use crate::shadow::LearnedRoute;

/// What a route in shadow mode requires of a request that it would not refuse if it were enforced.
#[derive(Debug)]
pub(crate) struct ShadowAccess {
    /// The token that the route would require.
    pub(crate) token: TokenAccess,
    /// Whether the client's token is sent upstream.
    pub(crate) forward_token: bool,
    /// The changes of the headers of a refused request. The credentials of the upstream are not among them.
    pub(crate) rules: Option<Arc<RequestRules>>,
    /// The same, for a request whose token header has something that the gateway has not issued: it goes on.
    pub(crate) rules_with_header: Option<Arc<RequestRules>>,
    pub(crate) learned: Arc<LearnedRoute>,
}

/// The verdict about a request on a route in shadow mode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged<'a> {
    pub(crate) learned: &'a LearnedRoute,
    /// Why an enforced route would refuse the request.
    pub(crate) denial: Option<&'a Denial>,
    /// The client of the token, if the token is valid.
    pub(crate) client: Option<&'a str>,
    pub(crate) address: IpAddr,
    pub(crate) user_agent: Option<&'a [u8]>,
    /// The time since 1970.
    pub(crate) now: Duration,
}

impl ShadowAccess {
    /// Returns how a request is forwarded that an enforced route would refuse: as on a public route, without
    /// the credentials of the upstream.
    #[cold]
    pub(in crate::proxy) fn forwarding(
        &self,
        request: &impl RequestView,
    ) -> (ClientAuthorization, Option<&RequestRules>) {
        if self.forward_token {
            return (ClientAuthorization::Forward, self.rules.as_deref());
        }
        let is_ours = |name: &HeaderName| {
            let name = name.as_str().as_bytes();
            let mut fields = request.fields().filter(|field| field.name.eq_ignore_ascii_case(name));
            fields.any(|field| carries_issued_token(field.value))
        };
        let rules = match self.token.header() {
            Some(header) if !is_ours(header) => &self.rules_with_header,
            _ => &self.rules,
        };
        (ClientAuthorization::RemoveOurs, rules.as_deref())
    }
}
