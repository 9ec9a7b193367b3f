//! The sources of secret values.

use std::{io::Read, path::Path};

use zeroize::Zeroizing;

use crate::oauth::secret::Secret;

/// The source of a secret, as the file names it.
pub(super) enum Source<'a> {
    /// In the file itself.
    Literal(&'a str),
    /// In an environment variable.
    Environment,
    /// In another file.
    File(&'a str),
}

impl<'a> Source<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        if text.starts_with("env:") {
            Self::Environment
        } else if let Some(path) = text.strip_prefix("file:") {
            Self::File(path)
        } else {
            Self::Literal(text)
        }
    }
}

/// The largest secret file that is read.
const MAX_FILE: u64 = 64 << 10;

/// Reads a secret from a file, without the line breaks at its end, which editors add.
pub(super) fn read_file(path: &Path) -> std::io::Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it is larger than 64 KiB"));
    }
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}
