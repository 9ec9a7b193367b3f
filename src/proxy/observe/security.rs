//! Which refusals and successes are events of the security log.

use std::net::IpAddr;

use super::reasons::{denial_reason, token_error_reason};
use crate::gate::{Endpoint, EndpointOutcome, REPLAYED_PROOF, Success};
use crate::oauth::TokenError;
use crate::oauth::denial::Denial;
use crate::proxy::observer::Denied;
use crate::proxy::refusal::Refusal;
use crate::telemetry::Reason;
use crate::telemetry::security_log::{self, Event, Kind};

/// Logs a request of a route that the gate denies.
#[cold]
pub(super) fn denied(denied: &Denied<'_>, route: Option<&str>, request_id: Option<&[u8]>) {
    let Denied { denial, client, address, target } = *denied;
    let Some(kind) = kind_of_denial(denial).filter(|_| security_log::is_on()) else { return };
    security_log::submit(&Event {
        kind,
        reason: denial_reason(denial).as_str(),
        address,
        client_id: client,
        method: Some(target.method.as_str()),
        host: Some(target.authority).filter(|host| !host.is_empty()),
        path: Some(target.path),
        route,
        status: Some(denial.status().as_u16()),
        request_id: text(request_id),
    });
}

fn kind_of_denial(denial: &Denial) -> Option<Kind> {
    match denial {
        // A client usually begins without a token. The access log contains these requests.
        Denial::Missing | Denial::Unavailable => None,
        Denial::InvalidProof(why) if *why == REPLAYED_PROOF => Some(Kind::CredentialReplayed),
        Denial::Malformed(_) | Denial::InvalidToken | Denial::InvalidProof(_) => Some(Kind::TokenRefused),
        Denial::NotHeld(_) => Some(Kind::TokenNotHeld),
        Denial::InsufficientScope(_) | Denial::WrongAudience | Denial::Refused(_) => {
            Some(Kind::AccessRefused)
        }
        Denial::Dpop(denial) => kind_of_denial(denial),
    }
}

/// Logs what an endpoint has refused, and revocations.
pub(super) fn outcome(
    outcome: &EndpointOutcome,
    address: IpAddr,
    endpoint: Option<Endpoint>,
    request_id: Option<&[u8]>,
) {
    if !security_log::is_on() {
        return;
    }
    let (kind, reason, status) = match (&outcome.refusal, outcome.success) {
        (Some(error), _) => {
            let Some(kind) = kind_of_error(error) else { return };
            (kind, token_error_reason(error).as_str(), error.status().as_u16())
        }
        (None, Some(Success::Revoked)) => (Kind::TokenRevoked, "revoked", 200),
        (None, Some(Success::Registered)) => (Kind::ClientRegistered, "registered", 201),
        (None, Some(Success::RegistrationUpdated)) => (Kind::RegistrationUpdated, "updated", 200),
        (None, Some(Success::RegistrationDeleted)) => (Kind::RegistrationDeleted, "deleted", 204),
        (None, _) => return,
    };
    security_log::submit(&Event {
        kind,
        reason,
        address,
        client_id: outcome.client.as_ref().map(|client| client.id().as_str()),
        method: None,
        host: None,
        path: None,
        route: endpoint.map(name),
        status: Some(status),
        request_id: text(request_id),
    });
}

fn kind_of_error(error: &TokenError) -> Option<Kind> {
    match error {
        TokenError::InvalidClient => Some(Kind::AuthenticationFailed),
        TokenError::ReplayedAssertion => Some(Kind::CredentialReplayed),
        TokenError::InvalidProof(why) if *why == REPLAYED_PROOF => Some(Kind::CredentialReplayed),
        TokenError::InvalidProof(_) => Some(Kind::AuthenticationFailed),
        TokenError::Throttled(_) => Some(Kind::AuthenticationThrottled),
        TokenError::NoRegistrationToken
        | TokenError::InvalidRegistrationToken
        | TokenError::InvalidClientMetadata(_)
        | TokenError::InvalidSoftwareStatement
        | TokenError::UnapprovedSoftwareStatement
        | TokenError::TooManyClients
        | TokenError::RegistrationThrottled(_) => Some(Kind::RegistrationRefused),
        TokenError::UnauthorizedClient | TokenError::InvalidScope | TokenError::InvalidTarget => {
            Some(Kind::GrantRefused)
        }
        TokenError::InvalidRequest(_)
        | TokenError::UnsupportedEncoding
        | TokenError::TooLarge
        | TokenError::TooSlow
        | TokenError::MethodNotAllowed(_)
        | TokenError::UnsupportedGrantType
        | TokenError::UnsupportedTokenType
        | TokenError::Unavailable(_) => None,
    }
}

fn name(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Token => "(token)",
        Endpoint::Introspection => "(introspection)",
        Endpoint::Revocation => "(revocation)",
        Endpoint::AuthorizationServer | Endpoint::ProtectedResource | Endpoint::KeySet => "(metadata)",
        Endpoint::Registration => "(registration)",
    }
}

/// Logs what is refused for other reasons than its token. `peer` is the address of the connection.
pub(super) fn refused(refusal: &Refusal, peer: IpAddr, route: Option<&str>, request_id: Option<&[u8]>) {
    let kind = match refusal.reason {
        Some(Reason::Ambiguous) => Kind::RequestAmbiguous,
        Some(Reason::Address) => Kind::AddressRefused,
        Some(Reason::AddressRate | Reason::ClientRate) => Kind::RateExceeded,
        _ => return,
    };
    security_log::submit(&Event {
        kind,
        reason: refusal.reason.map_or("", Reason::as_str),
        address: peer,
        client_id: None,
        method: None,
        host: None,
        path: None,
        route,
        status: Some(refusal.response.status().as_u16()),
        request_id: text(request_id),
    });
}

fn text(request_id: Option<&[u8]>) -> Option<&str> {
    request_id.and_then(|id| std::str::from_utf8(id).ok())
}
