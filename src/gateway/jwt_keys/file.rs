//! The file with the keys that the gateway has made.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::schedule::{Schedule, Times};
use crate::gate::jwt::{SigningKey, SigningKeyError};
use crate::json::parse_text;
use crate::state_file;

/// The name of the file in `state_dir`.
const NAME: &str = "jwt-keys.json";
const LOCK: &str = "jwt-keys.lock";
const VERSION: u32 = 1;
/// The largest file that is read. It has room for more than a thousand keys.
const MAX_SIZE: u64 = 1 << 20;

/// A key in the file.
#[derive(Debug, Clone)]
pub(crate) struct KeptKey {
    pub(crate) key: Arc<SigningKey>,
    pub(crate) times: Times,
    /// When it was made, in seconds since 1970.
    pub(crate) created: u64,
    document: Zeroizing<Vec<u8>>,
}

/// Why the file cannot be used.
#[derive(Debug)]
pub(crate) enum KeyFileError {
    /// It cannot be read or written.
    Io(PathBuf, io::Error),
    /// Others can read it.
    ReadableByOthers(PathBuf),
    /// Its contents are not in the form that a gateway writes.
    Damaged(PathBuf, String),
    /// A key cannot be made.
    Key(SigningKeyError),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(
                f,
                "the keys that sign JWTs cannot be kept in {} ({error}): set server.state_dir to a folder that the \
                 gateway can write, or name keys in token_service.jwt.keys",
                path.display()
            ),
            Self::ReadableByOthers(path) => write!(
                f,
                "{0} has the keys that sign JWTs, and other users can read it: chmod 600 {0}, and replace the keys with \
                 `tollgate keys rotate --now --discard-old`",
                path.display()
            ),
            Self::Damaged(path, problem) => write!(
                f,
                "{} is not as the gateway has written it ({problem}): restore it, or remove it for new keys, which \
                 upstreams have to fetch before they accept JWTs again",
                path.display()
            ),
            Self::Key(error) => write!(f, "a key that signs JWTs {error}"),
        }
    }
}

impl std::error::Error for KeyFileError {}

/// The attributes by which a file differs from its predecessor.
pub(crate) type Seen = (Option<SystemTime>, u64, u64);

/// The keys in a folder.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    keys: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kid: String,
    alg: String,
    created: u64,
    signs_from: u64,
    lifetime: u64,
    pkcs8: String,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.pkcs8.zeroize();
    }
}

impl KeptKey {
    /// Makes a key.
    pub(crate) fn generate(schedule: &Schedule, now: u64, signs_from: u64) -> Result<Self, KeyFileError> {
        let document = SigningKey::generate(schedule.algorithm).map_err(KeyFileError::Key)?;
        let key = Arc::new(SigningKey::from_pkcs8(&document).map_err(KeyFileError::Key)?);
        let lifetime = schedule.lifetime.as_secs();
        let times = Times { algorithm: schedule.algorithm, signs_from, lifetime };
        Ok(Self { key, times, created: now, document })
    }

    fn entry(&self) -> Entry {
        Entry {
            kid: self.key.kid().to_owned(),
            alg: self.times.algorithm.name().to_owned(),
            created: self.created,
            signs_from: self.times.signs_from,
            lifetime: self.times.lifetime,
            pkcs8: STANDARD.encode(&*self.document),
        }
    }

    fn from_entry(entry: &Entry) -> Result<Self, String> {
        let document = STANDARD.decode(&entry.pkcs8).map(Zeroizing::new);
        let document = document.map_err(|_| format!("the key {:?} is not in base64", entry.kid))?;
        let key = SigningKey::from_pkcs8(&document).map_err(|error| format!("{:?} {error}", entry.kid))?;
        if key.kid() != entry.kid || key.algorithm().name() != entry.alg {
            return Err(format!("the key named {:?} has another id or algorithm", entry.kid));
        }
        let algorithm = key.algorithm();
        let times = Times { algorithm, signs_from: entry.signs_from, lifetime: entry.lifetime };
        Ok(Self { key: Arc::new(key), times, created: entry.created, document })
    }
}

