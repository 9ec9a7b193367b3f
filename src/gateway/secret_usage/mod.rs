//! Rotation of client secrets: the use of each secret is recorded across restarts, and the log names clients
//! that still use a secret shortly before it expires.
//!
//! The gate counts the uses. A separate thread writes the counts to the journal and logs the warnings, so
//! that requests never wait for that. The command line reads the journal.

mod earlier_file;
mod entry;
mod keeper;
mod kept;
mod messages;
mod record;
mod rotation;
mod watch;

pub(crate) use self::keeper::{Keeper, KeeperHandle, warn_of_expired};
pub(crate) use self::kept::recorded;
pub(crate) use self::messages::{expired_line, refused_line, still_used_line, usage_text};
pub(crate) use self::rotation::{RotationStatus, rotation_status};
