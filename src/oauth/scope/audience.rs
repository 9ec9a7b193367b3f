use std::fmt;

/// The identifier of a resource that a token is for (RFC 8707 §2), such as `https://orders.example.com`.
///
/// ```
/// use tollgate::oauth::Audience;
///
/// assert_eq!(Audience::new("https://orders.example.com")?.as_str(), "https://orders.example.com");
/// assert!(Audience::new("https://orders.example.com/#top").is_err());
/// # Ok::<(), tollgate::oauth::AudienceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Audience(Box<str>);

/// Where a token that is restricted to a resource (RFC 8707) is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RestrictedTokens {
    /// On routes that demand that resource. A route that demands none belongs to the resource that the server
    /// itself is, which its metadata names (RFC 9728 §2): the issuer.
    #[default]
    OwnRoutes,
    /// On those, and on every route that demands no resource.
    AnyRoute,
}

/// The error for a string that RFC 8707 §2 does not allow as a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudienceError {
    /// The string is empty.
    Empty,
    /// It contains a byte other than visible ASCII.
    Forbidden(u8),
    /// It contains a fragment.
    Fragment,
}

impl Audience {
    /// Checks an identifier.
    ///
    /// # Errors
    /// An [`AudienceError`] for one that is not allowed.
    pub fn new(text: &str) -> Result<Self, AudienceError> {
        if text.is_empty() {
            return Err(AudienceError::Empty);
        }
        if let Some(byte) = text.bytes().find(|byte| !byte.is_ascii_graphic()) {
            return Err(AudienceError::Forbidden(byte));
        }
        if text.contains('#') {
            return Err(AudienceError::Fragment);
        }
        Ok(Self(text.into()))
    }

    /// Returns the identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Audience> for Box<str> {
    fn from(audience: Audience) -> Self {
        audience.0
    }
}

impl From<Audience> for String {
    fn from(audience: Audience) -> Self {
        audience.0.into()
    }
}

impl fmt::Display for AudienceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an audience is empty"),
            Self::Forbidden(byte) => {
                write!(f, "byte 0x{byte:02x} is not allowed in an audience (only visible ASCII is)")
            }
            Self::Fragment => f.write_str("an audience has no fragment (RFC 8707 §2)"),
        }
    }
}

impl std::error::Error for AudienceError {}
