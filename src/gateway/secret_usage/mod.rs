//! Rotation of client secrets: what was seen of each is kept over a restart, and who still uses one that is about to end
//! is named while there is time.
//!
//! The gate counts; a thread of its own writes the counts to a file and warns, so that no request waits for either. The
//! command line reads the file.

mod file;
mod keeper;
mod messages;
mod rotation;

pub(crate) use self::file::UsageFile;
pub(crate) use self::keeper::{Keeper, KeeperHandle, warn_of_expired};
pub(crate) use self::messages::{expired_line, refused_line, still_used_line, usage_text};
pub(crate) use self::rotation::{RotationStatus, standing};
