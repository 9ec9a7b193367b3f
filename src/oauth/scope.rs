//! Scope values and what a route asks of them (RFC 6749 §3.3).

use std::fmt;

/// A list of scope tokens: no repetitions, in the order they were asked for.
///
/// Held as the string that goes on the wire, since that is what is sent most and lists are short:
/// looking a token up is a scan over a few bytes.
///
/// ```
/// use tollgate::oauth::scope::Scopes;
///
/// let scopes = Scopes::parse("read write read")?;
/// assert_eq!(scopes.as_str(), "read write");
/// assert!(scopes.contains("write") && !scopes.contains("writ"));
/// assert!(Scopes::parse("read  write").is_err(), "one space between two");
/// # Ok::<(), tollgate::oauth::scope::ScopeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Scopes(Box<str>);

/// A string that RFC 6749 §3.3 does not allow as a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopeError {
    /// The string is empty, or has a space at an end or two in a row.
    Empty,
    /// A byte outside `%x21 / %x23-5B / %x5D-7E`.
    Forbidden(u8),
}

impl Scopes {
    /// No scope at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Parses `scope-token *( SP scope-token )`; repeated tokens collapse into their first place.
    ///
    /// # Errors
    /// What RFC 6749 §3.3 does not allow, an empty string included.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        Self::from_tokens(text.split(' '))
    }

    /// The same from tokens one by one, as a configuration file lists them.
    ///
    /// # Errors
    /// As [`Scopes::parse`], but no token at all is the empty list.
    pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut kept: Vec<&str> = Vec::new();
        for token in tokens {
            check_token(token)?;
            if !kept.contains(&token) {
                kept.push(token);
            }
        }
        Ok(Self(kept.join(" ").into_boxed_str()))
    }

    /// The tokens in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|token| !token.is_empty())
    }

    /// Whether `token` is one of them.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        // Bytes: to split a string at a character costs several times as much, on every request.
        self.0.as_bytes().split(|byte| *byte == b' ').any(|held| held == token.as_bytes())
            && !token.is_empty()
    }

    /// Whether every token of `other` is one of them.
    #[must_use]
    pub fn contains_all(&self, other: &Self) -> bool {
        // One string equal to the other is the common case: a route that asks for what the client has.
        self.0 == other.0 || other.iter().all(|token| self.contains(token))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list as it goes on the wire, tokens separated by one space.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({:?})", &self.0)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a scope token is empty (tokens are separated by one space)"),
            Self::Forbidden(byte) => write!(
                f,
                "byte 0x{byte:02x} is not allowed in a scope token (RFC 6749 §3.3: printable ASCII but space, \" and \\)"
            ),
        }
    }
}

impl std::error::Error for ScopeError {}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )` (RFC 6749 §3.3).
fn check_token(token: &str) -> Result<(), ScopeError> {
    if token.is_empty() {
        return Err(ScopeError::Empty);
    }
    match token.bytes().find(|byte| !matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
        Some(byte) => Err(ScopeError::Forbidden(byte)),
        None => Ok(()),
    }
}

/// What a protected route asks of a token's scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// Any valid token will do.
    AnyToken,
    /// The token holds every one of these.
    All(Scopes),
    /// The token holds at least one of these.
    Any(Scopes),
}

impl Requirement {
    /// All of these scopes.
    ///
    /// ```
    /// use tollgate::oauth::scope::{Requirement, Scopes};
    ///
    /// let needed = Requirement::all(["read", "write"])?;
    /// assert!(needed.is_met_by(&Scopes::parse("write read more")?));
    /// assert!(!needed.is_met_by(&Scopes::parse("read")?));
    /// # Ok::<(), tollgate::oauth::scope::ScopeError>(())
    /// ```
    ///
    /// # Errors
    /// What RFC 6749 §3.3 does not allow, and no scope at all: that is [`Requirement::AnyToken`], and said so.
    pub fn all<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        some(scopes).map(Self::All)
    }

    /// At least one of these scopes.
    ///
    /// ```
    /// use tollgate::oauth::scope::{Requirement, Scopes};
    ///
    /// let needed = Requirement::any(["write", "admin"])?;
    /// assert!(needed.is_met_by(&Scopes::parse("read admin")?));
    /// assert!(!needed.is_met_by(&Scopes::parse("read")?));
    /// # Ok::<(), tollgate::oauth::scope::ScopeError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Requirement::all`].
    pub fn any<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        some(scopes).map(Self::Any)
    }

    /// Whether `held` is enough.
    #[must_use]
    pub fn is_met_by(&self, held: &Scopes) -> bool {
        match self {
            Self::AnyToken => true,
            Self::All(needed) => held.contains_all(needed),
            Self::Any(one_of) => one_of.iter().any(|token| held.contains(token)),
        }
    }

    /// The scopes that a challenge names (RFC 6750 §3).
    #[must_use]
    pub fn scopes(&self) -> Option<&Scopes> {
        match self {
            Self::AnyToken => None,
            Self::All(scopes) | Self::Any(scopes) => Some(scopes),
        }
    }
}

