//! The endpoints of a gate, their input and their outcome.

use std::sync::Arc;

use bytes::Bytes;

use crate::oauth::client::ClientState;
use crate::oauth::token_error::TokenError;

/// One of the paths that the gate answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// Issues tokens (RFC 6749 §3.2).
    Token,
    /// Describes tokens (RFC 7662).
    Introspection,
    /// Revokes tokens (RFC 7009).
    Revocation,
    /// Metadata of the authorization server (RFC 8414).
    AuthorizationServer,
    /// Metadata of the protected resource (RFC 9728).
    ProtectedResource,
    /// Registers clients (RFC 7591), and lets each of them manage its registration (RFC 7592).
    #[cfg(feature = "gateway")]
    Registration,
    /// The keys that verify the gate's JWTs (RFC 7517).
    #[cfg(feature = "gateway")]
    KeySet,
}

impl Endpoint {
    /// Returns whether its requests have a body to read, of at most
    /// 16 KiB.
    #[must_use]
    pub fn reads_body(self) -> bool {
        !self.is_document()
    }

    /// Returns whether it is one of the documents whose paths are fixed.
    pub(crate) fn is_document(self) -> bool {
        match self {
            Self::AuthorizationServer | Self::ProtectedResource => true,
            #[cfg(feature = "gateway")]
            Self::KeySet => true,
            #[cfg(feature = "gateway")]
            Self::Registration => false,
            Self::Token | Self::Introspection | Self::Revocation => false,
        }
    }
}

/// The outcome of an endpoint, for metrics and logs.
#[derive(Debug, Default)]
pub(crate) struct EndpointOutcome {
    /// The client, once it has authenticated.
    pub(crate) client: Option<Arc<ClientState>>,
    pub(crate) success: Option<Success>,
    pub(crate) refusal: Option<TokenError>,
}

/// The success of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Success {
    Issued,
    Described {
        active: bool,
    },
    Revoked,
    #[cfg(feature = "gateway")]
    Registered,
    #[cfg(feature = "gateway")]
    RegistrationRead,
    #[cfg(feature = "gateway")]
    RegistrationUpdated,
    #[cfg(feature = "gateway")]
    RegistrationDeleted,
}

/// A request body as it was read, or the reason why it could not be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FormBody {
    /// The whole body.
    Whole(Bytes),
    /// The body is longer than 16 KiB.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body ended early.
    Broken,
}

impl FormBody {
    /// Returns the whole body, or the refusal of one that could not be read.
    pub(super) fn whole(self) -> Result<Bytes, TokenError> {
        match self {
            Self::Whole(body) => Ok(body),
            Self::TooLarge => Err(TokenError::TooLarge),
            Self::TooSlow => Err(TokenError::TooSlow),
            Self::Broken => Err(TokenError::InvalidRequest("the body broke off")),
        }
    }
}
