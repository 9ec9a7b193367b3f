use std::fmt;

/// A list of scope tokens (RFC 6749 §3.3), without repetitions, in the order in which they were requested.
///
/// It is held as the string that goes on the wire, because that is used most and lists are short: looking a
/// token up is a scan over a few bytes.
///
/// ```
/// use tollgate::oauth::Scopes;
///
/// let scopes = Scopes::parse("read write read")?;
/// assert_eq!(scopes.as_str(), "read write");
/// assert!(scopes.contains("write") && !scopes.contains("writ"));
/// assert!(Scopes::parse("read  write").is_err(), "tokens are separated by one space");
/// # Ok::<(), tollgate::oauth::ScopeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Scopes(Box<str>);

/// The error for a string that RFC 6749 §3.3 does not allow as a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopeError {
    /// The string is empty, begins or ends with a space, or has two spaces in a row. Also: the list is empty.
    Empty,
    /// It contains a byte outside `%x21 / %x23-5B / %x5D-7E`.
    Forbidden(u8),
}

impl Scopes {
    /// Makes an empty list.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Parses `scope-token *( SP scope-token )`. Of repeated tokens the first is kept.
    ///
    /// # Errors
    /// A [`ScopeError`] for any other string, including the empty one.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        Self::from_tokens(text.split(' '))
    }

    /// Makes a list of single tokens. No token at all makes the empty list.
    ///
    /// # Errors
    /// A [`ScopeError`] for a token that is not allowed.
    pub fn from_tokens<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>) -> Result<Self, ScopeError> {
        let mut text = String::new();
        for token in tokens {
            let token = token.as_ref();
            check_token(token)?;
            if text.split(' ').any(|kept| kept == token) {
                continue;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(token);
        }
        Ok(Self(text.into()))
    }

    /// Iterates over the tokens.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|token| !token.is_empty())
    }

    /// Returns whether `token` is one of them.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        // Bytes, because splitting a string at a character costs several times as much, on every request.
        self.0.as_bytes().split(|byte| *byte == b' ').any(|held| held == token.as_bytes())
            && !token.is_empty()
    }

    /// Returns whether every token of `other` is one of them.
    #[must_use]
    pub fn contains_all(&self, other: &Self) -> bool {
        // Equal strings are the common case: a route requires exactly what the client has.
        self.0 == other.0 || other.iter().all(|token| self.contains(token))
    }

    /// Returns whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the list as it goes on the wire, with one space between tokens.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grammar_is_that_of_rfc_6749_3_3() {
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

    proptest! {
        #[test]
        fn a_parsed_list_prints_as_written_without_repetitions(tokens in prop::collection::vec("[!#-\\[\\]-~]{1,8}", 1..6)) {
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