fn some<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Scopes, ScopeError> {
    let scopes = Scopes::from_tokens(scopes)?;
    if scopes.is_empty() { Err(ScopeError::Empty) } else { Ok(scopes) }
}

/// All that a protected route asks of a token.
///
/// ```
/// use tollgate::oauth::scope::{Demand, Requirement};
///
/// let demand = Demand::from(Requirement::all(["read"])?).for_audience("https://orders.example.com");
/// assert_eq!(demand.audience.as_deref(), Some("https://orders.example.com"));
/// # Ok::<(), tollgate::oauth::scope::ScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Demand {
    /// The scopes.
    pub requirement: Requirement,
    /// The resource that the token must be for (RFC 8707); none: any, and none.
    pub audience: Option<Box<str>>,
}

impl Demand {
    /// Asks that the token be for this resource, to the letter.
    #[must_use]
    pub fn for_audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audience = Some(audience.into());
        self
    }
}

impl From<Requirement> for Demand {
    fn from(requirement: Requirement) -> Self {
        Self { requirement, audience: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grammar_is_rfc_6749_3_3_to_the_letter() {
        let good = [("read", "read"), ("read write", "read write"), ("a a b a", "a b"), ("!#[]~", "!#[]~")];
        for (text, wire) in good {
            assert_eq!(Scopes::parse(text).map(|s| s.to_string()), Ok(wire.to_owned()), "{text:?}");
        }
        let bad = [
            "",
            " ",
            " read",
            "read ",
            "read  write",
            "read\twrite",
            "re\"ad",
            "re\\ad",
            "ré",
            "a\u{7f}",
            "a\0",
        ];
        for text in bad {
            assert!(Scopes::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn requirement_table() {
        let s = |text| Scopes::parse(text).unwrap();
        let all = Requirement::All(s("read write"));
        let any = Requirement::Any(s("read admin"));
        let table = [
            (&all, "read", false),
            (&all, "write read", true),
            (&all, "write read more", true),
            (&all, "readwrite", false),
            (&any, "admin", true),
            (&any, "write", false),
            (&Requirement::AnyToken, "x", true),
        ];
        for (requirement, held, met) in table {
            assert_eq!(requirement.is_met_by(&s(held)), met, "{requirement:?} with {held}");
        }
        assert!(Requirement::AnyToken.is_met_by(&Scopes::none()));
        assert!(!any.is_met_by(&Scopes::none()));
        assert_eq!(Requirement::all(["read", "write"]), Ok(all));
        assert_eq!(Requirement::any(["read", "admin"]), Ok(any));
        assert_eq!(Requirement::all([]), Err(ScopeError::Empty));
        assert_eq!(Requirement::any(["a b"]), Err(ScopeError::Forbidden(b' ')));
    }

    proptest! {
        #[test]
        fn what_parses_prints_as_it_was_but_for_repetitions(tokens in prop::collection::vec("[!#-\\[\\]-~]{1,8}", 1..6)) {
            let parsed = Scopes::parse(&tokens.join(" ")).unwrap();
            let mut once: Vec<&str> = Vec::new();
            for token in &tokens {
                if !once.contains(&token.as_str()) { once.push(token); }
            }
            prop_assert_eq!(parsed.iter().collect::<Vec<_>>(), once);
        }

        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = Scopes::parse(&text);
        }
    }
}
