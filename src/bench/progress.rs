//! The progress on standard error: one line that is rewritten on a terminal, or else one line for each part.

use std::io::{self, IsTerminal as _, Write as _};

/// Clears the line.
const CLEAR_LINE: &str = "\r\x1b[K";

pub(crate) struct Progress {
    terminal: bool,
    part: usize,
    parts: usize,
    shown: bool,
}

impl Progress {
    pub(crate) fn new(parts: usize) -> Self {
        Self { terminal: io::stderr().is_terminal(), part: 0, parts, shown: false }
    }

    pub(crate) fn begin(&mut self) {
        self.part += 1;
    }

    /// Shows what happens now, on a terminal only.
    pub(crate) fn now(&mut self, text: &str) {
        if self.terminal {
            let _ = write!(io::stderr().lock(), "{CLEAR_LINE}[{}/{}] {text}", self.part, self.parts);
            self.shown = true;
        }
    }

    /// Reports the result of a part, where lines stay.
    pub(crate) fn done(&mut self, text: &str) {
        if !self.terminal {
            let _ = writeln!(io::stderr().lock(), "[{}/{}] {text}", self.part, self.parts);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "{CLEAR_LINE}");
        }
    }
}
