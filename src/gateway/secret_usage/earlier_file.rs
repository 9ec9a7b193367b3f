//! Reads `secrets.json`, in which earlier versions recorded the use of secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

use super::entry::Entry;
use crate::gate::SeenSecret;
use crate::state_file::{DocumentError, read_document};

const NAME: &str = "secrets.json";
/// The supported version of the file.
const VERSION: u32 = 1;

#[derive(Deserialize)]
struct Document {
    /// The entries by client id and secret id.
    clients: BTreeMap<String, BTreeMap<String, Entry>>,
}

/// The location of the file.
#[derive(Debug, Clone)]
pub(super) struct EarlierFile {
    path: PathBuf,
}

impl EarlierFile {
    pub(super) fn in_folder(state_dir: &Path) -> Self {
        Self { path: state_dir.join(NAME) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the content of the file, or `None` if the file does not exist.
    pub(super) fn read(&self) -> Result<Option<Vec<SeenSecret>>, DocumentError> {
        let Some(document) = read_document::<Document>(&self.path, VERSION)? else { return Ok(None) };
        let mut seen = Vec::new();
        for (client_id, secrets) in document.clients {
            seen.extend(secrets.into_iter().map(|(id, entry)| entry.seen(&client_id, &id)));
        }
        Ok(Some(seen))
    }

    /// Renames the file, so that it is not read again. Returns its new path.
    pub(super) fn rename(&self, extension: &str) -> io::Result<PathBuf> {
        let to = self.path.with_extension(extension);
        fs::rename(&self.path, &to)?;
        Ok(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_an_earlier_version_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = EarlierFile::in_folder(dir.path());
        assert!(file.read().unwrap().is_none());
        assert!(EarlierFile::in_folder(&dir.path().join("not/there")).read().unwrap().is_none());
        let text = r#"{"version": 1, "clients": {"a": {"old": {"fingerprint": "00ff", "since": 10, "count": 3,
            "last_used": 20, "last_address": "2001:db8::1", "refused_count": 1, "last_refused": 30,
            "last_refused_address": "10.0.0.7"}}}}"#;
        fs::write(file.path(), text).unwrap();
        let seen = file.read().unwrap().unwrap();
        assert_eq!((&*seen[0].client_id, &*seen[0].id, &*seen[0].fingerprint), ("a", "old", "00ff"));
        assert_eq!((seen[0].usage.count, seen[0].usage.last_refused_address), (3, "10.0.0.7".parse().ok()));
        assert_eq!(Entry::of(&seen[0]).seen("a", "old"), seen[0]);
        assert!(file.rename("json.imported").unwrap().exists());
        assert!(file.read().unwrap().is_none());
    }

    #[test]
    fn a_foreign_file_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let file = EarlierFile::in_folder(dir.path());
        for (text, said) in [
            ("", "EOF"),
            ("{", "EOF"),
            ("[1]", "not what this program writes"),
            ("{\"version\": 2, \"clients\": []}", "another version of this program (2)"),
            ("{\"version\": 1, \"clients\": {\"a\": 1}}", "not what this program writes"),
            (
                "{\"version\": 1, \"clients\": {\"a\": {\"x\": {\"count\": -1}}}}",
                "not what this program writes",
            ),
        ] {
            fs::write(file.path(), text).unwrap();
            let error = file.read().unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains('\n'), "{text}: {error}");
        }
        fs::remove_file(file.path()).unwrap();
        fs::create_dir(file.path()).unwrap();
        assert!(matches!(file.read(), Err(DocumentError::Strange)));
    }
}
