//! The history: versions of the configuration, each with its texts and a description.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::actor::{Role, Via};
use super::control::ChangeControl;
use super::error::ChangeError;
use super::fault;
use super::state::{self, StateFolder};
use super::texts::Texts;
use crate::access::difference::Change;
use crate::json::members::Members;
use crate::sorting::sort;
use crate::utc;

/// The maximum number of versions.
const MAX_VERSIONS: usize = 500;
/// The maximum size of all versions, in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// The status of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VersionState {
    /// The version is about to replace the configuration.
    Prepared,
    /// The version replaced the configuration.
    Applied,
    /// The version replaced the configuration, and awaits confirmation.
    Provisional,
    /// The version replaced the configuration, and was rolled back because it was not confirmed.
    RolledBack,
    /// The version replaced the configuration, which was then edited from outside before the confirmation.
    Overtaken,
    /// The version never replaced the configuration.
    Abandoned,
}

impl VersionState {
    /// Returns whether the version was ever in force.
    pub(crate) fn was_in_force(self) -> bool {
        !matches!(self, Self::Prepared | Self::Abandoned)
    }
}

/// One difference in access that a version made, as the preview showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Granted {
    /// Whether the gateway may accept something that was refused before.
    pub(crate) widens: bool,
    /// The difference in words.
    pub(crate) text: String,
    /// The difference for scripts.
    pub(crate) change: Json,
}

impl Granted {
    /// Describes a difference.
    pub(crate) fn of(change: &Change) -> Self {
        Self { widens: change.widens(), text: change.to_string(), change: change.to_json() }
    }
}

/// A version of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Version {
    /// The number. Numbers increase and are never reused.
    pub(crate) number: u64,
    /// The number of the version before it.
    pub(crate) parent: Option<u64>,
    /// Its status.
    pub(crate) state: VersionState,
    /// When it was created, in UTC.
    pub(crate) time: String,
    /// Its author.
    pub(crate) actor: String,
    /// The role of its author.
    pub(crate) role: Role,
    /// The interface through which it was made.
    pub(crate) via: Via,
    /// The comment of the author.
    pub(crate) comment: String,
    /// The SHA-256 of the configuration.
    pub(crate) sha256: String,
    /// The SHA-256 of the configuration before it.
    pub(crate) parent_sha256: String,
    /// The names of the files, the main one first.
    pub(crate) files: Vec<PathBuf>,
    /// The deadline of the confirmation, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) confirm_by: Option<String>,
    /// Its operations, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) operations: Vec<String>,
    /// The differences in access, at most [`MAX_GRANTED`] of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) granted: Vec<Granted>,
}

impl Version {
    fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        let mut members = Members::parse(text)?;
        Ok(Self {
            number: members.required("number")?,
            parent: members.optional("parent")?,
            state: members.required("state")?,
            time: members.required("time")?,
            actor: members.required("actor")?,
            role: members.required("role")?,
            via: members.required("via")?,
            comment: members.required("comment")?,
            sha256: members.required("sha256")?,
            parent_sha256: members.required("parent_sha256")?,
            files: members.required("files")?,
            confirm_by: members.optional("confirm_by")?,
            operations: members.optional("operations")?,
            granted: members.optional("granted")?,
        })
    }
}

/// The most differences in access that a version lists.
pub(crate) const MAX_GRANTED: usize = 1_000;

/// The files of the history.
pub(super) struct History<'a>(pub(super) &'a StateFolder);

