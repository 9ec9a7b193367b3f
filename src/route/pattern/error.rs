//! Why a text is not a path pattern.

use std::fmt;

use super::foreign::ForeignSyntax;

/// The maximum length of a pattern in bytes.
pub(super) const MAX_LENGTH: usize = 4096;

/// The maximum number of segments.
pub(super) const MAX_SEGMENTS: usize = 64;

/// Why a text is not a path pattern. The error message says what is wrong and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternError {
    /// It does not begin with `/`.
    NoLeadingSlash,
    /// Two slashes in a row, or a segment of nothing but parameters.
    EmptySegment,
    /// A `.` or `..` segment in any spelling, also when followed by a `;parameter`, spaces or dots.
    DotSegment,
    /// A wildcard or regular expression of another gateway, which would be a literal here.
    ForeignSyntax(ForeignSyntax),
    /// A query or a fragment.
    QueryOrFragment,
    /// A character that no request path has unescaped.
    Character(char),
    /// A backslash, raw or encoded.
    Backslash,
    /// A control character, raw or encoded.
    Control,
    /// Overlong UTF-8.
    Overlong,
    /// `%` without two hexadecimal digits.
    BrokenEscape,
    /// An escape that the canonical path writes otherwise.
    NotCanonical {
        /// The escape as it is in the pattern.
        written: String,
        /// The spelling in the canonical path.
        canonical: String,
    },
    /// A brace that is not part of a whole segment `{name}`. A name consists of letters, digits, `-` and `_`.
    Brace,
    /// The same `{name}` twice.
    RepeatedName(String),
    /// A prefix other than `/` that ends with a slash.
    TrailingSlash(String),
    /// More than [`Pattern::MAX_LENGTH`](super::Pattern::MAX_LENGTH) bytes.
    TooLong,
    /// More than [`Pattern::MAX_SEGMENTS`](super::Pattern::MAX_SEGMENTS) segments.
    TooManySegments,
    /// A `;`, and the route does not allow it.
    Semicolon,
    /// An encoded slash, and the route does not allow it.
    EncodedSlash,
    /// An encoded question mark or number sign, and the route does not allow it.
    EncodedDelimiter,
    /// A segment that ends with a dot or a space, and the upstream ignores case.
    TrailingDot,
    /// A character outside of ASCII, and the upstream ignores case.
    NonAscii,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeadingSlash => f.write_str("must begin with /"),
            Self::EmptySegment => {
                f.write_str("has an empty segment (//), which no pattern can have: remove it")
            }
            Self::DotSegment => {
                f.write_str("has a . or .. segment, and requests for such paths are refused: remove it")
            }
            Self::ForeignSyntax(ForeignSyntax { found, instead }) => {
                write!(
                    f,
                    "has {found:?}, which is no wildcard here and would match only itself: write {instead} ({{name}} \
                     is any one segment, and a prefix matches everything below it)"
                )
            }
            Self::QueryOrFragment => {
                f.write_str("must be a path only: remove the query or fragment, no route is chosen by it")
            }
            Self::Character(character) => {
                let mut buffer = [0; 4];
                let escaped = character.encode_utf8(&mut buffer).bytes().map(|byte| format!("%{byte:02X}"));
                let escaped = escaped.collect::<String>();
                write!(f, "contains {character:?}, which is not allowed in a path: write {escaped}")
            }
            Self::Backslash => {
                f.write_str("contains a backslash, and requests for such paths are refused: use /")
            }
            Self::Control => {
                f.write_str("contains a control character, and requests for such paths are refused: remove it")
            }
            Self::Overlong => {
                f.write_str("contains an overlong UTF-8 sequence: write the character's own bytes")
            }
            Self::BrokenEscape => {
                f.write_str(
                    "has a % without two hexadecimal digits after it: write %25 for the percent sign itself",
                )
            }
            Self::NotCanonical { written, canonical } => {
                write!(f, "contains the escape {written}: write {canonical}, as the canonical path does")
            }
            Self::Brace => f.write_str(
                "has a brace that does not enclose a whole segment: write /orders/{id}, the name made of letters, \
                 digits, - and _",
            ),
            Self::RepeatedName(name) => write!(f, "has the name {{{name}}} twice: rename one of them"),
            Self::TrailingSlash(shorter) => {
                write!(f, "must not end with /: {shorter:?} also matches everything below it")
            }
            Self::TooLong => write!(f, "is longer than {} bytes: shorten it", MAX_LENGTH),
            Self::TooManySegments => {
                write!(f, "has more than {} segments: shorten it, or use a prefix", MAX_SEGMENTS)
            }
            Self::Semicolon => f.write_str("contains a ;: add `allow_semicolon = true` to the route"),
            Self::EncodedSlash => {
                f.write_str("contains an encoded slash (%2F): add `allow_encoded_slash = true` to the route")
            }
            Self::EncodedDelimiter => {
                f.write_str("contains %3F or %23: add `allow_encoded_delimiters = true` to the route")
            }
            Self::TrailingDot => f.write_str(
                "has a segment that ends with a dot or a space, which its `case_insensitive` upstream ignores: \
                 remove the dot or space",
            ),
            Self::NonAscii => f.write_str(
                "has a character outside of ASCII, whose case its `case_insensitive` upstream ignores and the \
                 gateway does not: write {name} for the segment, or set `case_insensitive = false`",
            ),
        }
    }
}

impl std::error::Error for PatternError {}
