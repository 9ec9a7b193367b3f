//! A pattern with its case sensitivity.

use crate::route::path::Canonical;
use crate::route::pattern::{Pattern, Segment};
use crate::route::readings::other_readings;

/// A pattern that distinguishes paths.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// The pattern.
    pub pattern: &'a Pattern,
    /// Whether the pattern matches in any ASCII case.
    pub folded: bool,
    /// Whether `accept` may accept a path that matches the pattern.
    pub is_goal: bool,
}

impl Shape<'_> {
    /// Returns whether a path, or one of its other readings, matches.
    pub fn matches_a_reading_of(self, path: &Canonical<'_>) -> bool {
        self.matches(path.as_str())
            || !path.marks().is_empty() && other_readings(path).iter().any(|reading| self.matches(reading))
    }

    fn matches(self, path: &str) -> bool {
        let mut of_path = path.split('/').skip(1);
        let mut segments = self.pattern.segments().iter();
        segments.all(|segment| of_path.next().is_some_and(|text| self.takes(segment, text)))
            && (self.pattern.is_prefix() || of_path.next().is_none())
    }

    /// Returns whether a segment of the pattern matches a segment of a path.
    pub(super) fn takes(self, segment: &Segment, text: &str) -> bool {
        match segment {
            Segment::Any => !text.is_empty(),
            Segment::Literal(literal) if self.folded => literal.eq_ignore_ascii_case(text),
            Segment::Literal(literal) => **literal == *text,
        }
    }
}