impl History<'_> {
    /// Returns the numbers of all versions in ascending order.
    pub(super) fn numbers(&self) -> io::Result<Vec<u64>> {
        self.numbered(".json")
    }

    fn numbered(&self, ending: &str) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(self.0.history())? {
            let name = entry?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.strip_suffix(ending)?.parse::<u64>().ok()));
        }
        sort(&mut numbers);
        Ok(numbers)
    }

    /// Returns a number that no version has used.
    pub(super) fn next(&self) -> io::Result<u64> {
        let last = |numbers: Vec<u64>| numbers.last().copied().unwrap_or(0);
        Ok(last(self.numbered(".json")?).max(last(self.numbered(".toml")?)) + 1)
    }

    /// Reads a version. Returns `None` if it does not exist or is damaged.
    pub(super) fn get(&self, number: u64) -> io::Result<Option<Version>> {
        let bytes = state::read(&self.0.history().join(format!("{number}.json")))?;
        Ok(bytes.and_then(|bytes| Version::read(&bytes).ok()))
    }

    /// Returns the last version that was in force.
    pub(super) fn head(&self) -> io::Result<Option<Version>> {
        for number in self.numbers()?.into_iter().rev() {
            if let Some(version) = self.get(number)?.filter(|version| version.state.was_in_force()) {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// Writes a new version. The texts are written first, so that every description has texts.
    pub(super) fn create(&self, version: &Version, hidden: &Texts) -> io::Result<()> {
        for (at, (_, text)) in hidden.iter().enumerate() {
            state::write_new(&self.text_path(version.number, at), text.as_bytes())?;
        }
        fault::point("text-written");
        let path = self.0.history().join(format!("{}.json", version.number));
        state::write_new(&path, &serde_json::to_vec_pretty(version)?)
    }

    /// Writes the new status of a version.
    pub(super) fn update(&self, version: &Version) -> io::Result<()> {
        let path = self.0.history().join(format!("{}.json", version.number));
        state::write(&path, &serde_json::to_vec_pretty(version)?)
    }

    /// Reads the texts of a version. Credentials in them are hidden.
    pub(super) fn texts(&self, version: &Version, main: &Path) -> io::Result<Option<Texts>> {
        let mut texts = Vec::new();
        for (at, path) in version.files.iter().enumerate() {
            let Some(bytes) = state::read(&self.text_path(version.number, at))? else { return Ok(None) };
            let text = String::from_utf8(bytes).map_err(io::Error::other)?;
            texts.push((path.clone(), text));
        }
        Ok(Some(Texts::from_named(main, texts)))
    }

    fn text_path(&self, number: u64, at: usize) -> PathBuf {
        let name = if at == 0 { format!("{number}.toml") } else { format!("{number}.{at}.toml") };
        self.0.history().join(name)
    }

    /// Removes the oldest versions beyond the limits, and texts without a description.
    pub(super) fn prune(&self) -> io::Result<()> {
        let mut files: Vec<(u64, PathBuf, u64)> = Vec::new();
        for entry in fs::read_dir(self.0.history())? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.split('.').next()?.parse::<u64>().ok());
            if let Some(number) = number {
                files.push((number, entry.path(), entry.metadata()?.len()));
            }
        }
        let described = self.numbers()?;
        let mut left = described.len();
        let mut bytes: u64 = files.iter().map(|(_, _, length)| length).sum();
        sort(&mut files);
        let newest = described.last().copied().unwrap_or(0);
        let numbers: Vec<u64> = files.iter().map(|(number, ..)| *number).collect();
        for number in numbers {
            let is_described = described.contains(&number);
            let is_old = number < newest && (left > MAX_VERSIONS || bytes > MAX_BYTES);
            if is_described && !is_old {
                break;
            }
            if number >= newest {
                break;
            }
            let own: Vec<_> = files.iter().filter(|(of, ..)| *of == number).collect();
            if own.is_empty() {
                continue;
            }
            // The order matters: a description without texts would look damaged.
            for (_, path, length) in own.iter().rev() {
                if path.exists() {
                    state::remove(path)?;
                    bytes = bytes.saturating_sub(*length);
                }
            }
            left -= usize::from(is_described);
            files.retain(|(of, ..)| *of != number);
        }
        Ok(())
    }
}

impl ChangeControl {
    /// Lists at most `limit` versions with numbers below `before`, the newest first.
    ///
    /// # Errors
    /// Fails if the history cannot be read.
    pub(crate) fn history(&self, before: Option<u64>, limit: usize) -> Result<Vec<Version>, ChangeError> {
        let history = History(&self.folder);
        let numbers = history.numbers().map_err(ChangeError::State)?;
        let wanted = numbers.into_iter().rev().filter(|number| before.is_none_or(|before| *number < before));
        let mut versions = Vec::new();
        for number in wanted.take(limit) {
            versions.extend(history.get(number).map_err(ChangeError::State)?);
        }
        Ok(versions)
    }

    /// Returns a version.
    ///
    /// # Errors
    /// Fails if the version does not exist.
    pub(crate) fn version(&self, number: u64) -> Result<Version, ChangeError> {
        let version = History(&self.folder).get(number).map_err(ChangeError::State)?;
        version.ok_or(ChangeError::NotFound("version"))
    }

    /// Returns the texts of a version. Credentials in them are hidden, and hashes of secrets are not.
    ///
    /// # Errors
    /// Fails if the version does not exist.
    pub(crate) fn version_texts(&self, number: u64) -> Result<Texts, ChangeError> {
        let texts =
            History(&self.folder).texts(&self.version(number)?, &self.config).map_err(ChangeError::State)?;
        texts.ok_or(ChangeError::NotFound("version"))
    }

    /// Records the current configuration as a version if the last version is different. The caller must hold
    /// the lock.
    pub(super) fn observe(
        &self,
        via: Via,
        actor: &str,
        comment: &str,
    ) -> Result<Option<Version>, ChangeError> {
        let texts = self.texts()?;
        let sha256 = texts.hash();
        let history = History(&self.folder);
        let head = history.head().map_err(ChangeError::State)?;
        if head.as_ref().is_some_and(|head| head.sha256 == sha256) {
            return Ok(None);
        }
        let version = Version {
            number: history.next().map_err(ChangeError::State)?,
            parent: head.as_ref().map(|head| head.number),
            state: VersionState::Applied,
            time: utc::at(SystemTime::now()).to_string(),
            actor: actor.to_owned(),
            role: Role::Owner,
            via,
            comment: comment.to_owned(),
            sha256,
            parent_sha256: head.map(|head| head.sha256).unwrap_or_default(),
            files: texts.iter().map(|(path, _)| texts.name(path)).collect(),
            confirm_by: None,
            operations: Vec::new(),
            granted: Vec::new(),
        };
        history.create(&version, &self.key.hide(&texts)).map_err(ChangeError::State)?;
        history.prune().map_err(ChangeError::State)?;
        Ok(Some(version))
    }
}
