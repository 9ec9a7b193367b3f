//! Reading a JSON document that this program has written.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::{error, fmt};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The maximum size of a document. Everything that is written into one is bounded, and stays below it.
const MAX_SIZE: u64 = 64 << 20;

/// The reason why a document cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum DocumentError {
    /// The system refuses to read it.
    Unreadable(io::Error),
    /// It is not a regular file, or too large.
    Strange,
    /// Its content was not written by this program.
    Malformed(serde_json::Error),
    /// Another version of this program wrote it.
    Version(u32),
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read ({error})"),
            Self::Strange => f.write_str("is not a file of this program"),
            Self::Malformed(error) => write!(f, "is not what this program writes ({error})"),
            Self::Version(version) => write!(f, "was written by another version of this program ({version})"),
        }
    }
}

impl error::Error for DocumentError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            Self::Malformed(error) => Some(error),
            Self::Strange | Self::Version(_) => None,
        }
    }
}

/// The part of a document that all versions have.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Reads a document of this version. Returns `None` if the file does not exist.
///
/// # Errors
/// Fails if the file cannot be read, or was not written by this version of the program.
pub(crate) fn read_document<T: DeserializeOwned>(
    path: &Path,
    version: u32,
) -> Result<Option<T>, DocumentError> {
    let metadata = match fs::metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        metadata => metadata.map_err(DocumentError::Unreadable)?,
    };
    // Opening a named pipe would wait for a writer.
    if !metadata.is_file() {
        return Err(DocumentError::Strange);
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(DocumentError::Unreadable)?;
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(DocumentError::Unreadable)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(DocumentError::Strange);
    }
    let Version { version: written } = serde_json::from_slice(&bytes).map_err(DocumentError::Malformed)?;
    if written != version {
        return Err(DocumentError::Version(written));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(DocumentError::Malformed)
}
