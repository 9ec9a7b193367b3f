//! Maps the outcomes of the gate, the endpoints and the upstream to the reasons in metrics and logs.

use super::super::forward::error::ForwardError;
use crate::gate::{Endpoint, EndpointOutcome, Success};
use crate::oauth::denial::Denial;
use crate::oauth::token_error::TokenError;
use crate::telemetry::{EndpointName, Event, Reason, UpstreamFailure};
use crate::upstream::downstream::BodyFault;

/// Returns the name under which the refusals of an endpoint are counted, or `None` for a metadata document.
pub(super) fn endpoint_name(endpoint: Endpoint) -> Option<EndpointName> {
    match endpoint {
        Endpoint::Token => Some(EndpointName::Token),
        Endpoint::Introspection => Some(EndpointName::Introspection),
        Endpoint::Revocation => Some(EndpointName::Revocation),
        Endpoint::Registration => Some(EndpointName::Registration),
        Endpoint::AuthorizationServer | Endpoint::ProtectedResource | Endpoint::KeySet => None,
    }
}

/// Returns the event to count for the success of an endpoint.
pub(super) fn success_event(outcome: &EndpointOutcome) -> Option<Event> {
    match outcome.success? {
        Success::Issued => Some(Event::TokenIssued),
        Success::Described { active: true } => Some(Event::TokenActive),
        Success::Described { active: false } => Some(Event::TokenInactive),
        Success::Revoked => Some(Event::Revoked),
        // The security log contains these events.
        Success::Registered
        | Success::RegistrationRead
        | Success::RegistrationUpdated
        | Success::RegistrationDeleted => None,
    }
}

/// Returns the reason of a denial.
pub(crate) fn denial_reason(denial: &Denial) -> Reason {
    match denial {
        Denial::Missing => Reason::NoToken,
        Denial::Malformed(_) => Reason::InvalidRequest,
        Denial::InvalidToken | Denial::NotHeld(_) | Denial::WrongAudience => Reason::InvalidToken,
        Denial::InvalidProof(_) => Reason::InvalidDpopProof,
        Denial::Dpop(denial) => denial_reason(denial),
        Denial::InsufficientScope(_) | Denial::Refused(_) => Reason::InsufficientScope,
        Denial::Unavailable => Reason::StoreUnavailable,
    }
}

/// Returns the reason of an endpoint's error.
pub(super) fn token_error_reason(error: &TokenError) -> Reason {
    match error {
        TokenError::InvalidRequest(_) | TokenError::UnsupportedEncoding => Reason::InvalidRequest,
        TokenError::TooLarge => Reason::BodyTooLarge,
        TokenError::TooSlow => Reason::BodyTooSlow,
        TokenError::MethodNotAllowed(_) => Reason::MethodNotAllowed,
        TokenError::InvalidClient | TokenError::ReplayedAssertion => Reason::InvalidClient,
        TokenError::UnauthorizedClient => Reason::UnauthorizedClient,
        TokenError::UnsupportedGrantType => Reason::UnsupportedGrantType,
        TokenError::InvalidScope => Reason::InvalidScope,
        TokenError::InvalidTarget => Reason::InvalidTarget,
        TokenError::InvalidProof(_) => Reason::InvalidDpopProof,
        TokenError::UnsupportedTokenType => Reason::UnsupportedTokenType,
        TokenError::InvalidClientMetadata(_) => Reason::InvalidClientMetadata,
        TokenError::InvalidSoftwareStatement | TokenError::UnapprovedSoftwareStatement => {
            Reason::InvalidSoftwareStatement
        }
        TokenError::NoRegistrationToken => Reason::NoToken,
        TokenError::InvalidRegistrationToken => Reason::InvalidToken,
        TokenError::TooManyClients => Reason::TooManyClients,
        TokenError::Throttled(_) | TokenError::RegistrationThrottled(_) => Reason::Throttled,
        TokenError::Unavailable(_) => Reason::TemporarilyUnavailable,
    }
}

/// Returns the reason of a request without a response from the upstream.
pub(crate) fn forward_error_reason(error: &ForwardError) -> Reason {
    match error {
        ForwardError::NoServer => Reason::NoServer,
        ForwardError::Unreachable(_) => Reason::UpstreamUnreachable,
        ForwardError::TooSlow => Reason::UpstreamTooSlow,
        ForwardError::InvalidResponse(_) => Reason::UpstreamBadAnswer,
        ForwardError::Body(BodyFault::TooLarge) => Reason::BodyTooLarge,
        ForwardError::Body(BodyFault::BrokenOff) => Reason::BodyBroken,
        ForwardError::Body(BodyFault::TokenEnded) => Reason::TokenEnded,
        ForwardError::ClientGone => Reason::ClientGone,
        ForwardError::Body(_) => Reason::BodyTooSlow,
    }
}

/// Returns the failure to count for the upstream, or `None` if the upstream did not cause it.
pub(super) fn upstream_failure(reason: Reason) -> Option<UpstreamFailure> {
    match reason {
        Reason::NoServer => Some(UpstreamFailure::NoServer),
        Reason::UpstreamUnreachable => Some(UpstreamFailure::Unreachable),
        Reason::UpstreamTooSlow => Some(UpstreamFailure::TooSlow),
        Reason::UpstreamBadAnswer => Some(UpstreamFailure::BadAnswer),
        Reason::UpstreamBroken => Some(UpstreamFailure::Broken),
        _ => None,
    }
}
