//! The audit: who did what, and with which result. One JSON object per line, appended and synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::state::StateFolder;
use crate::json::members::Members;
use crate::utc;

/// The size at which a new file is started.
const LARGEST: u64 = 64 << 20;
/// The number of files that are kept, including the current one.
const KEPT: u32 = 8;
/// The maximum length in characters of an external text in one line.
const LONGEST: usize = 500;

/// The kind of event in an audit line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// A sign-in to the console, or one that was refused.
    SignIn,
    /// A sign-out, or the end of a session.
    SignOut,
    /// The first user was made, or a lost password was reset with a link.
    Setup,
    /// A draft was made, changed or discarded.
    Draft,
    /// A commit.
    Commit,
    /// A provisional commit was confirmed.
    Confirm,
    /// A provisional commit was rolled back, or a version was made a draft again.
    Rollback,
    /// A request was refused because the actor may not make it.
    Refusal,
    /// Tokens were revoked.
    Revoke,
    /// A secret was reset.
    Reset,
    /// The configuration was reloaded, or changed from outside.
    Reload,
    /// A user of the console was added, changed or removed.
    User,
    /// Requests of clients for tokens that were refused.
    TokenRequest,
    /// How many tokens were issued.
    Issued,
}

/// One line of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct AuditLine {
    /// The time of the event, in UTC.
    pub(crate) time: String,
    /// The author of the event.
    pub(crate) actor: String,
    /// The role of the actor.
    pub(crate) role: String,
    /// The interface through which the request was made.
    pub(crate) via: String,
    /// The address that the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// The kind of event.
    pub(crate) event: Event,
    /// The object of the event, such as a draft or a client.
    pub(crate) object: String,
    /// The version of the history that the event concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
    /// The result, such as `ok` or `refused`.
    pub(crate) outcome: String,
    /// Further details, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

impl AuditLine {
    /// Makes a line for an event that happens now. It must not contain anything secret.
    pub(crate) fn now(actor: &Actor, event: Event, object: &str, outcome: &str) -> Self {
        Self {
            time: utc::at(SystemTime::now()).to_string(),
            actor: shortened(&actor.name),
            role: actor.role.as_str().to_owned(),
            via: actor.via.as_str().to_owned(),
            address: actor.address.map(|address| address.to_string()),
            event,
            object: shortened(object),
            version: None,
            outcome: shortened(outcome),
            detail: None,
        }
    }

    fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        let mut members = Members::parse(text)?;
        Ok(Self {
            time: members.required("time")?,
            actor: members.required("actor")?,
            role: members.required("role")?,
            via: members.required("via")?,
            address: members.optional("address")?,
            event: members.required("event")?,
            object: members.required("object")?,
            version: members.optional("version")?,
            outcome: members.required("outcome")?,
            detail: members.optional("detail")?,
        })
    }

    /// Adds the version that the line concerns.
    pub(crate) fn version(self, version: u64) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Adds further details, in words.
    pub(crate) fn detail(self, detail: &str) -> Self {
        Self { detail: Some(shortened(detail)), ..self }
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// The file of the audit.
#[derive(Debug, Clone)]
pub(crate) struct Audit(PathBuf);

impl Audit {
    /// Returns the audit of a state folder.
    pub(crate) fn of(folder: &StateFolder) -> Self {
        Self(folder.audit())
    }

    /// Appends a line, and waits until it is on disk.
    ///
    /// # Errors
    /// Fails if the line cannot be written. The change must then be refused.
    pub(crate) fn record(&self, line: &AuditLine) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        let mut file = self.open()?;
        if file.metadata()?.len() + text.len() as u64 > LARGEST {
            self.rotate()?;
            // Closing the old file releases its lock.
            file = self.open()?;
        }
        let length = file.metadata()?.len();
        file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).inspect_err(|_| {
            // A partial line would corrupt the next one.
            let _ = file.set_len(length);
        })
    }

    /// Returns at most `limit` lines, the newest first, after skipping `skip` of them.
    pub(crate) fn newest(&self, skip: usize, limit: usize) -> io::Result<Vec<AuditLine>> {
        let wanted = skip.saturating_add(limit);
        let mut lines = Vec::new();
        for number in 0..KEPT {
            if lines.len() >= wanted {
                break;
            }
            lines.extend(last_lines(&self.numbered(number), wanted - lines.len())?);
        }
        let parsed = lines.iter().skip(skip).filter_map(|line| AuditLine::read(line.as_bytes()).ok());
        Ok(parsed.collect())
    }

    /// Opens the file and locks it, so that lines of other processes do not mix with its own.
    fn open(&self) -> io::Result<File> {
        loop {
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.0)?;
            file.lock()?;
            // Another process may have renamed the file before this process locked it.
            let (open, there) = (file.metadata()?, fs::metadata(&self.0));
            if there.is_ok_and(|there| (open.dev(), open.ino()) == (there.dev(), there.ino())) {
                return Ok(file);
            }
        }
    }

    fn rotate(&self) -> io::Result<()> {
        for number in (1..KEPT).rev() {
            match fs::rename(self.numbered(number - 1), self.numbered(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.0.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        if number == 0 { self.0.clone() } else { self.0.with_file_name(format!("audit.{number}.jsonl")) }
    }
}

/// Returns the last lines of a file, the newest first.
fn last_lines(path: &Path, most: usize) -> io::Result<Vec<String>> {
    /// A size that no line exceeds.
    const LINE: u64 = 8 << 10;
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let length = file.metadata()?.len();
    let start = length.saturating_sub((most as u64).saturating_mul(LINE));
    file.seek(SeekFrom::Start(start))?;
    let lines = BufReader::new(file).split(b'\n').collect::<io::Result<Vec<Vec<u8>>>>()?;
    let whole = lines.iter().skip(usize::from(start > 0)).rev().take(most);
    Ok(whole.map(|line| String::from_utf8_lossy(line).into_owned()).collect())
}
