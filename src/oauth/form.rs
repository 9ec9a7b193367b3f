//! A strict reader of `application/x-www-form-urlencoded` bodies (RFC 6749 §3.2 and appendix B).

use std::borrow::Cow;
use std::fmt;

/// The largest number of parameters, more than any request of this protocol has.
const MAX_PARAMETERS: usize = 64;

/// The decoded parameters of a form, each at most once.
#[derive(Default)]
pub struct Form<'a> {
    parameters: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// The reason why a form is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// A parameter is repeated, which RFC 6749 §3.2 forbids. An empty one counts as sent.
    Repeated,
    /// It has a `%` without two hex digits.
    BrokenEscape,
    /// It is not UTF-8 once decoded.
    NotUtf8,
    /// It has too many parameters.
    TooMany,
}

impl FormError {
    /// Returns the text for the client.
    #[must_use]
    pub fn public(self) -> &'static str {
        match self {
            Self::Repeated => "a parameter is sent more than once",
            Self::BrokenEscape => "the form is not well-formed: a % without two hex digits",
            Self::NotUtf8 => "the form is not UTF-8",
            Self::TooMany => "the form has too many parameters",
        }
    }
}

impl<'a> Form<'a> {
    /// Parses a body or a query string.
    ///
    /// # Errors
    /// A [`FormError`] if it is refused.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormError> {
        if is_encoded(bytes) {
            let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
            return Self::of(pairs.map(|pair| {
                let mut parts = pair.splitn(2, |byte| *byte == b'=');
                let mut part = || decode(parts.next().unwrap_or_default());
                Ok((part()?, part()?))
            }));
        }
        // Most forms have nothing to decode. They are validated as a whole, because that is faster than in pieces.
        let text = std::str::from_utf8(bytes).map_err(|_| FormError::NotUtf8)?;
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self::of(pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((name.into(), value.into()))
        }))
    }

    fn of(
        pairs: impl Iterator<Item = Result<(Cow<'a, str>, Cow<'a, str>), FormError>>,
    ) -> Result<Self, FormError> {
        let mut parameters: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for pair in pairs {
            let (name, value) = pair?;
            if parameters.len() == MAX_PARAMETERS {
                return Err(FormError::TooMany);
            }
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(FormError::Repeated);
            }
            parameters.push((name, value));
        }
        Ok(Self { parameters })
    }

    /// Returns the value of a parameter. A parameter without a value is treated as omitted (RFC 6749 §3.2).
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.parameters.iter().find(|(known, _)| known == name)?;
        (!value.is_empty()).then_some(&**value)
    }

    /// Iterates over the names of all parameters, including empty ones.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| &**name)
    }
}

impl fmt::Debug for Form<'_> {
    // Values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Returns whether there is something to decode. It looks at all bytes, because the compiler then compares
/// many at a time.
fn is_encoded(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, byte| found | (*byte == b'%') | (*byte == b'+'))
}

/// Decodes one component of a form. Basic credentials have the same encoding (RFC 6749 §2.3.1).
///
/// # Errors
/// A [`FormError`] for a broken escape or bytes that are not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, FormError> {
    if !is_encoded(bytes) {
        return std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| FormError::NotUtf8);
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().copied().and_then(hex), rest.next().copied().and_then(hex)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(FormError::BrokenEscape),
            },
            other => *other,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| FormError::NotUtf8)
}

/// Encodes one component of a form. Basic credentials have the same encoding (RFC 6749 §2.3.1). The result
/// needs no quotes in a shell.
#[cfg(any(feature = "remote", feature = "gateway"))]
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn table() {
        let form = Form::parse(b"grant_type=client_credentials&&empty=&flag&a%20b=c+d%2B&eq=a=b").unwrap();
        assert_eq!(form.value("grant_type"), Some("client_credentials"));
        assert_eq!(form.value("empty"), None);
        assert_eq!(form.value("flag"), None);
        assert_eq!(form.value("a b"), Some("c d+"));
        assert_eq!(form.value("eq"), Some("a=b"));
        assert_eq!(form.names().count(), 5);
        let many = "a=1&".repeat(70);
        let other = Form::parse("é=ü&b=%C3%A9".as_bytes()).unwrap();
        assert_eq!((other.value("é"), other.value("b")), (Some("ü"), Some("é")));
        let mixed = Form::parse(b"a=%C3\xa5").unwrap();
        assert_eq!(mixed.value("a"), Some("å"), "the rest of a character, not escaped");
        let bad: [(&[u8], FormError); 8] = [
            (b"a=1&a=2", FormError::Repeated),
            (b"a=&a=2", FormError::Repeated),
            (b"a&%61=2", FormError::Repeated),
            (b"a=%4", FormError::BrokenEscape),
            (b"a=%zz", FormError::BrokenEscape),
            (b"a=%ff", FormError::NotUtf8),
            (b"a=\xff", FormError::NotUtf8),
            (many.as_bytes(), FormError::Repeated),
        ];
        for (body, error) in bad {
            assert_eq!(Form::parse(body).err(), Some(error), "{}", String::from_utf8_lossy(body));
        }
        let many: String = (0..65).map(|n| format!("a{n}=1&")).collect();
        assert_eq!(Form::parse(many.as_bytes()).err(), Some(FormError::TooMany));
        assert!(!format!("{form:?}").contains("client_credentials"));
    }

    #[cfg(any(feature = "remote", feature = "gateway"))]
    proptest! {
        #[test]
        fn an_encoded_component_decodes_to_itself(text in any::<String>()) {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._+%".contains(&byte)));
            prop_assert_eq!(decode(encoded.as_bytes()).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn decodes_what_an_encoder_wrote(text in any::<String>()) {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decode(encoded.as_bytes()).unwrap(), text);
        }

        #[test]
        fn never_panics(bytes in any::<Vec<u8>>()) {
            let _ = Form::parse(&bytes);
        }
    }
}
