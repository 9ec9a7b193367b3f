//! What a route's `path` or `prefix` may look like.
//!
//! Patterns are written as the canonical path is: a pattern in any other spelling would match nothing.

use std::fmt;

/// Why a text is not a path pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternError {
    /// It does not begin with `/`.
    NoSlash,
    /// Two slashes in a row.
    EmptySegment,
    /// A `.` or `..` segment, also with a `;parameter`, spaces or dots behind it.
    DotSegment,
    /// A query or fragment.
    QueryOrFragment,
    /// A backslash, space, control or non-ASCII character.
    Character(char),
    /// A `;`, and the route does not allow it.
    Semicolon,
    /// `%` without two hex digits.
    BrokenEscape,
    /// An escape that the canonical path writes otherwise: this way.
    NotCanonical(String),
    /// An encoded slash, and the route does not allow it.
    EncodedSlash,
    /// An encoded backslash or NUL: such a request is always refused.
    RefusedEscape,
    /// `{` or `}` that is not around a whole segment.
    Brace,
    /// A `{name}` that is no name.
    BadName,
    /// The same `{name}` twice.
    NameTwice(String),
    /// Longer than any path that is let through.
    TooLong,
}

/// The longest pattern; a request's path is bounded by the header size anyway.
const LONGEST: usize = 4096;

/// Checks a pattern, and gives its shape: every `{name}` as `{}`, so that two patterns that match the
/// same paths have the same shape.
///
/// # Errors
/// The first thing that keeps the pattern from matching as written.
pub fn check_pattern(
    text: &str,
    allow_semicolon: bool,
    allow_encoded_slash: bool,
) -> Result<String, PatternError> {
    if text.len() > LONGEST {
        return Err(PatternError::TooLong);
    }
    let Some(after_slash) = text.strip_prefix('/') else {
        return Err(PatternError::NoSlash);
    };
    let mut shape = String::with_capacity(text.len());
    let mut names: Vec<&str> = Vec::new();
    let mut segments = after_slash.split('/').peekable();
    while let Some(segment) = segments.next() {
        shape.push('/');
        if segment.is_empty() && segments.peek().is_some() {
            return Err(PatternError::EmptySegment);
        }
        if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            check_name(name)?;
            if names.contains(&name) {
                return Err(PatternError::NameTwice(name.to_owned()));
            }
            names.push(name);
            shape.push_str("{}");
        } else {
            check_literal(segment, allow_semicolon, allow_encoded_slash)?;
            shape.push_str(segment);
        }
    }
    Ok(shape)
}

fn check_name(name: &str) -> Result<(), PatternError> {
    let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if good { Ok(()) } else { Err(PatternError::BadName) }
}

fn check_literal(
    segment: &str,
    allow_semicolon: bool,
    allow_encoded_slash: bool,
) -> Result<(), PatternError> {
    for (at, character) in segment.char_indices() {
        match character {
            '{' | '}' => return Err(PatternError::Brace),
            '?' | '#' => return Err(PatternError::QueryOrFragment),
            ';' if !allow_semicolon => return Err(PatternError::Semicolon),
            '%' => check_escape(&segment.as_bytes()[at + 1..], allow_encoded_slash)?,
            '\\' => return Err(PatternError::Character(character)),
            _ if !character.is_ascii_graphic() => return Err(PatternError::Character(character)),
            _ => {}
        }
    }
    let name = segment.split(';').next().unwrap_or(segment).replace("%20", " ");
    if name.starts_with('.') && name.bytes().all(|byte| matches!(byte, b'.' | b' ')) {
        return Err(PatternError::DotSegment);
    }
    Ok(())
}

