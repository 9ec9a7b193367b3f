//! Drafts: operations that an operator collects before they are committed together.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use super::actor::Via;
use super::error::ChangeError;
use super::operation::Operation;
use super::state::{self, StateFolder};
use super::texts::hex;
use crate::json::members::Members;
use crate::sorting::{sort, sort_by};

/// The maximum number of drafts.
pub(crate) const MAX_DRAFTS: usize = 50;
/// The maximum number of operations in a draft.
pub(crate) const MAX_OPERATIONS: usize = 200;
/// The maximum size of the operations in a draft, in bytes of JSON.
pub(crate) const MAX_DRAFT_SIZE: usize = 4 << 20;
/// The maximum length of a title, in characters.
pub(crate) const MAX_TITLE: usize = 200;

/// The id of a draft: 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct DraftId(String);

impl DraftId {
    /// Makes a new id.
    pub(super) fn random() -> io::Result<Self> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(hex(&bytes)))
    }

    /// Parses an id. Only a text that is safe as a file name is accepted.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 16 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// Returns the text of the id.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DraftId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not the id of a draft")
    }
}

impl From<DraftId> for String {
    fn from(id: DraftId) -> Self {
        id.0
    }
}

impl fmt::Display for DraftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A draft. The resulting text is not stored: it is computed by applying the operations to the configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Draft {
    /// Its id.
    pub(crate) id: DraftId,
    /// The name of the user who created it.
    pub(crate) owner: String,
    /// The origin of that user, because a client of the API can have the name of a user of the console. If it
    /// is unknown, only owners may change the draft.
    pub(crate) via: Option<Via>,
    /// A title for people, which may be empty.
    pub(crate) title: String,
    /// The SHA-256 of the configuration that the draft is based on.
    pub(crate) base: String,
    /// The revision, which grows with every change of the draft. The API uses it as the ETag.
    pub(crate) revision: u64,
    /// When the draft was created, in milliseconds since 1970.
    pub(crate) created: u64,
    /// When the draft was last changed, in milliseconds since 1970.
    pub(crate) changed: u64,
    /// The operations, in the order in which they are applied.
    pub(crate) operations: Vec<Operation>,
}

impl Draft {
    fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        let mut members = Members::parse(text)?;
        Ok(Self {
            id: members.required("id")?,
            owner: members.required("owner")?,
            via: members.optional("via")?,
            title: members.required("title")?,
            base: members.required("base")?,
            revision: members.required("revision")?,
            created: members.required("created")?,
            changed: members.required("changed")?,
            operations: members.required("operations")?,
        })
    }

    /// Returns whether this is a draft of the user or client with this name.
    pub(crate) fn is_of(&self, name: &str, via: Via) -> bool {
        self.owner == name && self.via == Some(via)
    }

    /// Checks its size. The texts of a rollback do not count: they are those of a version, however large that
    /// is.
    ///
    /// # Errors
    /// It is too large.
    pub(super) fn check_size(&self) -> Result<(), ChangeError> {
        let sent = self.operations.iter().filter(|operation| !matches!(operation, Operation::Restore { .. }));
        let sent: Vec<&Operation> = sent.collect();
        let size = serde_json::to_vec(&sent).map_err(|error| ChangeError::State(error.into()))?.len();
        if size > MAX_DRAFT_SIZE { Err(ChangeError::TooLarge(MAX_DRAFT_SIZE)) } else { Ok(()) }
    }
}

/// The files of drafts.
pub(super) struct Drafts<'a>(pub(super) &'a StateFolder);

impl Drafts<'_> {
    /// Reads all drafts, the most recently changed one first. A damaged file is left out.
    pub(super) fn all(&self) -> io::Result<Vec<Draft>> {
        self.read().map(|(drafts, _)| drafts)
    }

    /// Returns the ids of the files that cannot be read as drafts.
    pub(super) fn damaged(&self) -> io::Result<Vec<DraftId>> {
        self.read().map(|(_, damaged)| damaged)
    }

    fn read(&self) -> io::Result<(Vec<Draft>, Vec<DraftId>)> {
        let (mut drafts, mut damaged) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(self.0.drafts())? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| DraftId::parse(name.strip_suffix(".json")?));
            let Some(id) = id else { continue };
            match self.get(&id)? {
                Some(draft) => drafts.push(draft),
                None => damaged.push(id),
            }
        }
        sort_by(&mut drafts, |one, other| (other.changed, &one.id).cmp(&(one.changed, &other.id)));
        sort(&mut damaged);
        Ok((drafts, damaged))
    }

    /// Reads a draft. Returns `None` if it does not exist or is damaged.
    pub(super) fn get(&self, id: &DraftId) -> io::Result<Option<Draft>> {
        let bytes = state::read(&self.0.drafts().join(format!("{id}.json")))?;
        Ok(bytes.and_then(|bytes| Draft::read(&bytes).ok()))
    }

    /// Returns whether there is a file of this draft that cannot be read as one.
    pub(super) fn is_damaged(&self, id: &DraftId) -> io::Result<bool> {
        let exists = self.0.drafts().join(format!("{id}.json")).try_exists()?;
        Ok(exists && self.get(id)?.is_none())
    }

    /// Writes a draft.
    pub(super) fn put(&self, draft: &Draft) -> io::Result<()> {
        state::write(&self.0.drafts().join(format!("{}.json", draft.id)), &serde_json::to_vec(draft)?)
    }

    /// Removes a draft.
    pub(super) fn remove(&self, id: &DraftId) -> io::Result<()> {
        state::remove(&self.0.drafts().join(format!("{id}.json")))
    }

    /// Removes the drafts of users of the console.
    pub(super) fn remove_of(&self, users: &[String]) -> io::Result<()> {
        if users.is_empty() {
            return Ok(());
        }
        for draft in self.all()? {
            if users.iter().any(|user| draft.is_of(user, Via::Console)) {
                self.remove(&draft.id)?;
            }
        }
        Ok(())
    }
}
