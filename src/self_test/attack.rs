//! The kinds of attacks, and one request of each.

use super::message::Message;

/// A kind of attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attack {
    /// A request with a good token, which is not an attack. If it is refused, the gateway has another
    /// configuration.
    Control,
    NoToken,
    /// A token that the gateway has not issued, or one in a form that it must not accept.
    InvalidToken,
    /// A valid token at a place where the gateway must not look for one.
    TokenElsewhere,
    ForeignScope,
    OtherAudience,
    Revoked,
    Expired,
    /// The path of the route in another spelling.
    Spelling,
    Method,
    /// Headers by which a client claims to be another client.
    Identity,
    /// Requests whose end is ambiguous (request smuggling).
    Framing,
    /// Pseudo-header fields of HTTP/2 that contradict each other, are missing or are in the wrong place.
    PseudoHeader,
    /// Fields of HTTP/2 that a server must not accept, because they change the meaning of an HTTP/1.1 request.
    HeaderField,
    /// Heads that are larger than the configured limits.
    HeaderSize,
}

impl Attack {
    /// Returns the name that scripts see.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::NoToken => "no_token",
            Self::InvalidToken => "invalid_token",
            Self::TokenElsewhere => "token_elsewhere",
            Self::ForeignScope => "foreign_scope",
            Self::OtherAudience => "other_audience",
            Self::Revoked => "revoked_token",
            Self::Expired => "expired_token",
            Self::Spelling => "path_spelling",
            Self::Method => "method",
            Self::Identity => "identity_header",
            Self::Framing => "framing",
            Self::PseudoHeader => "pseudo_header",
            Self::HeaderField => "header_field",
            Self::HeaderSize => "header_size",
        }
    }
}

/// The expected result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// The request reaches the API.
    Passes,
    /// The gateway refuses it.
    Refused,
    /// The gateway may forward it, but it must be one request to the API, not two.
    OneAtMost,
    /// The request reaches the API without these values. The result is visible only if the API shows
    /// `control`.
    Hides { control: String, values: Vec<(String, String)> },
}

/// One request.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) attack: Attack,
    /// The property that distinguishes the request.
    pub(super) what: String,
    pub(super) message: Message,
    pub(super) expected: Expected,
}

/// The attacks on one route, or on no route.
#[derive(Debug)]
pub(super) struct Suite {
    /// The route, as `tollgate routes` shows it.
    pub(super) name: String,
    /// The line of the route in gateway.toml.
    pub(super) line: Option<u32>,
    pub(super) cases: Vec<Case>,
    /// The attacks that are skipped, with the reason.
    pub(super) skipped: Vec<(Attack, String)>,
}

impl Suite {
    pub(super) fn new(name: String, line: Option<u32>) -> Self {
        Self { name, line, cases: Vec::new(), skipped: Vec::new() }
    }

    /// Adds a request that must be refused.
    pub(super) fn refused(&mut self, attack: Attack, what: impl Into<String>, message: Message) {
        self.cases.push(Case { attack, what: what.into(), message, expected: Expected::Refused });
    }

    /// Skips an attack. The reason may be the same over every protocol, and counts once.
    pub(super) fn skip(&mut self, attack: Attack, reason: impl Into<String>) {
        let skipped = (attack, reason.into());
        if !self.skipped.contains(&skipped) {
            self.skipped.push(skipped);
        }
    }
}
