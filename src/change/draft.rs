//! Drafts: operations that an operator collects before they are committed together.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use super::actor::Via;
use super::error::ChangeError;
use super::operation::Operation;
use super::state::{self, StateFolder};
use super::texts::hex;

/// The most drafts.
pub(crate) const MAX_DRAFTS: usize = 50;
/// The most operations of a draft.
pub(crate) const MAX_OPERATIONS: usize = 200;
/// The most bytes of the operations of a draft, as JSON.
pub(crate) const MAX_DRAFT_SIZE: usize = 4 << 20;
/// The most characters of a title.
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

    /// Parses an id. Only what can be the name of a file without a path is one.
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

/// A draft. Its text is not kept: it is made by applying the operations to the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Draft {
    /// Its id.
    pub(crate) id: DraftId,
    /// The name of the user who made it.
    pub(crate) owner: String,
    /// The way in which that user came: a client of the API can have the name of a user of the console. A draft of which
    /// this is not known is only for owners.
    #[serde(default)]
    pub(crate) via: Option<Via>,
    /// A title for people. It may be empty.
    pub(crate) title: String,
    /// The SHA-256 of the configuration that it was begun or rebased on.
    pub(crate) base: String,
    /// Grows with every change of the draft. It is the ETag of the API.
    pub(crate) revision: u64,
    /// When it was begun, in milliseconds since 1970.
    pub(crate) created: u64,
    /// When it was changed last, in milliseconds since 1970.
    pub(crate) changed: u64,
    /// The operations, in the order in which they are applied.
    pub(crate) operations: Vec<Operation>,
}

impl Draft {
    /// Returns whether this is a draft of the user or client with this name.
    pub(crate) fn is_of(&self, name: &str, via: Via) -> bool {
        self.owner == name && self.via == Some(via)
    }

    /// Checks its size. The texts of a rollback do not count: they are those of a version, however large that is.
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
    /// Reads all drafts, the one that was changed last first. A damaged file is left out.
    pub(super) fn all(&self) -> io::Result<Vec<Draft>> {
        let mut drafts = Vec::new();
        for entry in std::fs::read_dir(self.0.drafts())? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| DraftId::parse(name.strip_suffix(".json")?));
            if let Some(id) = id {
                drafts.extend(self.get(&id)?);
            }
        }
        drafts.sort_by(|one, other| (other.changed, &one.id).cmp(&(one.changed, &other.id)));
        Ok(drafts)
    }

    /// Reads a draft. `None` if it does not exist or is damaged.
    pub(super) fn get(&self, id: &DraftId) -> io::Result<Option<Draft>> {
        let bytes = state::read(&self.0.drafts().join(format!("{id}.json")))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
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
}
