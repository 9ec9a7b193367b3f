//! Header lines as spans over the buffer that they came in.

use std::ops::Range;

use super::scan::{NONE, TOKENS, find_control, find_not_plain};
use crate::headers::{Class, ClassSet, Field};

/// Where one header line is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldSpan {
    class: Class,
    disguised: bool,
    /// The line is not `name ":" OWS value OWS CRLF`: it is written anew, not copied.
    repaired: bool,
    start: u32,
    name_end: u32,
    value: u32,
    value_end: u32,
    end: u32,
}

impl FieldSpan {
    /// The value in `bytes`, which the header was parsed from.
    #[inline]
    fn value_in<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.value as usize..self.value_end as usize).unwrap_or_default()
    }

    /// The header in `bytes`, which it was parsed from.
    pub(super) fn in_bytes<'a>(&self, bytes: &'a [u8]) -> Field<'a> {
        let part =
            |range: Range<u32>| bytes.get(range.start as usize..range.end as usize).unwrap_or_default();
        Field {
            class: self.class,
            disguised: self.disguised,
            repaired: self.repaired,
            name: part(self.start..self.name_end),
            value: part(self.value..self.value_end),
            line: (self.start as usize, self.end as usize),
        }
    }
}

/// Where the header lines of a message are, and which classes they have. One value is used for one message after the
/// other.
#[derive(Debug, Default)]
pub(crate) struct FieldSpans {
    spans: Vec<FieldSpan>,
    seen: ClassSet,
    disguised: ClassSet,
}

impl FieldSpans {
    /// An empty list with room for this many.
    pub(super) fn with_capacity(fields: usize) -> Self {
        Self { spans: Vec::with_capacity(fields), ..Self::default() }
    }

    fn clear(&mut self) {
        self.spans.clear();
        (self.seen, self.disguised) = (ClassSet::default(), ClassSet::default());
    }

    #[inline]
    fn push(&mut self, field: FieldSpan) {
        let classes = if field.disguised { &mut self.disguised } else { &mut self.seen };
        classes.insert(field.class);
        self.spans.push(field);
    }

    /// The headers in `bytes`, which they were parsed from, in their order.
    pub(super) fn in_bytes<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.spans.iter().map(move |field| field.in_bytes(bytes))
    }

    /// The classes that there are, other spellings left out.
    #[inline]
    pub(super) fn seen(&self) -> ClassSet {
        self.seen
    }

    /// The classes that other spellings of a name are taken for.
    #[inline]
    pub(super) fn disguised(&self) -> ClassSet {
        self.disguised
    }

    /// The values of the headers of this class, other spellings left out. Without one, nothing is looked at.
    #[inline]
    pub(super) fn values<'a>(
        &'a self,
        class: Class,
        bytes: &'a [u8],
    ) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let spans = if self.seen.has(class) { &*self.spans } else { &[] };
        spans
            .iter()
            .filter(move |field| field.class == class && !field.disguised)
            .map(move |field| field.value_in(bytes))
    }
}

/// How lines are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Of requests, and of all trailers: to the letter.
    Strict,
    /// Of responses: what RFC 9112 tells a proxy to repair is repaired.
    Lenient,
}

/// Why lines are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldFault {
    BareLineFeed,
    Control,
    Name,
    SpaceBeforeColon,
    Folded,
    TooMany,
}

/// Reads header lines from `at` up to the empty line and says where that ends. `None`: the end has not come.
pub(super) fn parse_fields(
    bytes: &[u8],
    mut at: usize,
    reading: Reading,
    most: usize,
    fields: &mut FieldSpans,
) -> Result<Option<usize>, FieldFault> {
    fields.clear();
    loop {
        match bytes.get(at) {
            None => return Ok(None),
            Some(b'\r') => {
                return match bytes.get(at + 1) {
                    None => Ok(None),
                    Some(b'\n') => Ok(Some(at + 2)),
                    Some(_) => Err(FieldFault::Control),
                };
            }
            Some(b'\n') if reading == Reading::Lenient => return Ok(Some(at + 1)),
            Some(b'\n') => return Err(FieldFault::BareLineFeed),
            Some(b' ' | b'\t') => return Err(FieldFault::Folded),
            Some(_) => {}
        }
        let Some(field) = parse_field(bytes, at, reading)? else { return Ok(None) };
        if fields.spans.len() >= most {
            return Err(FieldFault::TooMany);
        }
        at = field.end as usize;
        fields.push(field);
    }
}

#[inline]
fn parse_field(bytes: &[u8], start: usize, reading: Reading) -> Result<Option<FieldSpan>, FieldFault> {
    let mut name_end = find_not_plain(bytes, start);
    let disguised = bytes.get(name_end).is_some_and(|byte| TOKENS[usize::from(*byte)] != NONE);
    while bytes.get(name_end).is_some_and(|byte| TOKENS[usize::from(*byte)] != NONE) {
        name_end += 1;
    }
    let Some(&after_name) = bytes.get(name_end) else { return Ok(None) };
    let mut at = name_end;
    if name_end == start {
        return Err(FieldFault::Name);
    }
    let mut repaired = false;
    match after_name {
        b':' => {}
        b' ' | b'\t' if reading == Reading::Strict => return Err(FieldFault::SpaceBeforeColon),
        b' ' | b'\t' => {
            repaired = true;
            while matches!(bytes.get(at), Some(b' ' | b'\t')) {
                at += 1;
            }
            match bytes.get(at) {
                None => return Ok(None),
                Some(b':') => {}
                Some(_) => return Err(FieldFault::Name),
            }
        }
        b'\r' | b'\n' => return Err(FieldFault::Name),
        byte if byte.is_ascii_control() => return Err(FieldFault::Control),
        _ => return Err(FieldFault::Name),
    }
    at += 1;
    while matches!(bytes.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    let mut value = at;
    let (mut value_end, end) = loop {
        at = find_control(bytes, at);
        let (line_end, next) = match bytes.get(at) {
            None => return Ok(None),
            Some(b'\t') => {
                at += 1;
                continue;
            }
            Some(b'\r') => match bytes.get(at + 1) {
                None => return Ok(None),
                Some(b'\n') => (at, at + 2),
                Some(_) => return Err(FieldFault::Control),
            },
            Some(b'\n') if reading == Reading::Lenient => {
                repaired = true;
                (at, at + 1)
            }
            Some(b'\n') => return Err(FieldFault::BareLineFeed),
            Some(_) => return Err(FieldFault::Control),
        };
        if reading == Reading::Strict {
            break (line_end, next);
        }
        match bytes.get(next) {
            None => return Ok(None),
            Some(b' ' | b'\t') => {
                repaired = true;
                at = next;
            }
            Some(_) => break (line_end, next),
        }
    };
    let blank = |at: usize| {
        matches!(bytes.get(at), Some(b' ' | b'\t'))
            || repaired && matches!(bytes.get(at), Some(b'\r' | b'\n'))
    };
    while value < value_end && blank(value) {
        value += 1;
    }
    while value < value_end && blank(value_end - 1) {
        value_end -= 1;
    }
    let class = Class::of_token(bytes.get(start..name_end).unwrap_or_default(), disguised);
    // A head is never longer than 32 bits can say.
    let [start, name_end, value, value_end, end] =
        [start, name_end, value, value_end, end].map(|at| at as u32);
    Ok(Some(FieldSpan { class, disguised, repaired, start, name_end, value, value_end, end }))
}
