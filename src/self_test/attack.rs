//! The kinds of attacks, and one request of each.

/// A kind of attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attack {
    /// Not an attack: a request with a good token. If it does not pass, the gateway has another configuration.
    Control,
    NoToken,
    /// A token that the gateway has not issued, or one in a form that it must not accept.
    InvalidToken,
    /// A valid token where the gateway must not look for one.
    TokenElsewhere,
    ForeignScope,
    OtherAudience,
    Revoked,
    Expired,
    /// The path of the route in another spelling.
    Spelling,
    Method,
    /// Headers by which a client pretends to be another one.
    Identity,
    /// Requests whose end is ambiguous (request smuggling).
    Framing,
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
        }
    }
}

/// What must become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// The request reaches the API.
    Passes,
    /// The gateway refuses it.
    Refused,
    /// The gateway may forward it, but it must be one request to the API, not two.
    OneAtMost,
    /// The request reaches the API without these values. They can only be seen if the API shows `control`.
    Hides { control: String, values: Vec<(String, String)> },
}

/// One request.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) attack: Attack,
    /// What is special about the request.
    pub(super) what: String,
    /// The request as it is sent.
    pub(super) bytes: Vec<u8>,
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
    /// The attacks that are not made, and why.
    pub(super) skipped: Vec<(Attack, String)>,
}
