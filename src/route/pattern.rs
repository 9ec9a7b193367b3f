//! The grammar of a route's `path` and `prefix`.
//!
//! A pattern is written like a [canonical path](super::path), because requests are matched on that. A pattern
//! in any other spelling would match nothing.

mod error;
mod foreign;

use std::fmt;

pub use self::error::PatternError;
use self::error::{MAX_LENGTH, MAX_SEGMENTS};
pub use self::foreign::ForeignSyntax;
use self::foreign::foreign_syntax;
use super::marks::Marks;
use super::path::{PathError, canonical, is_reserved_in_path, is_unreserved};
use super::windows;

/// A route's path: exact, with `{name}` for one segment, or a prefix of whole segments.
///
/// ```
/// use tollgate::config::Pattern;
///
/// # fn main() -> Result<(), tollgate::config::PatternError> {
/// assert_eq!(Pattern::path("/users/{id}")?.as_str(), "/users/{id}");
/// assert!(Pattern::prefix("/orders")?.is_prefix());
/// assert!(Pattern::path("/users/../admin").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    kind: Kind,
    segments: Box<[Segment]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Path,
    Prefix,
}

/// One segment of a pattern. The one after a trailing slash is an empty literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(Box<str>),
    /// Any single segment that is not empty.
    Any,
}

#[cfg(feature = "gateway")]
impl Segment {
    /// The text of a literal.
    pub(super) fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Any => None,
        }
    }
}

impl Pattern {
    /// The maximum length of a pattern in bytes.
    pub const MAX_LENGTH: usize = MAX_LENGTH;

    /// The maximum number of segments. The route table ranks patterns by one bit per segment.
    pub const MAX_SEGMENTS: usize = MAX_SEGMENTS;

    /// Parses a path that is matched as a whole. Each segment `{name}` matches any single segment. `/a` and
    /// `/a/` are two paths.
    ///
    /// # Errors
    /// Returns the first reason why the pattern would not match as it is written.
    pub fn path(text: &str) -> Result<Self, PatternError> {
        refuse_foreign_syntax(text, false)?;
        Ok(Self { text: text.into(), kind: Kind::Path, segments: segments(text)? })
    }

    /// Parses a path that is matched segment by segment as the beginning of another: `/orders` matches
    /// `/orders`, `/orders/` and `/orders/7`, never `/ordersX`. `/` matches everything. `{name}` stands for
    /// one segment here, too.
    ///
    /// # Errors
    /// Fails like [`Pattern::path`], and for a trailing slash.
    pub fn prefix(text: &str) -> Result<Self, PatternError> {
        refuse_foreign_syntax(text, true)?;
        let segments = if text == "/" { Box::default() } else { segments(text)? };
        if !segments.is_empty() && text.ends_with('/') {
            return Err(PatternError::TrailingSlash(text.trim_end_matches('/').to_owned()));
        }
        Ok(Self { text: text.into(), kind: Kind::Prefix, segments })
    }

    /// Checks that the route allows what the pattern itself contains; otherwise no request could match it.
    ///
    /// # Errors
    /// [`PatternError::Semicolon`], [`PatternError::EncodedSlash`] or [`PatternError::EncodedDelimiter`].
    pub(crate) fn check_allowed(&self, allowed: Marks) -> Result<(), PatternError> {
        if !allowed.has(Marks::SEMICOLON) && self.text.contains(';') {
            return Err(PatternError::Semicolon);
        }
        if !allowed.has(Marks::ENCODED_SLASH) && self.text.contains("%2F") {
            return Err(PatternError::EncodedSlash);
        }
        if !allowed.has(Marks::ENCODED_DELIMITER)
            && ["%3F", "%23"].iter().any(|escape| self.text.contains(escape))
        {
            return Err(PatternError::EncodedDelimiter);
        }
        Ok(())
    }

    /// Checks that the pattern is unambiguous on an upstream that ignores case as Windows does.
    ///
    /// # Errors
    /// [`PatternError::TrailingDot`] or [`PatternError::NonAscii`].
    pub(crate) fn check_folded(&self) -> Result<(), PatternError> {
        if windows::has_trailing_dot(&self.text) {
            return Err(PatternError::TrailingDot);
        }
        if windows::has_non_ascii(&self.text) { Err(PatternError::NonAscii) } else { Ok(()) }
    }

    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the pattern is a prefix.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.kind == Kind::Prefix
    }

    /// Returns whether a segment is a `{name}`.
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.segments.contains(&Segment::Any)
    }

    /// Returns the pattern with `{}` for every `{name}`. Patterns of the same kind and shape match the same
    /// paths.
    pub(super) fn shape(&self) -> String {
        if self.segments.is_empty() {
            return "/".to_owned();
        }
        let mut shape = String::with_capacity(self.text.len());
        for segment in &self.segments {
            shape.push('/');
            shape.push_str(match segment {
                Segment::Literal(text) => text,
                Segment::Any => "{}",
            });
        }
        shape
    }
}

