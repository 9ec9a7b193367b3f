//! The link that creates the first user of the console, or resets a lost password.
//!
//! A process that can write to the state folder of the gateway can make a link: the gateway itself, on a
//! terminal, and `tollgate admin link`. The file contains a digest of the code, so reading the file is not
//! enough to use the link.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::state_file;

/// The lifetime of a link.
pub(crate) const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// The number of wrong codes after which a link ends.
const MOST_WRONG: u32 = 5;
/// The mode of the files: for this user alone.
const MODE: u32 = 0o600;

/// The stored part of a link.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The digest of the code, in base64url.
    digest: String,
    /// The expiry of the link, in seconds since 1970.
    expires: u64,
    /// The number of wrong codes so far.
    wrong: u32,
}

/// The code of a link. It is shown once.
pub(crate) struct Code(Zeroizing<String>);

impl Code {
    /// Returns the code, for the URL.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(redacted)")
    }
}

/// The links of a gateway. Only the most recent one is valid.
#[derive(Debug, Clone)]
pub(crate) struct SetupLinks(PathBuf);

impl SetupLinks {
    /// Returns the links of the gateway with this state folder.
    pub(crate) fn of(state_dir: &Path) -> Self {
        Self(state_dir.join("admin").join("setup.json"))
    }

    /// Makes a link. Earlier links become invalid.
    ///
    /// # Errors
    /// Fails if the file cannot be written, or if the system gives no random bytes.
    pub(crate) fn make(&self, now: SystemTime) -> io::Result<Code> {
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *random).map_err(io::Error::other)?;
        let code = Code(Zeroizing::new(URL_SAFE_NO_PAD.encode(*random)));
        let expires = seconds(now).saturating_add(LIFETIME.as_secs());
        self.keep(&Kept { digest: digest(code.expose()), expires, wrong: 0 })?;
        Ok(code)
    }

    /// Returns whether a code belongs to the link. Wrong codes are counted, and too many of them end the
    /// link.
    ///
    /// # Errors
    /// Fails if the file cannot be read or written.
    pub(crate) fn accepts(&self, code: &str, now: SystemTime) -> io::Result<bool> {
        let Some(kept) = self.kept()? else { return Ok(false) };
        if seconds(now) >= kept.expires {
            self.end()?;
            return Ok(false);
        }
        if bool::from(digest(code).as_bytes().ct_eq(kept.digest.as_bytes())) {
            return Ok(true);
        }
        match kept.wrong + 1 {
            wrong if wrong >= MOST_WRONG => self.end()?,
            wrong => self.keep(&Kept { wrong, ..kept })?,
        }
        Ok(false)
    }

    /// Ends the link after it was used.
    ///
    /// # Errors
    /// Fails if the file cannot be removed.
    pub(crate) fn end(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn kept(&self) -> io::Result<Option<Kept>> {
        match fs::read(&self.0) {
            // A file with other content is not a link.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn keep(&self, kept: &Kept) -> io::Result<()> {
        state_file::replace(&self.0, &serde_json::to_vec(kept)?, MODE)
    }
}

fn digest(code: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(code))
}

fn seconds(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Returns the URL of a link.
pub(crate) fn url(console: &str, code: &Code) -> String {
    format!("{console}/setup?code={}", code.expose())
}

/// Writes the URL of the console for commands on the same machine, because the port may be chosen by the
/// system.
///
/// # Errors
/// Fails if the file cannot be written.
pub(crate) fn keep_url(state_dir: &Path, url: &str) -> io::Result<()> {
    state_file::replace(&url_file(state_dir), url.as_bytes(), MODE)
}

/// Returns the URL of the console of the gateway that was started most recently.
pub(crate) fn kept_url(state_dir: &Path) -> Option<String> {
    let url = fs::read_to_string(url_file(state_dir)).ok()?;
    url.starts_with("http").then(|| url.trim().to_owned())
}

fn url_file(state_dir: &Path) -> PathBuf {
    state_dir.join("admin").join("url")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_works_once_and_until_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let (links, now) = (SetupLinks::of(folder.path()), UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        assert!(!links.accepts("anything", now).unwrap(), "there is none");
        let first = links.make(now).unwrap();
        let code = links.make(now).unwrap();
        assert!(!links.accepts(first.expose(), now).unwrap(), "a later link ends it");
        assert!(links.accepts(code.expose(), now + LIFETIME - Duration::from_secs(1)).unwrap());
        assert!(links.accepts(code.expose(), now).unwrap(), "a check does not use it up");
        let kept = fs::read_to_string(folder.path().join("admin/setup.json")).unwrap();
        assert!(!kept.contains(code.expose()), "{kept}");
        links.end().unwrap();
        assert!(!links.accepts(code.expose(), now).unwrap());
        let code = links.make(now).unwrap();
        assert!(!links.accepts(code.expose(), now + LIFETIME).unwrap());
        assert!(!links.accepts(code.expose(), now).unwrap(), "it does not come back");
        assert_eq!(format!("{code:?}"), "Code(redacted)");
    }

    #[test]
    fn five_wrong_codes_end_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (links, now) = (SetupLinks::of(folder.path()), UNIX_EPOCH);
        let code = links.make(now).unwrap();
        for _ in 0..4 {
            assert!(!links.accepts("wrong", now).unwrap());
        }
        assert!(links.accepts(code.expose(), now).unwrap());
        assert!(!links.accepts("wrong", now).unwrap());
        assert!(!links.accepts(code.expose(), now).unwrap());
    }
}
