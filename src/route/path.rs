//! The canonical path: made once, by one function. Routes match on it, and the upstream gets it.
//!
//! A gateway can be bypassed if it reads a path differently from the server behind it. So nothing is repaired
//! here: a path that common servers read in different ways is refused. The only rewriting is the one that RFC
//! 3986 §6.2.2 calls equivalent: escapes of unreserved characters are decoded, other escapes get upper-case
//! digits.
//!
//! What is refused, and why:
//!
//! - **raw bytes outside RFC 3986's `pchar`**, except `[`, `]` and `|`, which browsers send unescaped.
//!   A backslash is a separator on Windows; `#` would be a fragment; `"`, `<`, `>`, `^`, `` ` ``, `{`, `}`,
//!   controls, spaces and non-ASCII are not allowed in a target, and servers treat them differently;
//! - **`%` without two hex digits**: one server keeps it, another drops it or fails;
//! - **`%5C`**, a separator on Windows, and **`%00`**, the end of the string in C;
//! - **the other encoded controls, `%01` to `%1F` and `%7F`**: once decoded, `%0D%0A` ends a log line or
//!   splits a header at a legacy server that copies the path into a redirect, and tabs are trimmed like
//!   spaces;
//! - **overlong UTF-8**: lenient decoders read `%C0%AF` as `/` and `%C0%AE` as `.`. The bytes C0 and C1 never
//!   occur in UTF-8 and are refused whatever follows (the laxest decoders do not look at it); E0, F0, F8 and
//!   FC before a continuation byte that makes them overlong. Other bytes are kept even where they are not
//!   UTF-8: `%E9` is an é to a legacy server that speaks Latin-1;
//! - **dot segments**: a segment of only dots and spaces, raw or encoded, with or without parameters after it
//!   (`..`, `%2e.`, `..;x`, `..%3Bx`, `.%20`, `...`): Windows drops trailing dots and spaces, Java
//!   servers parameters. An encoded slash ends a segment for this purpose, so `..%2F` is one;
//! - **an empty segment at the beginning** (`//host/x`), which some servers and clients take for a host, and
//!   a segment of only parameters (`/;x/`).
//!
//! Four things are only marked, because a route may allow them: `;` (parameters to a Java server, plain text
//! to others; also `%3B`, because some servers decode first and remove parameters then), an encoded slash,
//! `%3F` and `%23` (the end of the path to a server that decodes first), and empty segments, except the one
//! after a trailing slash (some servers merge slashes, some do not). The route table checks that such a path
//! leads to the same route in every reading, see `RouteTable::find`.
//!
//! Double encoding is not refused: `%252e` is the escape `%25` and the text `2e`, stays unchanged, and means
//! the text `%2e` to a server that decodes once, as it must. The query is not part of the path.

use std::borrow::Cow;
use std::fmt;

use super::marks::Marks;

/// A path that every server reads in the same way; borrowed if nothing had to be rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical<'a> {
    path: Cow<'a, str>,
    marks: Marks,
}

/// Why a path is refused. The text can be sent to the client: it repeats nothing of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// The path does not begin with `/`: authority-form, `*`, or empty.
    NotAbsolute,
    /// A raw byte that RFC 3986 §3.3 does not allow in a path.
    Byte(u8),
    /// A raw backslash, or `%5C`.
    Backslash,
    /// `%` without two hex digits after it.
    Escape,
    /// An encoded control character, such as `%00`.
    Control,
    /// UTF-8 that is longer than necessary: a disguised dot or slash.
    Overlong,
    /// A `.` or `..` segment in any spelling.
    DotSegment,
    /// Two slashes in a row, and the route does not allow it, or a segment of parameters only.
    EmptySegment,
    /// A `;`, and the route does not allow it.
    Semicolon,
    /// An encoded slash, and the route does not allow it.
    EncodedSlash,
    /// An encoded question mark or number sign, and the route does not allow it.
    EncodedDelimiter,
    /// A segment ends with a dot or a space, and the upstream ignores case as Windows does.
    TrailingDot,
    /// A character that Windows may take for an ASCII letter, and the upstream ignores case as Windows does.
    Lookalike,
    /// The path matches one route literally and another when it is decoded or has no parameters.
    Ambiguous,
}

