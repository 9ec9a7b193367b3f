//! The reasons for refused and failed requests: a closed list, shared by metrics and the access log.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal),+ $(,)?) => {
        /// Why a request was refused or failed. The names of OAuth error codes are the codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub(crate) enum Reason {
            $($(#[doc = $doc])* $name,)+
        }

        impl Reason {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];
            pub(crate) const COUNT: usize = Self::ALL.len();

            /// Returns the name in log lines and labels.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

reasons! {
    /// The request is ambiguous or malformed.
    Ambiguous = "ambiguous_request",
    MethodNotAllowed = "method_not_allowed",
    NoRoute = "no_route",
    /// The route does not accept the client's address.
    Address = "address_denied",
    NoToken = "no_token",
    InvalidRequest = "invalid_request",
    InvalidToken = "invalid_token",
    InvalidDpopProof = "invalid_dpop_proof",
    InsufficientScope = "insufficient_scope",
    StoreUnavailable = "store_unavailable",
    AddressRate = "address_rate_limit",
    ClientRate = "client_rate_limit",
    RouteRate = "route_rate_limit",
    /// The route's limit on requests in flight is reached.
    RouteBusy = "route_busy",
    /// The upstream's limit on requests in flight is reached.
    UpstreamBusy = "upstream_busy",
    BodyTooLarge = "body_too_large",
    BodyTooSlow = "body_too_slow",
    /// The framing of the request body is invalid, or the client closed the connection before its end.
    BodyBroken = "body_broken",
    NoServer = "upstream_no_server",
    UpstreamUnreachable = "upstream_unreachable",
    UpstreamTooSlow = "upstream_timeout",
    UpstreamBadAnswer = "upstream_bad_answer",
    /// The upstream's response ended early, after its head was forwarded.
    UpstreamBroken = "upstream_broken",
    /// The token of a stream expired or was revoked.
    TokenEnded = "token_ended",
    /// The client disconnected before the end of the response.
    ClientGone = "client_gone",
    InvalidClient = "invalid_client",
    UnauthorizedClient = "unauthorized_client",
    UnsupportedGrantType = "unsupported_grant_type",
    InvalidScope = "invalid_scope",
    InvalidTarget = "invalid_target",
    UnsupportedTokenType = "unsupported_token_type",
    InvalidClientMetadata = "invalid_client_metadata",
    InvalidSoftwareStatement = "invalid_software_statement",
    /// As many clients are registered as may be.
    TooManyClients = "too_many_clients",
    /// Too many failed authentications, or too many registrations.
    Throttled = "throttled",
    /// The hashing queue is full, or the token limit is reached.
    TemporarilyUnavailable = "temporarily_unavailable",
}
