//! The account, the certificates and the attempts at one authority, in `state_dir`.
//!
//! Only the gateway's user can read a file with a private key, from the moment at which it is created. Files
//! are replaced as a whole. A certificate and its key are in one file, so that they always belong together.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::attempts::Attempts;
use super::error::AcmeError;
use crate::config::CertificateFiles;
use crate::oauth::certificate::Certificate;
use crate::oauth::certificate::issued::Issued;
use crate::state_file;
use crate::tls::pem_file::{PemFile, certified_key};
use crate::tls::provider;

/// The folder of one authority.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    folder: PathBuf,
}

/// The lock for ordering certificates. Of the processes with the same `state_dir`, one has it at a time.
#[derive(Debug)]
pub(crate) struct OrderLock(#[expect(dead_code, reason = "the lock ends when the file is closed")] File);

impl Storage {
    /// Returns the folder for an ACME directory. Each directory has its own folder, so that certificates of a
    /// staging environment, for example, are never served in place of others.
    pub(crate) fn new(state_dir: &Path, directory: &str) -> Self {
        let digest = Sha256::digest(directory.as_bytes());
        let short = digest.iter().take(6).fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let host = directory.split('/').nth(2).unwrap_or_default().rsplit('@').next().unwrap_or_default();
        let host: String =
            host.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
        Self { folder: state_dir.join("acme").join(format!("{host}-{short}")) }
    }

    pub(super) fn account_path(&self) -> PathBuf {
        self.folder.join("account.json")
    }

    fn attempts_path(&self) -> PathBuf {
        self.folder.join("attempts.json")
    }

    /// Returns the path of the certificate of a domain. A domain of the configuration has no `/`.
    fn certificate_path(&self, domain: &str) -> PathBuf {
        self.folder.join(format!("{domain}.pem"))
    }

    /// Returns the certificate of a domain, or `None` if none is stored.
    ///
    /// # Errors
    /// Fails if the file cannot be read, if others can read it, or if it is not a certificate for the domain.
    pub(crate) fn certificate(&self, domain: &str) -> Result<Option<(CertificateFiles, Issued)>, AcmeError> {
        let path = self.certificate_path(domain);
        if !self.is_private(&path)? {
            return Ok(None);
        }
        let issued = PemFile::read(&path).ok().and_then(|file| usable(&file, domain));
        let issued = issued.ok_or_else(|| AcmeError::Malformed(path.clone()))?;
        Ok(Some((CertificateFiles { certificate: path.clone(), key: path }, issued)))
    }

    /// Checks and stores the chain that the authority has issued, and its key. Returns the parsed
    /// certificate.
    pub(super) fn write_certificate(
        &self,
        domain: &str,
        key: &Zeroizing<String>,
        chain: &str,
        now: u64,
    ) -> Result<Issued, AcmeError> {
        let path = self.certificate_path(domain);
        let text = Zeroizing::new(format!("{}{chain}", **key));
        let file = PemFile::unwritten(&path, text);
        certified_key(&file, &file, &provider()).map_err(AcmeError::Unusable)?;
        let issued = usable(&file, domain).filter(|issued| issued.not_after > now);
        let issued = issued.ok_or(AcmeError::NotForDomain)?;
        self.write(&path, file.bytes())?;
        Ok(issued)
    }

    /// Returns the stored account.
    pub(super) fn read_account(&self) -> Result<Option<Zeroizing<String>>, AcmeError> {
        let path = self.account_path();
        if !self.is_private(&path)? {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).map_err(|error| AcmeError::File(path, error))?;
        Ok(Some(Zeroizing::new(text)))
    }

    pub(super) fn write_account(&self, text: String) -> Result<(), AcmeError> {
        self.write(&self.account_path(), Zeroizing::new(text).as_bytes())
    }

    /// Removes the account, so that the next order creates a new one.
    pub(super) fn forget_account(&self) {
        let _ = fs::remove_file(self.account_path());
    }

    /// Returns the counts of orders and failures. If the file cannot be read, the counts are 0.
    pub(crate) fn attempts(&self) -> Attempts {
        let text = fs::read(self.attempts_path()).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(super) fn write_attempts(&self, attempts: &Attempts) -> Result<(), AcmeError> {
        let path = self.attempts_path();
        let text = serde_json::to_vec(attempts).map_err(|_| AcmeError::Malformed(path.clone()))?;
        self.write(&path, &text)
    }

    /// Takes the lock for ordering, or returns `None` if another process has it.
    ///
    /// # Errors
    /// Fails if the file cannot be created.
    pub(crate) fn lock(&self) -> Result<Option<OrderLock>, AcmeError> {
        let path = self.folder.join("lock");
        let open = || {
            state_file::make_folder(&self.folder)?;
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)
        };
        let file = open().map_err(|error| AcmeError::File(path.clone(), error))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(OrderLock(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(AcmeError::File(path, error.into())),
        }
    }

    fn write(&self, path: &Path, contents: &[u8]) -> Result<(), AcmeError> {
        state_file::replace(path, contents, 0o600).map_err(|error| AcmeError::File(path.to_owned(), error))
    }

    /// Returns whether a file exists. Fails if other users have any access to it.
    fn is_private(&self, path: &Path) -> Result<bool, AcmeError> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
                Err(AcmeError::ReadableByOthers(path.to_owned()))
            }
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(AcmeError::File(path.to_owned(), error)),
        }
    }
}

