//! Loads the keys that sign JWTs, and replaces them while the gateway runs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls_pki_types::PrivateKeyDer;

use super::file::{KeptKey, KeyFile, Seen};
use super::rotation::{roles_of, tend, unix_time};
use super::schedule::{Role, Schedule};
use crate::config::{JwtKeys, JwtService};
use crate::gate::Gate;
use crate::gate::jwt::{KeyRing, SigningKey};
use crate::gateway::error::StartError;
use crate::tls::pem_file::PemFile;

/// How long upstreams may cache a set of keys from files. After that time, they see a change.
const MAX_AGE_OF_FILES: Duration = Duration::from_secs(300);
/// The longest time for which upstreams may cache a set of keys that the gateway makes.
const MAX_AGE: Duration = Duration::from_secs(3_600);

/// The keys of a running gateway.
#[derive(Debug)]
pub(crate) struct KeyKeeper {
    file: KeyFile,
    kept: Mutex<Kept>,
}

/// The keys of the file as they were last read.
#[derive(Debug, Default)]
struct Kept {
    seen: Option<Seen>,
    keys: Vec<KeptKey>,
    /// The last problem, which is logged once.
    problem: Option<String>,
}

/// Returns how the keys of `jwt` are replaced, or `None` if they are in files that the configuration names.
pub(crate) fn schedule(jwt: &JwtService) -> Option<Schedule> {
    match jwt.keys {
        JwtKeys::Files(_) => None,
        JwtKeys::Generated { algorithm, rotate_every, publish_before } => {
            Some(Schedule { algorithm, rotate_every, publish_before, lifetime: jwt.lifetime })
        }
    }
}

impl KeyKeeper {
    /// Makes the keeper of the keys in `state_dir`.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { file: KeyFile::in_folder(state_dir), kept: Mutex::default() }
    }

    /// Loads the keys, and makes the first one if it is needed.
    ///
    /// # Errors
    /// Fails if a key cannot be read, made or kept.
    pub(crate) fn load(&self, jwt: Option<&JwtService>) -> Result<Option<Arc<KeyRing>>, StartError> {
        let Some(jwt) = jwt else { return Ok(None) };
        let Some(schedule) = schedule(jwt) else { return of_files(jwt).map(Some) };
        let now = unix_time();
        let keys = self.file.update(|keys| tend(keys, &schedule, now)).map_err(StartError::config)?;
        let ring = ring(&keys, &schedule, now);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Kept { seen: self.file.look(), keys, problem: None };
        Ok(ring.map(Arc::new))
    }

    /// Makes the next key when it is due, switches to it when it begins to sign, and removes keys whose JWTs
    /// have expired. If that fails, logs the problem and keeps the keys in use.
    pub(crate) fn tend(&self, jwt: &JwtService, gate: &Gate) {
        let Some(schedule) = schedule(jwt) else { return };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, seen) = (unix_time(), self.file.look());
        let mut after = kept.keys.clone();
        let due = seen != kept.seen || tend(&mut after, &schedule, now).unwrap_or(true);
        if due {
            match self.file.update(|keys| tend(keys, &schedule, now)) {
                Ok(keys) => {
                    kept.keys = keys;
                    kept.seen = self.file.look();
                    if kept.problem.take().is_some() {
                        log::info!("the keys that sign JWTs can be used again");
                    }
                }
                Err(error) => {
                    let problem = error.to_string();
                    if kept.problem.as_ref() != Some(&problem) {
                        log::error!("{problem}. The gateway goes on with the keys that it has");
                        kept.problem = Some(problem);
                    }
                }
            }
        }
        let Some(ring) = ring(&kept.keys, &schedule, now) else { return };
        let before = gate.signing_keys();
        if before.as_ref().is_some_and(|before| before.is_same(&ring)) {
            return;
        }
        let signing = ring.signing().kid().to_owned();
        if before.is_none_or(|before| before.signing().kid() != signing) {
            log::info!("JWTs are signed with the key {signing} from now on");
        } else {
            log::info!("{} keys that verify JWTs are published", ring.published());
        }
        gate.set_signing_keys(Arc::new(ring));
    }
}

/// Makes the ring of the keys at the time `now`. Returns `None` if there are no keys.
fn ring(keys: &[KeptKey], schedule: &Schedule, now: u64) -> Option<KeyRing> {
    let roles = roles_of(keys, now);
    let signing = keys.iter().zip(&roles).find(|(_, role)| **role == Role::Signing)?.0;
    let published = keys.iter().zip(&roles).filter(|(_, role)| **role != Role::Over);
    let published: Vec<Arc<SigningKey>> = published.map(|(key, _)| Arc::clone(&key.key)).collect();
    let since = Duration::from_secs(signing.times.signs_from);
    let max_age = (schedule.publish_before / 4).min(MAX_AGE);
    Some(KeyRing::new(Arc::clone(&signing.key), Some(since), &published, max_age))
}

fn of_files(jwt: &JwtService) -> Result<Arc<KeyRing>, StartError> {
    let JwtKeys::Files(files) = &jwt.keys else { return Err(StartError::config("no keys are named")) };
    let keys: Vec<Arc<SigningKey>> = files.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    match keys.first() {
        Some(first) => Ok(Arc::new(KeyRing::new(Arc::clone(first), None, &keys, MAX_AGE_OF_FILES))),
        None => Err(StartError::config("token_service.jwt.keys is empty")),
    }
}

fn read(path: &Path) -> Result<Arc<SigningKey>, StartError> {
    let unusable =
        || StartError::config(format!("{} is not a P-256 or Ed25519 key in PKCS #8", path.display()));
    match PemFile::read(path).and_then(|file| file.private_key_der()).map_err(StartError::config)? {
        PrivateKeyDer::Pkcs8(document) => {
            SigningKey::from_pkcs8(document.secret_pkcs8_der()).map(Arc::new).map_err(|_| unusable())
        }
        _ => Err(unusable()),
    }
}
