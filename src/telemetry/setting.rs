//! The settings that decide about refusals, so that an operator who reads a log line knows where to look.

use super::reason::Reason;

impl Reason {
    /// Returns the key of gateway.toml that would have to change for such a request to be served, or `None`
    /// if there is none. `at_endpoint` is whether an endpoint of the gateway refused it.
    ///
    /// The response to the client does not contain it, so that clients learn nothing about the configuration.
    pub(crate) fn setting(self, at_endpoint: bool) -> Option<&'static str> {
        Some(match self {
            Self::NoRoute => "routes",
            Self::MethodNotAllowed if !at_endpoint => "routes.methods",
            Self::Address => "routes.allow",
            Self::InsufficientScope => "clients.scopes",
            Self::ClientRate => "clients.rate_limit",
            Self::RouteRate => "routes.rate_limit",
            Self::RouteBusy => "routes.max_in_flight",
            Self::UpstreamBusy => "upstreams.max_in_flight",
            Self::BodyTooLarge if !at_endpoint => "routes.max_body_size",
            Self::BodyTooSlow => "server.limits.body_timeout",
            Self::UpstreamTooSlow => "upstreams.read_timeout",
            Self::UnauthorizedClient => "clients.capabilities",
            Self::InvalidScope => "clients.scopes",
            Self::InvalidTarget => "clients.audiences",
            Self::Throttled => "token_service.throttle",
            _ => return None,
        })
    }
}