impl Pattern {
    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Returns a path that the pattern matches.
    #[cfg(feature = "gateway")]
    pub(crate) fn sample(&self) -> String {
        let segments =
            self.text.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment });
        segments.collect::<Vec<_>>().join("/")
    }

    /// Returns the only path that the pattern matches, if there is only one.
    #[cfg(feature = "gateway")]
    pub(super) fn exact(&self) -> Option<&str> {
        (!self.is_prefix() && !self.has_names()).then_some(&*self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn refuse_foreign_syntax(text: &str, is_prefix: bool) -> Result<(), PatternError> {
    match foreign_syntax(text, is_prefix) {
        // An error about the length is more useful than one about a part of a long text.
        Some(_) if text.len() > Pattern::MAX_LENGTH => Err(PatternError::TooLong),
        Some(found) => Err(PatternError::ForeignSyntax(found)),
        None => Ok(()),
    }
}

fn segments(text: &str) -> Result<Box<[Segment]>, PatternError> {
    if text.len() > Pattern::MAX_LENGTH {
        return Err(PatternError::TooLong);
    }
    let names = text.split('/').map(name).collect::<Result<Vec<_>, _>>()?;
    for (at, repeated) in names.iter().enumerate() {
        if let Some(repeated) = repeated.filter(|_| names[..at].contains(repeated)) {
            return Err(PatternError::RepeatedName(repeated.to_owned()));
        }
    }
    // With a plain word in place of each name, the function that checks request paths checks the whole
    // pattern.
    let words = text.split('/').zip(&names).map(|(segment, name)| name.map_or(segment, |_| "name"));
    let plain = words.collect::<Vec<_>>().join("/");
    let canonical = canonical(&plain).map_err(|error| explain(error, &plain))?;
    if canonical.marks().has(Marks::EMPTY_SEGMENT) {
        return Err(PatternError::EmptySegment);
    }
    if let Some(error) = escape_to_rewrite(&plain) {
        return Err(error);
    }
    // A canonical path begins with a slash, so both lists begin with an empty segment.
    let pairs = text.split('/').zip(names).skip(1);
    let segments: Box<[_]> = pairs
        .map(|(segment, name)| name.map_or_else(|| Segment::Literal(segment.into()), |_| Segment::Any))
        .collect();
    if segments.len() > Pattern::MAX_SEGMENTS { Err(PatternError::TooManySegments) } else { Ok(segments) }
}

/// Returns the name in a segment `{name}`, or `None` if the segment is a literal.
fn name(segment: &str) -> Result<Option<&str>, PatternError> {
    if !segment.contains(['{', '}']) {
        return Ok(None);
    }
    let name =
        segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or(PatternError::Brace)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || !name.bytes().all(allowed) { Err(PatternError::Brace) } else { Ok(Some(name)) }
}

/// Converts the error of a request path to the error of a pattern.
fn explain(error: PathError, text: &str) -> PatternError {
    match error {
        PathError::NotAbsolute => PatternError::NoLeadingSlash,
        PathError::Byte(b'?' | b'#') => PatternError::QueryOrFragment,
        PathError::Byte(0..=0x1f | 0x7f) => PatternError::Control,
        PathError::Byte(byte) if byte.is_ascii() => PatternError::Character(char::from(byte)),
        PathError::Byte(_) => {
            let culprit = text.chars().find(|character| !character.is_ascii());
            PatternError::Character(culprit.unwrap_or(char::REPLACEMENT_CHARACTER))
        }
        PathError::Backslash => PatternError::Backslash,
        PathError::Escape => PatternError::BrokenEscape,
        PathError::Control => PatternError::Control,
        PathError::Overlong => PatternError::Overlong,
        PathError::DotSegment => PatternError::DotSegment,
        PathError::EmptySegment => PatternError::EmptySegment,
        PathError::Semicolon => PatternError::Semicolon,
        PathError::EncodedSlash => PatternError::EncodedSlash,
        PathError::EncodedDelimiter => PatternError::EncodedDelimiter,
        PathError::TrailingDot => PatternError::TrailingDot,
        PathError::Lookalike => PatternError::NonAscii,
        // Only the table refuses a path for this reason.
        PathError::Ambiguous => PatternError::BrokenEscape,
    }
}

/// Returns the first escape that must be written differently: unescaped, or with upper-case digits.
///
/// This includes escapes of characters that a path may contain unescaped (`%3A` for `:`): RFC 3986 treats the
/// two as different, so every request would have to use the same spelling.
fn escape_to_rewrite(text: &str) -> Option<PatternError> {
    text.match_indices('%').find_map(|(at, _)| {
        let written = text.get(at..at + 3)?;
        let byte = u8::from_str_radix(written.get(1..)?, 16).ok()?;
        let canonical = if is_unreserved(byte) || is_reserved_in_path(byte) {
            char::from(byte).to_string()
        } else {
            written.to_ascii_uppercase()
        };
        let written = written.to_owned();
        (canonical != written).then_some(PatternError::NotCanonical { written, canonical })
    })
}

#[cfg(test)]
mod tests;
