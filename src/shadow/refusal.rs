//! Why an enforced route would refuse a request.

use crate::oauth::denial::Denial;

/// Why an enforced route would refuse a request, as far as the caller can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Refusal {
    /// The request has no token.
    NoToken,
    /// The `Authorization` header is malformed.
    Malformed,
    /// The token is unknown, expired, revoked, or not the sender's.
    InvalidToken,
    /// The token came without a valid DPoP proof.
    InvalidProof,
    /// The token lacks a scope.
    MissingScope,
    /// The token is for another resource.
    WrongAudience,
}

impl Refusal {
    /// Every kind, in the order of their numbers.
    pub(crate) const ALL: [Self; 6] = [
        Self::NoToken,
        Self::Malformed,
        Self::InvalidToken,
        Self::InvalidProof,
        Self::MissingScope,
        Self::WrongAudience,
    ];

    /// Returns the kind of a denial, or `None` if the gateway itself is the reason.
    pub(crate) fn of(denial: &Denial) -> Option<Self> {
        match denial {
            Denial::Missing => Some(Self::NoToken),
            Denial::Malformed(_) => Some(Self::Malformed),
            Denial::InvalidToken | Denial::NotHeld(_) => Some(Self::InvalidToken),
            Denial::InvalidProof(_) => Some(Self::InvalidProof),
            Denial::InsufficientScope(_) | Denial::Refused(_) => Some(Self::MissingScope),
            Denial::WrongAudience => Some(Self::WrongAudience),
            Denial::Dpop(denial) => Self::of(denial),
            Denial::Unavailable => None,
        }
    }

    /// Returns the name that scripts and files have.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Malformed => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InvalidProof => "invalid_dpop_proof",
            Self::MissingScope => "insufficient_scope",
            Self::WrongAudience => "wrong_audience",
        }
    }

    /// Returns the kind with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}
