//! The file that records the use of secrets across restarts.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{error, fmt};

use serde::{Deserialize, Serialize};

use crate::gate::{SecretUsage, SeenSecret};
use crate::state_file;

const NAME: &str = "secrets.json";
/// The version that this program writes and reads.
const VERSION: u32 = 1;
/// The largest file that is read. No configuration has so many secrets.
const MAX_SIZE: u64 = 64 << 20;

/// Why the file cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum UsageFileError {
    /// The file does not exist.
    Missing,
    /// The system refuses to read it.
    Unreadable(io::Error),
    /// It is not a regular file, or too large.
    Strange,
    /// Its content is not what this program writes.
    Malformed(serde_json::Error),
    /// Another version of this program wrote it.
    Version(u32),
}

impl fmt::Display for UsageFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("does not exist"),
            Self::Unreadable(error) => write!(f, "cannot be read ({error})"),
            Self::Strange => f.write_str("is not a file of this program"),
            Self::Malformed(error) => write!(f, "is not what this program writes ({error})"),
            Self::Version(version) => write!(f, "was written by another version of this program ({version})"),
        }
    }
}

impl error::Error for UsageFileError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            Self::Malformed(error) => Some(error),
            Self::Missing | Self::Strange | Self::Version(_) => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    /// By client id and secret id.
    clients: BTreeMap<String, BTreeMap<String, Entry>>,
}

/// The part of a document that all versions have.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Times are seconds since the Unix epoch.
#[derive(Serialize, Deserialize)]
struct Entry {
    fingerprint: String,
    since: u64,
    count: u64,
    last_used: Option<u64>,
    last_address: Option<IpAddr>,
    refused_count: u64,
    last_refused: Option<u64>,
    last_refused_address: Option<IpAddr>,
}

impl Entry {
    fn of(secret: &SeenSecret) -> Self {
        let usage = &secret.usage;
        let seconds = |time: Duration| time.as_secs();
        Self {
            fingerprint: secret.fingerprint.to_string(),
            since: usage.since.as_secs(),
            count: usage.count,
            last_used: usage.last_used.map(seconds),
            last_address: usage.last_address,
            refused_count: usage.refused_count,
            last_refused: usage.last_refused.map(seconds),
            last_refused_address: usage.last_refused_address,
        }
    }

    fn seen(self, client_id: &str, id: String) -> SeenSecret {
        let mut usage = SecretUsage::counted_since(Duration::from_secs(self.since));
        usage.count = self.count;
        usage.last_used = self.last_used.map(Duration::from_secs);
        usage.last_address = self.last_address;
        usage.refused_count = self.refused_count;
        usage.last_refused = self.last_refused.map(Duration::from_secs);
        usage.last_refused_address = self.last_refused_address;
        SeenSecret::new(client_id, id, self.fingerprint, usage)
    }
}

/// The location of the file.
#[derive(Debug, Clone)]
pub(crate) struct UsageFile {
    path: PathBuf,
}

impl UsageFile {
    pub(crate) fn in_folder(state_dir: &Path) -> Self {
        Self { path: state_dir.join(NAME) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn read(&self) -> Result<Vec<SeenSecret>, UsageFileError> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => UsageFileError::Missing,
            _ => UsageFileError::Unreadable(error),
        };
        // Opening a named pipe would wait for a writer.
        if !fs::metadata(&self.path).map_err(unreadable)?.is_file() {
            return Err(UsageFileError::Strange);
        }
        let mut bytes = Vec::new();
        let file = File::open(&self.path).map_err(unreadable)?;
        file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(UsageFileError::Strange);
        }
        let Version { version } = serde_json::from_slice(&bytes).map_err(UsageFileError::Malformed)?;
        if version != VERSION {
            return Err(UsageFileError::Version(version));
        }
        let document: Document = serde_json::from_slice(&bytes).map_err(UsageFileError::Malformed)?;
        let mut seen = Vec::new();
        for (client_id, secrets) in document.clients {
            seen.extend(secrets.into_iter().map(|(id, entry)| entry.seen(&client_id, id)));
        }
        Ok(seen)
    }

    /// Replaces the content of the file.
    pub(crate) fn write(&self, seen: &[SeenSecret]) -> io::Result<()> {
        let mut document = Document { version: VERSION, clients: BTreeMap::new() };
        for secret in seen {
            let client = document.clients.entry(secret.client_id.clone()).or_default();
            client.insert(secret.id.clone(), Entry::of(secret));
        }
        let mut text = serde_json::to_vec_pretty(&document)?;
        text.push(b'\n');
        state_file::replace(&self.path, &text, 0o600)
    }

    /// Renames whatever is at the path. Returns the new path.
    pub(crate) fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = self.path.with_extension("json.unread");
        fs::rename(&self.path, &aside)?;
        Ok(aside)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn seen() -> Vec<SeenSecret> {
        let mut usage = SecretUsage::counted_since(Duration::from_secs(10));
        let never = SeenSecret::new("a", "new", "00ff", usage);
        usage.count = u64::MAX;
        usage.last_used = Some(Duration::from_secs(20));
        usage.last_address = "2001:db8::1".parse().ok();
        usage.refused_count = 3;
        usage.last_refused = Some(Duration::from_secs(30));
        usage.last_refused_address = "10.0.0.7".parse().ok();
        vec![
            never,
            SeenSecret::new("a", "old \"quoted\"", "00fe", usage),
            SeenSecret::new("b c", "1", "", usage),
        ]
    }

    #[test]
    fn written_records_are_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = UsageFile::in_folder(&dir.path().join("new/state"));
        assert!(matches!(file.read(), Err(UsageFileError::Missing)));
        file.write(&seen()).unwrap();
        assert_eq!(file.read().unwrap(), seen());
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        file.write(&seen()[..1]).unwrap();
        assert_eq!(file.read().unwrap(), seen()[..1], "removed records are gone");
        assert_eq!(fs::read_dir(file.path().parent().unwrap()).unwrap().count(), 1, "no other file is left");
    }

    #[test]
    fn a_foreign_file_is_reported_and_renamed() {
        let dir = tempfile::tempdir().unwrap();
        let file = UsageFile::in_folder(dir.path());
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
        let aside = file.set_aside().unwrap();
        assert!(aside.exists() && !file.path().exists());
        fs::create_dir(file.path()).unwrap();
        assert!(matches!(file.read(), Err(UsageFileError::Strange)));
    }
}
