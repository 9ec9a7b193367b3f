//! The texts that a configuration consists of.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::config::included_files;

/// The largest configuration that is read.
const MAX_SIZE: u64 = 64 << 20;

/// The text of a configuration file, and those of the files that it includes. They may contain secrets.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Texts(Vec<(PathBuf, String)>);

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(path, _)| path)).finish()
    }
}

impl Texts {
    /// Reads a configuration file, and those that it includes as far as they can be read.
    ///
    /// # Errors
    /// The main file cannot be read, or is not UTF-8.
    pub(crate) fn read(main: &Path) -> io::Result<Self> {
        let mut texts = vec![(main.to_owned(), read(main)?)];
        for path in included_files(main) {
            if let Ok(text) = read(&path) {
                texts.push((path, text));
            }
        }
        Ok(Self(texts))
    }

    /// Combines a main file with those that it includes.
    pub(crate) fn new(texts: Vec<(PathBuf, String)>) -> Self {
        Self(texts)
    }

    /// Iterates over the files, the main one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.0.iter().map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// Returns the files.
    pub(crate) fn files(&self) -> &[(PathBuf, String)] {
        &self.0
    }

    /// Returns the path of the main file.
    pub(crate) fn main_path(&self) -> &Path {
        self.0.first().map_or(Path::new(""), |(path, _)| path)
    }

    /// Returns the text of the main file.
    pub(crate) fn main(&self) -> &str {
        self.0.first().map_or("", |(_, text)| text)
    }

    /// Returns the text of a file.
    pub(crate) fn of(&self, path: &Path) -> Option<&str> {
        self.iter().find(|(known, _)| *known == path).map(|(_, text)| text)
    }

    /// Returns the files whose texts differ from those of `before`, each with the text before and after.
    pub(crate) fn changed<'t>(&'t self, before: &'t Self) -> Vec<(&'t Path, &'t str, &'t str)> {
        let pair = |(path, text)| Some((path, before.of(path)?, text)).filter(|(_, old, new)| old != new);
        self.iter().filter_map(pair).collect()
    }

    /// Returns the SHA-256 of the main file in hexadecimal digits. If there are included files, it covers their names
    /// and texts too.
    pub(crate) fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (at, (path, text)) in self.iter().enumerate() {
            if at > 0 {
                // A byte that no TOML file contains keeps the parts apart.
                hash.update([0]);
                hash.update(path.to_string_lossy().as_bytes());
                hash.update([0]);
            }
            hash.update(text.as_bytes());
        }
        hex(&hash.finalize())
    }
}

/// Returns bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_SIZE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 64 MiB"));
    }
    Ok(text)
}
