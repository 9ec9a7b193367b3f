//! What the outcomes of other rooms are called here.

use super::super::forward::error::ForwardError;
use crate::gate::{Endpoint, EndpointOutcome, Success};
use crate::oauth::denial::{Denial, TokenError};
use crate::telemetry::{EndpointName, Event, Reason, UpstreamFailure};
use crate::upstream::downstream::BodyFault;

/// Under which name its refusals are counted.
pub(super) fn name_of(endpoint: Endpoint) -> Option<EndpointName> {
    match endpoint {
        Endpoint::Token => Some(EndpointName::Token),
        Endpoint::Introspection => Some(EndpointName::Introspection),
        Endpoint::Revocation => Some(EndpointName::Revocation),
        Endpoint::AuthorizationServer | Endpoint::ProtectedResource => None,
    }
}

/// What to count of a success.
pub(super) fn event_of(outcome: &EndpointOutcome) -> Option<Event> {
    match outcome.success? {
        Success::Issued => Some(Event::TokenIssued),
        Success::Described { active: true } => Some(Event::TokenActive),
        Success::Described { active: false } => Some(Event::TokenInactive),
        Success::Revoked => Some(Event::Revoked),
    }
}

/// Why the gate denied.
pub(crate) fn of_denial(denial: &Denial) -> Reason {
    match denial {
        Denial::Missing => Reason::NoToken,
        Denial::Malformed(_) => Reason::InvalidRequest,
        Denial::InvalidToken | Denial::NotHeld(_) | Denial::WrongAudience => Reason::InvalidToken,
        Denial::InvalidProof(_) => Reason::InvalidDpopProof,
        Denial::Dpop(denial) => of_denial(denial),
        Denial::InsufficientScope(_) | Denial::Refused(_) => Reason::InsufficientScope,
        Denial::Unavailable => Reason::StoreUnavailable,
    }
}

/// Why an endpoint refused.
pub(super) fn of_token_error(error: &TokenError) -> Reason {
    match error {
        TokenError::InvalidRequest(_) | TokenError::UnsupportedEncoding => Reason::InvalidRequest,
        TokenError::TooLarge => Reason::BodyTooLarge,
        TokenError::TooSlow => Reason::BodyTooSlow,
        TokenError::MethodNotAllowed(_) => Reason::MethodNotAllowed,
        TokenError::InvalidClient => Reason::InvalidClient,
        TokenError::UnauthorizedClient => Reason::UnauthorizedClient,
        TokenError::UnsupportedGrantType => Reason::UnsupportedGrantType,
        TokenError::InvalidScope => Reason::InvalidScope,
        TokenError::InvalidTarget => Reason::InvalidTarget,
        TokenError::InvalidProof(_) => Reason::InvalidDpopProof,
        TokenError::UnsupportedTokenType => Reason::UnsupportedTokenType,
        TokenError::Throttled(_) => Reason::Throttled,
        TokenError::Unavailable(_) => Reason::TemporarilyUnavailable,
    }
}

/// Why there was no answer from upstream.
pub(crate) fn of_forward_error(error: &ForwardError) -> Reason {
    match error {
        ForwardError::NoServer => Reason::NoServer,
        ForwardError::Unreachable(_) => Reason::UpstreamUnreachable,
        ForwardError::TooSlow => Reason::UpstreamTooSlow,
        ForwardError::BadAnswer(_) => Reason::UpstreamBadAnswer,
        ForwardError::Body(BodyFault::TooLarge) => Reason::BodyTooLarge,
        ForwardError::Body(BodyFault::BrokenOff) => Reason::BodyBroken,
        ForwardError::Body(BodyFault::TokenEnded) => Reason::TokenEnded,
        ForwardError::ClientGone => Reason::ClientGone,
        ForwardError::Body(_) => Reason::BodyTooSlow,
    }
}

/// Whether that is the upstream's failure, and which.
pub(super) fn failure_of(reason: Reason) -> Option<UpstreamFailure> {
    match reason {
        Reason::NoServer => Some(UpstreamFailure::NoServer),
        Reason::UpstreamUnreachable => Some(UpstreamFailure::Unreachable),
        Reason::UpstreamTooSlow => Some(UpstreamFailure::TooSlow),
        Reason::UpstreamBadAnswer => Some(UpstreamFailure::BadAnswer),
        Reason::UpstreamBroken => Some(UpstreamFailure::Broken),
        _ => None,
    }
}
