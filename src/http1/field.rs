//! Header lines as spans in the buffer that they were received in.

use std::ops::Range;

use super::scan::{NONE, TOKENS, find_control, find_not_plain};
use crate::headers::{Class, ClassSet, Field};

/// The position of one header line in the buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldSpan {
    class: Class,
    disguised: bool,
    /// The line deviates from `name ":" OWS value OWS CRLF`. It is rewritten instead of copied.
    repaired: bool,
    start: u32,
    name_end: u32,
    value: u32,
    value_end: u32,
    end: u32,
}

impl FieldSpan {
    /// Returns the value. `bytes` is the buffer that the header was parsed from.
    #[inline]
    fn value_in<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.value as usize..self.value_end as usize).unwrap_or_default()
    }

    /// Returns the header. `bytes` is the buffer that it was parsed from.
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

/// The positions of the header lines of a message, and the set of their classes. One value is reused for
/// successive messages.
#[derive(Debug, Default)]
pub(crate) struct FieldSpans {
    spans: Vec<FieldSpan>,
    seen: ClassSet,
    disguised: ClassSet,
}

impl FieldSpans {
    /// Creates an empty list with capacity for this many lines.
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

    /// Returns the number of headers.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Returns the headers in their order. `bytes` is the buffer that they were parsed from.
    pub(super) fn in_bytes<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.spans.iter().map(move |field| field.in_bytes(bytes))
    }

    /// Returns the classes of the headers, without alternative spellings of a name.
    #[inline]
    pub(super) fn seen(&self) -> ClassSet {
        self.seen
    }

    /// Returns the classes that alternative spellings of a name are mistaken for.
    #[inline]
    pub(super) fn disguised(&self) -> ClassSet {
        self.disguised
    }

    /// Returns the values of the headers of this class, without alternative spellings. It scans nothing if
    /// there is no such header.
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

/// How strictly lines are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// For requests and for all trailers: deviations are refused.
    Strict,
    /// For responses: deviations that RFC 9112 tells a proxy to repair are repaired.
    Lenient,
}

/// The reason why lines are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldFault {
    BareLineFeed,
    Control,
    Name,
    SpaceBeforeColon,
    Folded,
    TooMany,
}

/// Parses header lines from `at` up to the empty line, and returns the position after it. Returns `None` if
/// the empty line has not been received yet.
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
        let field = match parse_usual_field(bytes, at, reading) {
            Some(field) => field,
            None => match parse_field(bytes, at, reading)? {
                Some(field) => field,
                None => return Ok(None),
            },
        };
        if fields.spans.len() >= most {
            return Err(FieldFault::TooMany);
        }
        at = field.end as usize;
        fields.push(field);
    }
}

/// Parses a line as nearly all senders write it: a name of letters, digits and `-`, a colon, one space, and a
/// value that neither begins nor ends with a blank. Returns `None` for any other line, which [`parse_field`]
/// decides about.
#[inline]
fn parse_usual_field(bytes: &[u8], start: usize, reading: Reading) -> Option<FieldSpan> {
    let name_end = find_not_plain(bytes, start);
    let value = name_end + 2;
    let &[b':', b' ', first] = bytes.get(name_end..)?.first_chunk()? else { return None };
    if first <= b' ' || name_end == start {
        return None;
    }
    let value_end = find_control(bytes, value);
    let &[last, b'\r', b'\n'] = bytes.get(value_end - 1..)?.first_chunk()? else { return None };
    let end = value_end + 2;
    // A response may continue on the next line.
    let continues = reading == Reading::Lenient && matches!(bytes.get(end), None | Some(b' ' | b'\t'));
    if last == b' ' || continues {
        return None;
    }
    let class = Class::of_token(bytes.get(start..name_end)?, false);
    // The size of a head always fits into 32 bits.
    let [start, name_end, value, value_end, end] =
        [start, name_end, value, value_end, end].map(|at| at as u32);
    Some(FieldSpan { class, disguised: false, repaired: false, start, name_end, value, value_end, end })
}

#[cold]
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
    // The size of a head always fits into 32 bits.
    let [start, name_end, value, value_end, end] =
        [start, name_end, value, value_end, end].map(|at| at as u32);
    Ok(Some(FieldSpan { class, disguised, repaired, start, name_end, value, value_end, end }))
}
