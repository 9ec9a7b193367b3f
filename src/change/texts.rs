//! The texts of the files of a configuration.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::config::included_files;

/// The maximum size of a configuration.
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
    /// Reads a configuration file, and the included files that can be read.
    ///
    /// # Errors
    /// Fails if the main file cannot be read, or is not UTF-8.
    pub(crate) fn read(main: &Path) -> io::Result<Self> {
        let mut texts = vec![(main.to_owned(), read(main)?)];
        for path in included_files(main) {
            if let Ok(text) = read(&path) {
                texts.push((path, text));
            }
        }
        Ok(Self(texts))
    }

    /// Combines a main file with its included files.
    pub(crate) fn new(texts: Vec<(PathBuf, String)>) -> Self {
        Self(texts)
    }

    /// Combines texts whose files have the names of [`named`](Self::named).
    pub(crate) fn from_named(main: &Path, texts: Vec<(PathBuf, String)>) -> Self {
        let resolved = |(at, (name, text)): (usize, (PathBuf, String))| {
            let path = match folder(main) {
                _ if at == 0 => main.to_owned(),
                None => name,
                Some(folder) => folder.join(name),
            };
            (path, text)
        };
        Self(texts.into_iter().enumerate().map(resolved).collect())
    }

    /// Returns the texts with the names of their files. A name is relative to the folder of the main file, so
    /// that it does not depend on the working directory of the process.
    pub(crate) fn named(&self) -> Vec<(PathBuf, String)> {
        self.iter().map(|(path, text)| (self.name(path), text.to_owned())).collect()
    }

    /// Returns the name of a file.
    pub(crate) fn name(&self, path: &Path) -> PathBuf {
        let main = self.main_path();
        if path == main {
            return main.file_name().map(PathBuf::from).unwrap_or_default();
        }
        let inside = folder(main).and_then(|folder| path.strip_prefix(folder).ok());
        inside.unwrap_or(path).to_owned()
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

    /// Returns the SHA-256 of the main file in hexadecimal digits. If there are included files, it covers
    /// their names and texts too.
    pub(crate) fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (at, (path, text)) in self.iter().enumerate() {
            if at > 0 {
                // A byte that no TOML file contains separates the parts.
                hash.update([0]);
                hash.update(self.name(path).to_string_lossy().as_bytes());
                hash.update([0]);
            }
            hash.update(text.as_bytes());
        }
        hex(&hash.finalize())
    }
}

/// Returns the folder of a file. `None` means the working directory.
fn folder(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty() && *folder != Path::new("."))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_depend_on_the_folder_of_the_process() {
        let names = |main: &str, other: &str| {
            let texts = Texts::new(vec![(main.into(), "a".to_owned()), (other.into(), "b".to_owned())]);
            let again = Texts::from_named(Path::new(main), texts.named());
            assert_eq!(again, texts);
            (texts.named().into_iter().map(|(name, _)| name).collect::<Vec<_>>(), texts.hash())
        };
        let here = names("gateway.toml", "conf.d/1.toml");
        assert_eq!(here.0, [Path::new("gateway.toml"), Path::new("conf.d/1.toml")]);
        assert_eq!(names("/etc/t/gateway.toml", "/etc/t/conf.d/1.toml"), here);
        assert_eq!(names("./gateway.toml", "conf.d/1.toml"), here);
        assert_eq!(names("t/gateway.toml", "/else/1.toml").0[1], Path::new("/else/1.toml"));
    }
}
