//! A commit that is rolled back unless it is confirmed in time. It is stored on disk, so that it survives the
//! process.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::actor::{Role, Via};
use super::state::{self, StateFolder};
use super::texts::Texts;
use crate::json::members::Members;

/// The commit that awaits confirmation. There is at most one.
#[derive(Clone, Serialize)]
pub(crate) struct Unconfirmed {
    /// The number of its version.
    pub(crate) version: u64,
    /// The deadline of the confirmation, in milliseconds since 1970.
    pub(crate) deadline: u64,
    /// The name of the user who committed it.
    pub(crate) actor: String,
    /// The way in which that user came. Where it is not known, only owners decide about the commit.
    pub(crate) via: Option<Via>,
    /// The role of that user.
    pub(crate) role: Role,
    /// The SHA-256 of the configuration that was committed.
    pub(super) sha256: String,
    /// The names of the files, and their texts before the commit. They may contain credentials: the file is
    /// deleted when the commit is confirmed.
    pub(super) before: Vec<(PathBuf, String)>,
}

impl Unconfirmed {
    /// Reads the commit that awaits confirmation. Returns `None` if there is none.
    pub(super) fn read(folder: &StateFolder) -> io::Result<Option<Self>> {
        let Some(bytes) = state::read(&folder.unconfirmed())? else { return Ok(None) };
        Self::parse(&bytes).map(Some).map_err(io::Error::other)
    }

    fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        let mut members = Members::parse(text)?;
        Ok(Self {
            version: members.required("version")?,
            deadline: members.required("deadline")?,
            actor: members.required("actor")?,
            via: members.optional("via")?,
            role: members.required("role")?,
            sha256: members.required("sha256")?,
            before: members.required("before")?,
        })
    }

    /// Writes the file, before the configuration is replaced.
    pub(super) fn write(&self, folder: &StateFolder) -> io::Result<()> {
        state::write(&folder.unconfirmed(), &serde_json::to_vec(self)?)
    }

    /// Removes the file.
    pub(super) fn remove(folder: &StateFolder) -> io::Result<()> {
        state::remove(&folder.unconfirmed())
    }

    /// Returns the texts before the commit.
    pub(super) fn texts_before(&self, main: &Path) -> Texts {
        Texts::from_named(main, self.before.clone())
    }
}
