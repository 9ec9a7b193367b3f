//! Which paths a route is for.

use std::fmt;

use crate::proxy::path::{PathError, canonical, is_reserved_in_path};

/// A route's path: exact, with `{name}` for one segment, or a prefix of whole segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    kind: Kind,
    segments: Vec<Segment>,
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
    /// Any one segment that is not empty.
    Any,
}

/// How specific a pattern is; of the patterns that match a path the greatest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// By length in segments, then as [`Rank::Named`]. The mask has a bit for each literal, the first segment's
    /// highest, so that the leftmost literal decides.
    Prefix(u32, u64),
    /// All that match one path have its length, so the mask decides.
    Named(u64),
    Exact,
}

/// Why text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternError {
    /// What a request's path would be refused for, too.
    Path(PathError),
    /// A brace that is not part of a segment `{name}`, the name made of letters, digits, `-` and `_`.
    Braces,
    /// A prefix other than `/` that ends in a slash.
    TrailingSlash,
    /// An escape of a character that may stand there as it is: requests would have to spell it the same way.
    NeedlessEscape(char),
    /// More than 64 segments.
    TooLong,
}

/// The mask of a [`Rank`] has a bit for each.
const MAX_SEGMENTS: usize = 64;

impl Pattern {
    /// A path to match as a whole; each segment that is `{name}` stands for any one segment.
    /// `/a` and `/a/` are two paths.
    ///
    /// # Errors
    /// Text that is not a canonical path, braces elsewhere, and what else [`PatternError`] lists.
    pub fn path(text: &str) -> Result<Self, PatternError> {
        Ok(Self { kind: Kind::Path, segments: segments(text)? })
    }

    /// A path to match segment by segment as the beginning of another: `/orders` is for `/orders`, `/orders/`
    /// and `/orders/7`, never for `/ordersX`. `/` is for all. `{name}` stands for one segment here, too.
    ///
    /// # Errors
    /// As [`Pattern::path`], and a trailing slash.
    pub fn prefix(text: &str) -> Result<Self, PatternError> {
        if text == "/" {
            return Ok(Self { kind: Kind::Prefix, segments: Vec::new() });
        }
        if text.ends_with('/') {
            return Err(PatternError::TrailingSlash);
        }
        Ok(Self { kind: Kind::Prefix, segments: segments(text)? })
    }

    /// Whether its own text needs the route to allow semicolons: no path could match otherwise.
    #[must_use]
    pub fn has_semicolon(&self) -> bool {
        self.literals().any(|literal| literal.contains(';'))
    }

    /// Whether its own text needs the route to allow encoded slashes: no path could match otherwise.
    #[must_use]
    pub fn has_encoded_slash(&self) -> bool {
        self.literals().any(|literal| literal.contains("%2F"))
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(super) fn is_prefix(&self) -> bool {
        self.kind == Kind::Prefix
    }

    /// The path it matches, where that is only one.
    pub(super) fn exact(&self) -> Option<String> {
        if self.is_prefix() || self.segments.contains(&Segment::Any) {
            return None;
        }
        Some(self.to_string())
    }

    fn literals(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(text) => Some(&**text),
            Segment::Any => None,
        })
    }
}

/// As canonical text, with `{}` for a segment of any name.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return f.write_str("/");
        }
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Any => f.write_str("/{}")?,
            }
        }
        Ok(())
    }
}

impl Rank {
    /// The mask's bit of the literal at `depth`, counted from 0.
    pub(super) fn literal(depth: u32) -> u64 {
        (1 << 63_u64) >> depth.min(63)
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(error) => error.fmt(f),
            Self::Braces => {
                f.write_str("braces are for whole segments, like /orders/{id} (letters, digits, - and _)")
            }
            Self::TrailingSlash => {
                f.write_str("a prefix ends without a slash: /orders is for /orders and /orders/…")
            }
            Self::NeedlessEscape(character) => write!(f, "write `{character}` as it is, not escaped"),
            Self::TooLong => write!(f, "more than {MAX_SEGMENTS} segments"),
        }
    }
}

impl std::error::Error for PatternError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Path(error) => Some(error),
            _ => None,
        }
    }
}

fn segments(text: &str) -> Result<Vec<Segment>, PatternError> {
    let named: Vec<bool> = text.split('/').map(is_name).collect::<Result<_, _>>()?;
    // A plain word in each name's place lets the one function judge the whole path.
    let words = text.split('/').zip(&named).map(|(segment, named)| if *named { "name" } else { segment });
    let text = words.collect::<Vec<_>>().join("/");
    let path = canonical(&text).map_err(PatternError::Path)?;
    if path.has_reserved_escape() {
        let mut escaped =
            path.as_str().split('%').skip(1).filter_map(|rest| u8::from_str_radix(rest.get(..2)?, 16).ok());
        let culprit = escaped.find(|byte| is_reserved_in_path(*byte)).unwrap_or(b'%');
        return Err(PatternError::NeedlessEscape(char::from(culprit)));
    }
    // Canonical paths begin with a slash and keep all of them, so both lists begin with an empty segment.
    let pairs = path.as_str().split('/').zip(named).skip(1);
    let segments: Vec<_> = pairs
        .map(|(segment, named)| if named { Segment::Any } else { Segment::Literal(segment.into()) })
        .collect();
    if segments.len() > MAX_SEGMENTS {
        return Err(PatternError::TooLong);
    }
    Ok(segments)
}

/// Whether a segment is `{name}`.
fn is_name(segment: &str) -> Result<bool, PatternError> {
    if !segment.contains(['{', '}']) {
        return Ok(false);
    }
    let name =
        segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or(PatternError::Braces)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || !name.bytes().all(allowed) {
        return Err(PatternError::Braces);
    }
    Ok(true)
}