impl Canonical<'_> {
    /// Returns the path, which begins with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Returns whether the path differs from the received one.
    #[must_use]
    #[cfg(test)]
    pub fn is_rewritten(&self) -> bool {
        matches!(self.path, Cow::Owned(_))
    }

    /// Returns whether it contains a `;`, encoded or not. It is forwarded only if the route allows it.
    #[cfg(any(test, feature = "_fuzzing"))]
    #[must_use]
    pub fn has_semicolon(&self) -> bool {
        self.marks.has(Marks::SEMICOLON)
    }

    /// Returns whether it contains a `%2F`. It is forwarded only if the route allows it.
    #[cfg(any(test, feature = "_fuzzing"))]
    #[must_use]
    pub fn has_encoded_slash(&self) -> bool {
        self.marks.has(Marks::ENCODED_SLASH)
    }

    /// Returns whether it has an escape of a character that is also allowed unescaped, such as `%3A` for `:`.
    /// RFC 3986 calls the two different; most servers do not.
    #[cfg(any(test, feature = "_fuzzing"))]
    #[must_use]
    pub fn has_reserved_escape(&self) -> bool {
        self.marks.has(Marks::RESERVED_ESCAPE)
    }

    /// Returns the marks of the path. All servers read a path without marks in the same way.
    #[must_use]
    pub fn marks(&self) -> Marks {
        self.marks
    }
}

impl PathError {
    /// Returns the key of a route that would accept such a path, or `None` if none does. It is for the
    /// operator.
    #[must_use]
    #[cfg(feature = "gateway")]
    pub fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Semicolon => Some("routes.allow_semicolon"),
            Self::EncodedSlash => Some("routes.allow_encoded_slash"),
            Self::EncodedDelimiter => Some("routes.allow_encoded_delimiters"),
            Self::EmptySegment => Some("routes.allow_empty_segments"),
            _ => None,
        }
    }

    /// Returns the text for the client.
    #[must_use]
    pub fn public_text(&self) -> &'static str {
        match self {
            Self::NotAbsolute => "the request target must be a path that begins with a slash",
            Self::Byte(_) => "the path has a character that must be percent-encoded",
            Self::Backslash => "the path has a backslash",
            Self::Escape => "the path has a percent sign without two hexadecimal digits",
            Self::Control => "the path has an encoded control character",
            Self::Overlong => "the path has an overlong UTF-8 sequence",
            Self::DotSegment => "the path has a dot segment",
            Self::EmptySegment => "the path has an empty segment",
            Self::Semicolon => "the path has a semicolon",
            Self::EncodedSlash => "the path has an encoded slash",
            Self::EncodedDelimiter => "the path has an encoded question mark or number sign",
            Self::TrailingDot => "the path has a segment that ends with a dot or a space",
            Self::Lookalike => "the path has a character that can be taken for an ASCII letter",
            Self::Ambiguous => "the path can be read in more than one way",
        }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(byte) => write!(f, "{} (0x{byte:02x})", self.public_text()),
            _ => f.write_str(self.public_text()),
        }
    }
}

impl std::error::Error for PathError {}

/// Makes the canonical path of `raw`, the path of a request target without its query.
///
/// A path without escapes, parameters and segments that begin with a dot takes one pass and no allocation;
/// only a path that must be rewritten allocates.
///
/// # Errors
/// A path that two servers might read differently; the module's page lists them.
pub fn canonical(raw: &str) -> Result<Canonical<'_>, PathError> {
    let bytes = raw.as_bytes();
    if bytes.first() != Some(&b'/') {
        return Err(PathError::NotAbsolute);
    }
    let mut previous = 0;
    for &byte in bytes {
        match CLASS[usize::from(byte)] {
            PLAIN => {}
            SLASH | DOT if previous == b'/' => return careful(raw),
            SLASH | DOT => {}
            SPECIAL => return careful(raw),
            _ => return Err(forbidden(byte)),
        }
        previous = byte;
    }
    Ok(Canonical { path: Cow::Borrowed(raw), marks: Marks::NONE })
}

const PLAIN: u8 = 0;
const SLASH: u8 = 1;
const DOT: u8 = 2;
/// `%` and `;`: allowed, but they need the careful check.
const SPECIAL: u8 = 3;
const FORBIDDEN: u8 = 4;

static CLASS: [u8; 256] = {
    let mut table = [FORBIDDEN; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'/' => SLASH,
            b'.' => DOT,
            b'%' | b';' => SPECIAL,
            other if is_unreserved(other) || is_reserved_in_path(other) => PLAIN,
            _ => FORBIDDEN,
        };
        byte += 1;
    }
    table
};

/// `unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"` (RFC 3986 §2.3).
pub(super) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Characters that are allowed in a segment and differ from their escape: `sub-delims`, `:` and `@` (RFC 3986
/// §3.3), and the three that browsers do not escape.
pub(super) const fn is_reserved_in_path(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'$'
            | b'&'
            | b'\''
            | b'('
            | b')'
            | b'*'
            | b'+'
            | b','
            | b';'
            | b'='
            | b':'
            | b'@'
            | b'['
            | b']'
            | b'|'
    )
}