/// `after` is what follows the `%`.
fn check_escape(after: &[u8], allow_encoded_slash: bool) -> Result<(), PatternError> {
    let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (Some(high), Some(low)) = (digit(0), digit(1)) else {
        return Err(PatternError::BrokenEscape);
    };
    let byte = u8::try_from(high * 16 + low).map_err(|_| PatternError::BrokenEscape)?;
    match byte {
        b'/' if !allow_encoded_slash => return Err(PatternError::EncodedSlash),
        b'\\' | 0 => return Err(PatternError::RefusedEscape),
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            return Err(PatternError::NotCanonical(char::from(byte).to_string()));
        }
        _ => {}
    }
    if after.iter().take(2).any(u8::is_ascii_lowercase) {
        return Err(PatternError::NotCanonical(format!("%{byte:02X}")));
    }
    Ok(())
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlash => f.write_str("must begin with /"),
            Self::EmptySegment => f.write_str("has an empty segment (//); such requests are refused"),
            Self::DotSegment => f.write_str("has a . or .. segment; such requests are refused"),
            Self::QueryOrFragment => {
                f.write_str("must be a path alone: a query or fragment never decides anything")
            }
            Self::Character(' ') => f.write_str("holds a space; write %20"),
            Self::Character(character) => {
                write!(
                    f,
                    "holds {character:?}, which no request path does; percent-encode it, if it is meant"
                )
            }
            Self::Semicolon => {
                f.write_str("holds a ; which the route must allow with allow_semicolon = true")
            }
            Self::BrokenEscape => f.write_str("has a % without two hex digits behind it"),
            Self::NotCanonical(right) => write!(f, "has an escape that the canonical path writes as {right}"),
            Self::EncodedSlash => f.write_str(
                "holds an encoded slash, which the route must allow with allow_encoded_slash = true",
            ),
            Self::RefusedEscape => {
                f.write_str("holds an encoded backslash or NUL; such requests are refused")
            }
            Self::Brace => f.write_str("has a brace inside a segment: {name} stands for one whole segment"),
            Self::BadName => f.write_str("has a name in braces that is not made of letters, digits and _"),
            Self::NameTwice(name) => write!(f, "names {{{name}}} twice"),
            Self::TooLong => write!(f, "is longer than {LONGEST} bytes"),
        }
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        use PatternError as E;
        let table = [
            ("/", Ok("/")),
            ("/hello_world", Ok("/hello_world")),
            ("/users/{id}/orders/{order}", Ok("/users/{}/orders/{}")),
            ("/a/", Ok("/a/")),
            ("/a%20b%C3%A9", Ok("/a%20b%C3%A9")),
            ("/..a/a..", Ok("/..a/a..")),
            ("", Err(E::NoSlash)),
            ("a", Err(E::NoSlash)),
            ("//", Err(E::EmptySegment)),
            ("/a//b", Err(E::EmptySegment)),
            ("/a/./b", Err(E::DotSegment)),
            ("/a/..", Err(E::DotSegment)),
            ("/a/..%20", Err(E::DotSegment)),
            ("/...", Err(E::DotSegment)),
            ("/a?b", Err(E::QueryOrFragment)),
            ("/a#b", Err(E::QueryOrFragment)),
            ("/a b", Err(E::Character(' '))),
            ("/é", Err(E::Character('é'))),
            ("/a\\b", Err(E::Character('\\'))),
            ("/a;b", Err(E::Semicolon)),
            ("/%4", Err(E::BrokenEscape)),
            ("/%zz", Err(E::BrokenEscape)),
            ("/%é", Err(E::BrokenEscape)),
            ("/%41", Err(E::NotCanonical("A".into()))),
            ("/%2e%2e", Err(E::NotCanonical(".".into()))),
            ("/%c3", Err(E::NotCanonical("%C3".into()))),
            ("/%2F", Err(E::EncodedSlash)),
            ("/%5C", Err(E::RefusedEscape)),
            ("/%00", Err(E::RefusedEscape)),
            ("/a{id}", Err(E::Brace)),
            ("/{id", Err(E::Brace)),
            ("/{}", Err(E::BadName)),
            ("/{a-b}", Err(E::BadName)),
            ("/{a}/{a}", Err(E::NameTwice("a".into()))),
        ];
        for (text, wanted) in table {
            assert_eq!(check_pattern(text, false, false), wanted.map(str::to_owned), "{text}");
        }
        assert_eq!(check_pattern("/a;v=1/%2F", true, true), Ok("/a;v=1/%2F".to_owned()));
        assert_eq!(check_pattern("/..;v=1", true, false), Err(E::DotSegment));
    }
}