/// Parses the certificate in a file. Returns `None` unless it matches its key and is for the domain.
fn usable(file: &PemFile, domain: &str) -> Option<Issued> {
    let certified = certified_key(file, file, &provider()).ok()?;
    let der = certified.cert.first()?;
    let names = Certificate::parse(der).ok()?;
    let is_named = names.dns_names().any(|name| name.eq_ignore_ascii_case(domain));
    is_named.then(|| Issued::parse(der))?
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECTORY: &str = "https://ca.test:14000/dir";

    fn pair(name: &str) -> (Zeroizing<String>, String) {
        let pair = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (Zeroizing::new(pair.signing_key.serialize_pem()), pair.cert.pem())
    }

    #[test]
    fn a_certificate_is_kept_with_its_key_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::new(folder.path(), DIRECTORY);
        assert!(storage.certificate("a.test").unwrap().is_none());
        let (key, chain) = pair("a.test");
        let issued = storage.write_certificate("a.test", &key, &chain, 1).unwrap();
        let (files, read) = storage.certificate("a.test").unwrap().unwrap();
        assert_eq!(read, issued);
        assert_eq!(fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(
            Storage::new(folder.path(), "https://ca.test:14000/staging")
                .certificate("a.test")
                .unwrap()
                .is_none()
        );
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o640)).unwrap();
        let error = storage.certificate("a.test").unwrap_err();
        assert!(matches!(&error, AcmeError::ReadableByOthers(path) if *path == files.key), "{error}");
    }

    #[test]
    fn what_the_authority_sends_is_checked_before_it_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::new(folder.path(), DIRECTORY);
        let ((key, chain), (_, other)) = (pair("a.test"), pair("a.test"));
        let write =
            |domain, chain: &str, now| storage.write_certificate(domain, &key, chain, now).unwrap_err();
        assert!(matches!(write("a.test", &other, 1), AcmeError::Unusable(_)), "another key");
        assert!(matches!(write("a.test", "nothing", 1), AcmeError::Unusable(_)));
        assert!(matches!(write("b.test", &chain, 1), AcmeError::NotForDomain));
        assert!(matches!(write("a.test", &chain, u64::MAX), AcmeError::NotForDomain), "expired");
        assert!(storage.certificate("a.test").unwrap().is_none());
        fs::create_dir_all(storage.certificate_path("a.test").parent().unwrap()).unwrap();
        state_file::replace(&storage.certificate_path("a.test"), b"torn", 0o600).unwrap();
        assert!(matches!(storage.certificate("a.test").unwrap_err(), AcmeError::Malformed(_)));
    }

    #[test]
    fn one_process_orders_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::new(folder.path(), DIRECTORY);
        let lock = storage.lock().unwrap();
        assert!(lock.is_some() && storage.lock().unwrap().is_none());
        drop(lock);
        assert!(storage.lock().unwrap().is_some());
    }
}