impl KeyFile {
    /// Names the file in a folder.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join(NAME) }
    }

    /// Returns the attributes of the file, or `None` if it is not there.
    pub(crate) fn look(&self) -> Option<Seen> {
        let found = fs::metadata(&self.path).ok()?;
        Some((found.modified().ok(), found.len(), found.ino()))
    }

    /// Reads the keys, in the order in which they sign. Returns no keys if the file does not exist.
    ///
    /// # Errors
    /// [`KeyFileError`] if the file cannot be used.
    pub(crate) fn read(&self) -> Result<Vec<KeptKey>, KeyFileError> {
        let failed = |error| KeyFileError::Io(self.path.clone(), error);
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
            return Err(KeyFileError::ReadableByOthers(self.path.clone()));
        }
        let mut text = Zeroizing::new(String::new());
        io::Read::read_to_string(&mut io::Read::take(file, MAX_SIZE), &mut text).map_err(failed)?;
        parse(&text).map_err(|problem| KeyFileError::Damaged(self.path.clone(), problem))
    }

    /// Calls `change` with the keys, and returns them. A lock keeps other processes from changing them at the
    /// same time. If `change` returns `true`, the file is replaced as a whole.
    ///
    /// # Errors
    /// [`KeyFileError`] if the file cannot be used, or the error of `change`.
    pub(crate) fn update(
        &self,
        change: impl FnOnce(&mut Vec<KeptKey>) -> Result<bool, KeyFileError>,
    ) -> Result<Vec<KeptKey>, KeyFileError> {
        let failed = |error| KeyFileError::Io(self.path.clone(), error);
        let folder = self.path.parent().unwrap_or(Path::new("."));
        state_file::make_folder(folder).map_err(failed)?;
        let lock_path = self.path.with_file_name(LOCK);
        let lock = open_itself(OpenOptions::new().write(true).create(true).truncate(false), &lock_path);
        let lock = lock.map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut keys = self.read()?;
        if change(&mut keys)? {
            let document = Document { version: VERSION, keys: keys.iter().map(KeptKey::entry).collect() };
            let text = serde_json::to_string_pretty(&document).map(Zeroizing::new);
            let text = text.map_err(|error| failed(error.into()))?;
            state_file::replace(&self.path, text.as_bytes(), 0o600).map_err(failed)?;
            let written = open_itself(OpenOptions::new().read(true), &self.path).map_err(failed)?;
            give_to_owner(folder, &[&written, &lock]).map_err(failed)?;
        }
        Ok(keys)
    }
}

/// Opens a file. Symbolic links and files with a second name are refused, because the owner of the folder could
/// use them to make root give away a file of the system.
fn open_itself(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = options.mode(0o600).custom_flags(no_follow).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() > 1 {
        return Err(io::Error::other(format!("{} is a link", path.display())));
    }
    Ok(file)
}

/// Makes the owner of the folder, who is the gateway's user, the owner of files that root has made.
fn give_to_owner(folder: &Path, files: &[&File]) -> io::Result<()> {
    let owner = fs::metadata(folder)?;
    if !rustix::process::geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    files.iter().try_for_each(|file| fchown(file, Some(owner.uid()), Some(owner.gid())))
}

