//! The data of the pages about versions of the file.

use askama::Template;

use super::frame::Frame;
use super::parts::{Badge, DiffLine, Grant, Term};

/// The list of versions.
#[derive(Debug, Template)]
#[template(path = "history.html")]
pub(crate) struct HistoryPage {
    pub(crate) frame: Frame,
    pub(crate) versions: Vec<VersionRow>,
    pub(crate) next: Option<String>,
}

/// A version in the list.
#[derive(Debug)]
pub(crate) struct VersionRow {
    pub(crate) number: u64,
    pub(crate) state: Option<Badge>,
    pub(crate) when: String,
    pub(crate) who: String,
    pub(crate) comment: String,
    pub(crate) granted: String,
    pub(crate) is_from: bool,
    pub(crate) is_to: bool,
}

/// One version, or two compared.
#[derive(Debug, Template)]
#[template(path = "version.html")]
pub(crate) struct VersionPage {
    pub(crate) frame: Frame,
    pub(crate) state: Option<Badge>,
    pub(crate) terms: Vec<Term>,
    pub(crate) grants: Vec<Grant>,
    /// The reason why the access of the two versions cannot be compared.
    pub(crate) problem: Option<String>,
    pub(crate) diff_note: String,
    pub(crate) diff: Vec<DiffLine>,
    /// The version that the form restores.
    pub(crate) rollback: Option<u64>,
}
