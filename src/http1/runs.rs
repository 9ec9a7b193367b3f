//! Copies the header lines that are forwarded, in as few pieces as possible.

use std::ops::Range;

use http::HeaderName;

use crate::headers::{Field, FixedHeader, HeaderSink, OwnHeader};

/// Copies lines from the buffer of a head to `out`. Adjacent lines are copied together.
#[derive(Debug)]
pub(crate) struct Runs<'a> {
    source: &'a [u8],
    /// The current run of lines, which has not been copied yet.
    run: (usize, usize),
    out: &'a mut Vec<u8>,
}

impl<'a> Runs<'a> {
    /// Creates a copier. `source` is the buffer of the head.
    pub(crate) fn new(source: &'a [u8], out: &'a mut Vec<u8>) -> Self {
        Self { source, run: (0, 0), out }
    }

    #[inline]
    fn flush(&mut self) {
        let (start, end) = std::mem::take(&mut self.run);
        if start == end {
            return;
        }
        self.out.extend_from_slice(self.source.get(start..end).unwrap_or_default());
    }

    #[cold]
    fn keep_repaired(&mut self, field: &Field<'_>) {
        self.flush();
        field.write(self.out);
    }

    /// Adds the first line, which is copied unchanged.
    pub(crate) fn begin(&mut self, line: Range<usize>) {
        self.run = (line.start, line.end);
    }

    /// Copies the remaining lines, and returns the output so that the caller can append more lines.
    pub(crate) fn finish(&mut self) -> &mut Vec<u8> {
        self.flush();
        self.out
    }
}

impl HeaderSink for Runs<'_> {
    #[inline]
    fn keep(&mut self, field: &Field<'_>) {
        if field.repaired {
            return self.keep_repaired(field);
        }
        let (start, end) = field.line;
        if start != self.run.1 {
            self.flush();
            self.run.0 = start;
        }
        self.run.1 = end;
    }

    fn add(&mut self, name: &HeaderName, value: &[u8]) {
        self.finish().add(name, value);
    }

    #[inline(always)]
    fn state(&mut self, header: &'static OwnHeader, value: &[u8]) {
        self.finish().state(header, value);
    }

    #[inline(always)]
    fn state_fixed(&mut self, header: &'static FixedHeader) {
        self.finish().state_fixed(header);
    }
}