fn parse(text: &str) -> Result<Vec<KeptKey>, String> {
    let problem = |error: serde_json::Error| {
        format!("it has an error in line {}, column {}", error.line(), error.column())
    };
    let document: Document = parse_text(text).map_err(problem)?;
    if document.version != VERSION {
        return Err(format!(
            "it has version {}, and this program supports version {VERSION}",
            document.version
        ));
    }
    let keys: Vec<KeptKey> = document.keys.iter().map(KeptKey::from_entry).collect::<Result<_, _>>()?;
    if !keys.is_sorted_by_key(|key| key.times.signs_from) {
        return Err("its keys are not in the order in which they sign".to_owned());
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use super::*;
    use crate::gateway::jwt_keys::rotation::tend;
    use crate::oauth::jose::SigningAlgorithm;

    fn schedule() -> Schedule {
        Schedule {
            algorithm: SigningAlgorithm::Es256,
            rotate_every: Duration::from_secs(1_000),
            publish_before: Duration::from_secs(100),
            lifetime: Duration::from_secs(50),
        }
    }

    fn kids(keys: &[KeptKey]) -> Vec<&str> {
        keys.iter().map(|key| key.key.kid()).collect()
    }

    #[test]
    fn keys_are_made_kept_and_removed_over_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::in_folder(folder.path());
        let at = |now: u64| file.update(|keys| tend(keys, &schedule(), now)).unwrap();
        let first = at(0);
        assert_eq!(first.len(), 1);
        assert_eq!(fs::metadata(folder.path().join(NAME)).unwrap().mode() & 0o777, 0o600);
        let seen = file.look();
        assert_eq!(kids(&at(899)), kids(&first));
        assert_eq!(file.look(), seen, "nothing was due, and the file was not written");
        let two = at(900);
        assert_eq!((two.len(), two[1].times.signs_from), (2, 1_000));
        assert_eq!(kids(&two)[0], kids(&first)[0]);
        assert_eq!(kids(&at(1_109)), kids(&two), "the old key's JWTs may be valid");
        assert_eq!(kids(&at(1_110)), kids(&two)[1..]);
        assert_eq!(kids(&KeyFile::in_folder(folder.path()).read().unwrap()), kids(&two)[1..]);
    }

    #[test]
    fn links_in_the_folder_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("of another program");
        fs::write(&other, "text").unwrap();
        let file = KeyFile::in_folder(folder.path());
        let links: [fn(&Path, &Path) -> io::Result<()>; 2] = [
            |target, link| std::os::unix::fs::symlink(target, link),
            |target, link| fs::hard_link(target, link),
        ];
        for link in links {
            link(&other, &folder.path().join(LOCK)).unwrap();
            let error = file.update(|keys| tend(keys, &schedule(), 0)).unwrap_err();
            assert!(matches!(error, KeyFileError::Io(..)), "{error}");
            assert_eq!((fs::read_to_string(&other).unwrap(), file.look()), ("text".to_owned(), None));
            fs::remove_file(folder.path().join(LOCK)).unwrap();
        }
        file.update(|keys| tend(keys, &schedule(), 0)).unwrap();
    }

    #[test]
    fn a_file_that_others_can_read_and_one_that_was_changed_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::in_folder(folder.path());
        for now in [0, 900] {
            file.update(|keys| tend(keys, &schedule(), now)).unwrap();
        }
        let path = folder.path().join(NAME);
        let text = fs::read_to_string(&path).unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for open in [0o604, 0o640, 0o660] {
            mode(open);
            let error = file.read().unwrap_err();
            assert!(matches!(error, KeyFileError::ReadableByOthers(_)), "{error}");
        }
        mode(0o600);
        let keys = file.read().unwrap();
        let (one, two) = (keys[0].entry(), keys[1].entry());
        let swapped = text.replacen(&one.pkcs8, &two.pkcs8, 1);
        let flipped = text.replacen(&one.pkcs8[20..40], &one.pkcs8[21..41], 1);
        let reordered = text.replacen("\"signs_from\": 0", "\"signs_from\": 5000", 1);
        let wrong_algorithm = text.replacen("ES256", "EdDSA", 1);
        let newer = text.replacen("\"version\": 1", "\"version\": 2", 1);
        let more = text.replacen("\"version\": 1", "\"version\": 1, \"other\": 1", 1);
        for changed in
            [&swapped, &flipped, &reordered, &wrong_algorithm, &newer, &more, "", "{", &text[..200]]
        {
            assert_ne!(*changed, text);
            fs::write(&path, changed).unwrap();
            let error = file.read().unwrap_err();
            assert!(matches!(error, KeyFileError::Damaged(..)), "{error}");
            assert!(!error.to_string().contains(&one.pkcs8[30..60]), "no key is shown");
        }
        fs::write(&path, &text).unwrap();
        assert_eq!(file.read().unwrap().len(), 2);
    }
}
