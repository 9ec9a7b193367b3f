//! What is going on, on the standard error: one line that is written anew on a terminal, else a line for each part.

use std::io::{self, IsTerminal as _, Write as _};

/// Clears what the line had before.
const AFRESH: &str = "\r\x1b[K";

pub(super) struct Progress {
    terminal: bool,
    part: usize,
    parts: usize,
    shown: bool,
}

impl Progress {
    pub(super) fn new(parts: usize) -> Self {
        Self { terminal: io::stderr().is_terminal(), part: 0, parts, shown: false }
    }

    pub(super) fn begin(&mut self) {
        self.part += 1;
    }

    /// What happens now; on a terminal only.
    pub(super) fn now(&mut self, text: &str) {
        if self.terminal {
            let _ = write!(io::stderr().lock(), "{AFRESH}[{}/{}] {text}", self.part, self.parts);
            self.shown = true;
        }
    }

    /// What came of it; only where lines stay.
    pub(super) fn done(&mut self, text: &str) {
        if !self.terminal {
            let _ = writeln!(io::stderr().lock(), "[{}/{}] {text}", self.part, self.parts);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "{AFRESH}");
        }
    }
}
