//! The patterns that a prefix of a path can still match, in one reading.

use super::shape::Shape;
use crate::route::marks::Marks;
use crate::sorting::sort;

/// A separator between two pieces of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    /// `/`
    Slash,
    /// `%2F`
    EncodedSlash,
    /// `;`
    Semicolon,
    /// `%3F`
    Delimiter,
}

impl Separator {
    /// Returns the separators of paths with these marks.
    pub(super) fn of(marks: Marks) -> Vec<Self> {
        let optional = [
            (Marks::SEMICOLON, Self::Semicolon),
            (Marks::ENCODED_SLASH, Self::EncodedSlash),
            (Marks::ENCODED_DELIMITER, Self::Delimiter),
        ];
        let optional = optional.into_iter().filter(|(mark, _)| marks.has(*mark));
        std::iter::once(Self::Slash).chain(optional.map(|(_, separator)| separator)).collect()
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Slash => "/",
            Self::EncodedSlash => "%2F",
            Self::Semicolon => ";",
            Self::Delimiter => "%3F",
        }
    }
}

/// One of the ways in which servers read a path, as the table's `find` tries them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    /// The path ends at `%3F`.
    cut: bool,
    /// Parameters are removed before encoded slashes are decoded.
    parameters_first: bool,
    /// Encoded slashes are decoded.
    slashes: bool,
    /// Parameters are removed after that.
    parameters_last: bool,
}

impl Reading {
    /// Returns the readings of paths with these marks that differ. The first one is literal.
    pub(super) fn all(marks: Marks) -> Vec<Self> {
        let literal = Self::default();
        let mut all = vec![literal];
        if marks.has(Marks::SEMICOLON) {
            all.push(Self { parameters_first: true, ..literal });
        }
        if marks.has(Marks::ENCODED_SLASH) {
            all.push(Self { slashes: true, ..literal });
        }
        if marks.has(Marks::SEMICOLON | Marks::ENCODED_SLASH) {
            all.push(Self { parameters_first: true, slashes: true, ..literal });
            all.push(Self { parameters_last: true, slashes: true, ..literal });
        }
        if marks.has(Marks::ENCODED_DELIMITER) {
            all.extend(all.clone().into_iter().map(|reading| Self { cut: true, ..reading }));
        }
        all
    }
}

/// The patterns that a prefix of a path can still match, in one reading.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct View {
    /// The number of whole segments.
    depth: usize,
    /// The shapes that match the whole segments and have further ones.
    pub(super) open: Vec<u32>,
    /// The prefixes that match whatever follows.
    done: Vec<u32>,
    /// The text of the last segment so far, or `None` if no pattern has such a text.
    text: Option<String>,
    /// Whether the rest of the segment is ignored.
    skipping: bool,
    /// Whether the rest of the path is ignored.
    ended: bool,
}

impl View {
    /// Creates the view before the first segment.
    pub(super) fn start(shapes: &[Shape<'_>]) -> Self {
        let (mut open, mut done) = (Vec::new(), Vec::new());
        for (index, shape) in (0_u32..).zip(shapes) {
            if shape.pattern.segments().is_empty() { done.push(index) } else { open.push(index) }
        }
        Self { depth: 0, open, done, text: Some(String::new()), skipping: false, ended: false }
    }

    /// Returns whether one of the first shapes can still match.
    pub(super) fn may_match(&self, first: u32) -> bool {
        self.open.iter().chain(&self.done).any(|index| *index < first)
    }

    /// Returns whether a goal can still match.
    pub(super) fn may_reach_goal(&self, shapes: &[Shape<'_>]) -> bool {
        let mut left = self.open.iter().chain(&self.done);
        left.any(|index| shape(shapes, *index).is_some_and(|shape| shape.is_goal))
    }

    /// Returns the amount of work for the next step.
    pub(super) fn size(&self) -> usize {
        self.open.len()
    }

    /// Returns whether the last segment begins like a segment of a pattern.
    pub(super) fn is_in_literal(&self) -> bool {
        self.text.is_some()
    }

    /// Returns the remainders of the literals that the last segment may become, and whether each is
    /// case-insensitive.
    pub(super) fn literals<'a>(&'a self, shapes: &'a [Shape<'a>]) -> impl Iterator<Item = (&'a str, bool)> {
        let text = self.text.as_deref().filter(|_| !self.skipping && !self.ended);
        text.into_iter().flat_map(move |text| {
            self.open.iter().filter_map(move |index| {
                let shape = shape(shapes, *index)?;
                let rest = self.literal(shape).and_then(|literal| rest(literal, text))?;
                Some((rest, shape.folded))
            })
        })
    }

    /// Returns the literal with which the last segment is compared.
    fn literal<'a>(&self, shape: Shape<'a>) -> Option<&'a str> {
        shape.pattern.segments().get(self.depth).and_then(|segment| segment.literal())
    }

    /// Adds a piece and the separator after it.
    pub(super) fn advance(
        &mut self,
        shapes: &[Shape<'_>],
        reading: Reading,
        piece: &str,
        separator: Separator,
    ) {
        if self.ended {
            return;
        }
        if !self.skipping {
            self.push(shapes, piece);
        }
        match separator {
            Separator::Slash => self.close(shapes, reading.slashes),
            Separator::EncodedSlash if self.skipping && (reading.parameters_first || !reading.slashes) => {}
            Separator::EncodedSlash if reading.slashes => self.close(shapes, true),
            Separator::Semicolon if reading.parameters_first || reading.parameters_last => {
                self.skipping = true
            }
            Separator::Delimiter if reading.cut => self.ended = true,
            _ if self.skipping => {}
            other => self.push(shapes, other.as_str()),
        }
    }

    /// Adds text to the last segment.
    fn push(&mut self, shapes: &[Shape<'_>], text: &str) {
        let Some(mut known) = self.text.take() else { return };
        known.push_str(text);
        let is_known = known.is_empty()
            || self.open.iter().any(|index| {
                let literal = shape(shapes, *index).and_then(|shape| self.literal(shape));
                literal.is_some_and(|literal| rest(literal, &known).is_some())
            });
        self.text = is_known.then_some(known);
    }

    /// Ends the segment; another one follows. Servers that decode slashes merge empty segments.
    fn close(&mut self, shapes: &[Shape<'_>], merge: bool) {
        self.skipping = false;
        if merge && self.text.as_deref() == Some("") {
            return;
        }
        let text = self.text.replace(String::new());
        let mut open = Vec::with_capacity(self.open.len());
        for index in std::mem::take(&mut self.open) {
            let Some(shape) = shape(shapes, index) else { continue };
            let segments = shape.pattern.segments();
            let takes = segments.get(self.depth).is_some_and(|segment| match &text {
                Some(text) => shape.takes(segment, text),
                None => segment.literal().is_none(),
            });
            if takes && segments.len() > self.depth + 1 {
                open.push(index);
            } else if takes && shape.pattern.is_prefix() {
                self.done.push(index);
            }
        }
        sort(&mut self.done);
        // Without patterns, the number of segments makes no difference.
        self.depth = if open.is_empty() { 0 } else { self.depth + 1 };
        self.open = open;
    }
}

fn shape<'a>(shapes: &[Shape<'a>], index: u32) -> Option<Shape<'a>> {
    usize::try_from(index).ok().and_then(|index| shapes.get(index)).copied()
}

/// Returns the part of a literal after `text`, ignoring case.
fn rest<'l>(literal: &'l str, text: &str) -> Option<&'l str> {
    let (front, rest) = literal.split_at_checked(text.len())?;
    front.eq_ignore_ascii_case(text).then_some(rest)
}
