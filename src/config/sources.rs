//! The texts that a configuration is read from, and the positions in them.

use std::path::Path;

use super::{error::Position, include::Included};

/// The main file and the files that it includes. Their texts are numbered through: a byte of any of them has
/// one number.
pub(super) struct Sources<'a>(Vec<Source<'a>>);

struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    /// The number of the first byte.
    base: usize,
    line_starts: Vec<usize>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(main: &'a Path, text: &'a str, included: &'a [Included]) -> Self {
        let main = Source::new(main, text, 0);
        let included = included.iter().map(|file| Source::new(&file.path, &file.text, file.base));
        Self(std::iter::once(main).chain(included).collect())
    }

    /// Returns the position of a byte.
    pub(super) fn position(&self, at: usize) -> Position {
        let file = self.0.partition_point(|source| source.base <= at).saturating_sub(1);
        let position = self.0.get(file).map(|source| source.position(at - source.base)).unwrap_or_default();
        Position { file: u32::try_from(file).unwrap_or(u32::MAX), ..position }
    }

    /// Returns the path of the file that a position is in, as errors show it.
    pub(super) fn path(&self, position: Position) -> &'a Path {
        let source = self.0.get(position.file_index()).or(self.0.first());
        source.map_or(Path::new(""), |source| source.path)
    }
}

impl<'a> Source<'a> {
    fn new(path: &'a Path, text: &'a str, base: usize) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { path, text, base, line_starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    fn position(&self, at: usize) -> Position {
        let at = at.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = self.line_starts.get(line.wrapping_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..at).map_or(at - start, |before| before.chars().count()) + 1;
        Position::new(saturate(line), saturate(column))
    }
}

fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