fn forbidden(byte: u8) -> PathError {
    if byte == b'\\' { PathError::Backslash } else { PathError::Byte(byte) }
}

/// Checks a path that has escapes, parameters, empty segments or a segment that begins with a dot.
fn careful(raw: &str) -> Result<Canonical<'_>, PathError> {
    let Normalised { path, mut marks } = normalise(raw)?;
    if path.starts_with("//") {
        return Err(PathError::EmptySegment);
    }
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            marks |= Marks::EMPTY_SEGMENT;
        }
        // A server that decodes before it splits sees a segment on either side of an encoded slash. An empty
        // one between two encoded slashes is accepted: URLs inside a path have it, and a route has to allow
        // them.
        let mut pieces = 0;
        for piece in segment.split("%2F") {
            pieces += 1;
            let name = without_parameters(piece);
            marks |= Marks::SEMICOLON.when(name.len() < piece.len());
            if name.is_empty() && !piece.is_empty() {
                return Err(PathError::EmptySegment);
            }
            if is_dots(name) {
                return Err(PathError::DotSegment);
            }
        }
        marks |= Marks::ENCODED_SLASH.when(pieces > 1);
    }
    Ok(Canonical { path, marks })
}

/// Returns a segment up to its first `;`, encoded or not.
pub(super) fn without_parameters(segment: &str) -> &str {
    let raw = segment.split_once(';').map_or(segment, |(name, _)| name);
    raw.split_once("%3B").map_or(raw, |(name, _)| name)
}

/// Returns whether a segment consists of dots and encoded spaces, with at least one dot.
fn is_dots(mut name: &str) -> bool {
    let mut dots = false;
    while !name.is_empty() {
        if let Some(rest) = name.strip_prefix('.') {
            dots = true;
            name = rest;
        } else if let Some(rest) = name.strip_prefix("%20") {
            name = rest;
        } else {
            return false;
        }
    }
    dots
}

struct Normalised<'a> {
    path: Cow<'a, str>,
    marks: Marks,
}

/// Checks every byte and escape, and rewrites the escapes to their canonical form.
fn normalise(raw: &str) -> Result<Normalised<'_>, PathError> {
    let bytes = raw.as_bytes();
    let mut rewritten: Option<String> = None;
    let mut marks = Marks::NONE;
    // The value of the escape directly before this byte.
    let mut lead = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte != b'%' {
            if CLASS[usize::from(byte)] == FORBIDDEN {
                return Err(forbidden(byte));
            }
            if let Some(out) = &mut rewritten {
                out.push(char::from(byte));
            }
            lead = None;
            at += 1;
            continue;
        }
        let (Some(&high), Some(&low)) = (bytes.get(at + 1), bytes.get(at + 2)) else {
            return Err(PathError::Escape);
        };
        let (Some(first), Some(second)) = (hex_value(high), hex_value(low)) else {
            return Err(PathError::Escape);
        };
        let value = first << 4 | second;
        check_escape(lead, value)?;
        marks |= Marks::RESERVED_ESCAPE.when(is_reserved_in_path(value));
        marks |= Marks::ENCODED_DELIMITER.when(matches!(value, b'?' | b'#'));
        let unreserved = is_unreserved(value);
        let lower_case = high.is_ascii_lowercase() || low.is_ascii_lowercase();
        if rewritten.is_none() && (unreserved || lower_case) {
            let mut out = String::with_capacity(raw.len());
            out.push_str(raw.get(..at).unwrap_or_default());
            rewritten = Some(out);
        }
        if let Some(out) = &mut rewritten {
            if unreserved {
                out.push(char::from(value));
            } else {
                let digits = [b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()];
                out.extend(digits.map(char::from));
            }
        }
        lead = Some(value);
        at += 3;
    }
    Ok(Normalised { path: rewritten.map_or(Cow::Borrowed(raw), Cow::Owned), marks })
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Refuses escapes of bytes that are not allowed. `lead` is the escaped byte directly before it.
fn check_escape(lead: Option<u8>, value: u8) -> Result<(), PathError> {
    match (lead, value) {
        (_, b'\\') => Err(PathError::Backslash),
        (_, 0x00..=0x1f | 0x7f) => Err(PathError::Control),
        // RFC 3629 §3: C0 and C1 never occur; §10 on what overlong sequences are used for.
        (_, 0xc0 | 0xc1)
        | (Some(0xe0), 0x80..=0x9f)
        | (Some(0xf0), 0x80..=0x8f)
        | (Some(0xf8), 0x80..=0x87)
        | (Some(0xfc), 0x80..=0x83) => Err(PathError::Overlong),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
