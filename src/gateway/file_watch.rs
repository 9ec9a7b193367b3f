//! Detects changes of files.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The state of gateway.toml and of the files that it names at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    main: Look,
    others: Vec<Look>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    path: PathBuf,
    /// `None` if the file does not exist.
    seen: Option<Seen>,
}

/// The attributes by which a file differs from its predecessor. Symbolic links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    modified: Option<SystemTime>,
    length: u64,
    device: u64,
    inode: u64,
}

impl Look {
    fn at(path: &Path) -> Self {
        let seen = fs::metadata(path).ok().map(|metadata| Seen {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            device: metadata.dev(),
            inode: metadata.ino(),
        });
        Self { path: path.to_owned(), seen }
    }
}

impl Watched {
    pub(crate) fn new(main: &Path, others: &[PathBuf]) -> Self {
        Self { main: Look::at(main), others: others.iter().map(|path| Look::at(path)).collect() }
    }

    /// Returns the path of gateway.toml.
    pub(crate) fn path(&self) -> &Path {
        &self.main.path
    }

    /// Returns whether gateway.toml exists and is not empty. A program that writes a file in place empties it
    /// first, and may take long to write the rest.
    pub(crate) fn has_main(&self) -> bool {
        self.main.seen.as_ref().is_some_and(|seen| seen.length > 0)
    }

    /// Returns the present state of the same files.
    pub(crate) fn look(&self) -> Self {
        Self {
            main: Look::at(&self.main.path),
            others: self.others.iter().map(|other| Look::at(&other.path)).collect(),
        }
    }

    /// Adds these files to the watched ones.
    pub(crate) fn follow_also(&mut self, others: &[PathBuf]) {
        for path in others {
            if !self.others.iter().any(|look| look.path == *path) {
                self.others.push(Look::at(path));
            }
        }
    }

    /// Records the present state.
    pub(crate) fn look_again(&mut self) {
        *self = self.look();
    }

    /// Watches gateway.toml and these files. Files that were watched before keep their recorded state.
    pub(crate) fn follow(&mut self, others: &[PathBuf]) {
        let known = std::mem::take(&mut self.others);
        let look = |path: &PathBuf| {
            known.iter().find(|look| look.path == *path).cloned().unwrap_or_else(|| Look::at(path))
        };
        self.others = others.iter().map(look).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_file_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["main", "other", "aside"] {
            fs::write(at(name), "1").unwrap();
        }
        let mut watched = Watched::new(&at("main"), &[at("other")]);
        let changed = |watched: &mut Watched| {
            let now = watched.look();
            std::mem::replace(watched, now.clone()) != now
        };
        assert!(!changed(&mut watched));
        fs::write(at("main"), "22").unwrap();
        assert!(changed(&mut watched));
        fs::rename(at("aside"), at("other")).unwrap();
        assert!(changed(&mut watched), "the new file has the same length");
        fs::remove_file(at("other")).unwrap();
        std::os::unix::fs::symlink(at("main"), at("other")).unwrap();
        assert!(changed(&mut watched) && watched.has_main());
        fs::write(at("main"), "").unwrap();
        assert!(changed(&mut watched) && !watched.has_main());
        fs::remove_file(at("main")).unwrap();
        assert!(changed(&mut watched) && !watched.has_main());

        watched.follow(&[at("third"), at("other")]);
        assert!(!changed(&mut watched));
        fs::write(at("third"), "").unwrap();
        assert!(changed(&mut watched));
        watched.follow(&[]);
        fs::write(at("third"), "3").unwrap();
        assert!(!changed(&mut watched));
    }
}
