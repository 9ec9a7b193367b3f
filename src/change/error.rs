//! Reasons why a change is refused.

use std::{error, fmt, io};

use super::actor::Role;
use super::conflict::Conflict;
use super::file::FileError;
use super::permission::OwnerOnly;
use super::raw::SyntaxProblem;
use crate::config::ConfigErrors;

/// The reason why a change is refused or fails.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum ChangeError {
    /// The draft or version does not exist.
    NotFound(&'static str),
    /// A higher role is needed.
    Role(Role),
    /// The draft belongs to another user.
    NotYours(String),
    /// The change has differences that only an owner may commit.
    OwnerOnly(Vec<OwnerOnly>),
    /// The draft was changed after the given revision. Contains the current revision.
    Revision(u64),
    /// The configuration was changed after the draft was created.
    StaleBase,
    /// An operation cannot be applied to the configuration. Contains its index in the draft, counted from 0.
    Conflict(usize, Conflict),
    /// The changed configuration would have errors.
    Invalid(ConfigErrors),
    /// A text is not valid TOML.
    Syntax(SyntaxProblem),
    /// The JSON is not an operation.
    Operation(String),
    /// A commit needs a comment.
    Comment,
    /// The time for a confirmation is out of range.
    ConfirmWithin,
    /// The draft changes nothing.
    Nothing,
    /// The configuration is managed elsewhere and is read-only here (`admin.read_only`).
    ReadOnly,
    /// The commit of this version awaits confirmation.
    Unconfirmed(u64),
    /// No commit of this version awaits confirmation.
    NotUnconfirmed,
    /// There are too many drafts, or too many operations in one. Contains the limit.
    TooMany(&'static str, usize),
    /// The operations of a draft are too large: the most bytes.
    TooLarge(usize),
    /// The audit cannot be written.
    Audit(io::Error),
    /// A file of the gateway's state cannot be read or written.
    State(io::Error),
    /// The configuration cannot be read or replaced.
    File(FileError),
    /// Another process has taken over from this one.
    Retired,
}

impl ChangeError {
    /// Returns the name for scripts, such as `stale-base`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not-found",
            Self::Role(_) | Self::NotYours(_) => "forbidden",
            Self::OwnerOnly(_) => "owner-only",
            Self::Revision(_) => "changed-meanwhile",
            Self::StaleBase => "stale-base",
            Self::Conflict(..) => "conflict",
            Self::Invalid(_) | Self::Syntax(_) => "invalid-configuration",
            Self::Operation(_) => "invalid-operation",
            Self::Comment => "comment-required",
            Self::ConfirmWithin => "confirm-within",
            Self::Nothing => "nothing-to-commit",
            Self::ReadOnly => "read-only",
            Self::Unconfirmed(_) => "unconfirmed",
            Self::NotUnconfirmed => "not-unconfirmed",
            Self::TooMany(..) => "too-many",
            Self::TooLarge(_) => "too-large",
            Self::Audit(_) => "audit-unavailable",
            Self::State(_) | Self::File(_) => "state-unavailable",
            Self::Retired => "retired",
        }
    }

    /// Returns the HTTP status of a response with this error.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::NotFound(_) => 404,
            Self::Role(_) | Self::NotYours(_) | Self::OwnerOnly(_) => 403,
            Self::Revision(_) | Self::StaleBase => 412,
            Self::Conflict(..)
            | Self::ReadOnly
            | Self::Unconfirmed(_)
            | Self::NotUnconfirmed
            | Self::TooMany(..) => 409,
            Self::Invalid(_)
            | Self::Syntax(_)
            | Self::Operation(_)
            | Self::Comment
            | Self::ConfirmWithin
            | Self::TooLarge(_)
            | Self::Nothing => 422,
            Self::Audit(_) | Self::State(_) | Self::File(_) | Self::Retired => 503,
        }
    }
}

impl From<FileError> for ChangeError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<SyntaxProblem> for ChangeError {
    fn from(problem: SyntaxProblem) -> Self {
        Self::Syntax(problem)
    }
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(what) => write!(f, "the {what} does not exist"),
            Self::Role(role) => write!(f, "this needs the role {role}"),
            Self::NotYours(owner) => write!(f, "the draft belongs to {owner:?}, and only {owner:?} or an owner may change it"),
            Self::OwnerOnly(differences) => {
                f.write_str("only an owner may commit this:")?;
                differences.iter().try_for_each(|difference| write!(f, "\n- {difference}"))
            }
            Self::Revision(revision) => {
                write!(f, "the draft was changed in the meantime: its revision is {revision}")
            }
            Self::StaleBase => f.write_str(
                "the configuration was changed after the draft was created: rebase the draft, and look at what it grants again",
            ),
            Self::Conflict(index, conflict) => write!(f, "operation {} cannot be applied: {conflict}", index + 1),
            Self::Invalid(errors) => write!(f, "the changed configuration would have errors:\n{errors}"),
            Self::Syntax(SyntaxProblem { file, line }) => {
                write!(f, "{}:{line}: not TOML", file.display())
            }
            Self::Operation(message) => write!(f, "the operation is not valid: {message}"),
            Self::Comment => f.write_str("a commit needs a comment of 1 to 1000 characters"),
            Self::ConfirmWithin => f.write_str("the time for a confirmation must be from 10s to 24h"),
            Self::Nothing => f.write_str("the draft changes nothing"),
            Self::ReadOnly => f.write_str(
                "the configuration is read-only here (admin.read_only): apply the patch where the configuration is kept",
            ),
            Self::Unconfirmed(version) => {
                write!(f, "version {version} waits for its confirmation: confirm it or roll it back first")
            }
            Self::NotUnconfirmed => f.write_str("no commit of this version waits for a confirmation"),
            Self::TooLarge(most) => {
                write!(f, "the changes are too large: the limit is {} MiB for all of them together", most >> 20)
            }
            Self::TooMany(what, most) => write!(f, "there are already {most} {what}, which is the limit"),
            Self::Audit(error) => write!(f, "the audit cannot be written, so nothing is changed: {error}"),
            Self::State(error) => write!(f, "the gateway's own files cannot be used: {error}"),
            Self::File(error) => write!(f, "the configuration {error}"),
            Self::Retired => f.write_str("another process has taken over: send the request again"),
        }
    }
}

impl error::Error for ChangeError {}
