//! Why a request did not get what it asked for: the closed list that metrics and the access log share.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal),+ $(,)?) => {
        /// Why a request did not get what it asked for. OAuth's own error codes keep their names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub(crate) enum Reason {
            $($(#[doc = $doc])* $name,)+
        }

        impl Reason {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];
            pub(crate) const COUNT: usize = Self::ALL.len();

            /// The name in lines and labels.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

reasons! {
    /// The request can be read in more than one way, or is not well-formed.
    Ambiguous = "ambiguous_request",
    MethodNotAllowed = "method_not_allowed",
    NoRoute = "no_route",
    /// The route does not take requests from there.
    Address = "address_denied",
    NoToken = "no_token",
    InvalidRequest = "invalid_request",
    InvalidToken = "invalid_token",
    InvalidDpopProof = "invalid_dpop_proof",
    InsufficientScope = "insufficient_scope",
    StoreUnavailable = "store_unavailable",
    ClientRate = "client_rate_limit",
    RouteRate = "route_rate_limit",
    /// As many requests as the route takes at once are under way.
    RouteBusy = "route_busy",
    /// The same for the upstream.
    UpstreamBusy = "upstream_busy",
    BodyTooLarge = "body_too_large",
    BodyTooSlow = "body_too_slow",
    /// The request's body is not framed as HTTP says, or broke off.
    BodyBroken = "body_broken",
    NoServer = "upstream_no_server",
    UpstreamUnreachable = "upstream_unreachable",
    UpstreamTooSlow = "upstream_timeout",
    UpstreamBadAnswer = "upstream_bad_answer",
    /// The answer broke off after its head had been passed on.
    UpstreamBroken = "upstream_broken",
    /// The stream ran on a token that expired or was revoked.
    TokenEnded = "token_ended",
    /// The client left before it had the answer.
    ClientGone = "client_gone",
    InvalidClient = "invalid_client",
    UnauthorizedClient = "unauthorized_client",
    UnsupportedGrantType = "unsupported_grant_type",
    InvalidScope = "invalid_scope",
    InvalidTarget = "invalid_target",
    UnsupportedTokenType = "unsupported_token_type",
    /// Too many failed authentications.
    Throttled = "throttled",
    /// Hashing is busy, or no more tokens may be issued.
    TemporarilyUnavailable = "temporarily_unavailable",
}
