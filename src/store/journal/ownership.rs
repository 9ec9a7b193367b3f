//! Checks that other users of the machine cannot change the files of the journal: a person who can, can make
//! tokens.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::store::journal::error::JournalError;

/// The bits of a mode that let other users write.
const WRITABLE: u32 = 0o022;
/// The bits of a mode that let other users do anything.
const ACCESSIBLE: u32 = 0o077;
/// The bit of a folder in which users can replace only their own files.
const STICKY: u32 = 0o1000;

/// Checks the folder and the files of these names in it, of which any may be missing. A mode that permits too
/// much is corrected, with a warning.
pub(super) fn check(folder: &Path, names: &[&str]) -> Result<(), JournalError> {
    check_folder(folder)?;
    for path in names.iter().map(|name| folder.join(name)) {
        match fs::symlink_metadata(&path) {
            Ok(found) => check_file(&path, &found)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(JournalError::Io(path, error)),
        }
    }
    Ok(())
}

fn check_folder(folder: &Path) -> Result<(), JournalError> {
    // The folder itself may be reached by a symbolic link, which the operator has set.
    let found = fs::metadata(folder).map_err(|error| JournalError::Io(folder.to_owned(), error))?;
    let own = own_user();
    // The superuser can change everything anyway, and volumes of containers often belong to it.
    if found.uid() != own && found.uid() != 0 && own != 0 {
        return Err(foreign(folder, &found));
    }
    if found.mode() & WRITABLE == 0 {
        return Ok(());
    }
    if found.uid() == own {
        return restrict(folder, &found, WRITABLE);
    }
    if found.mode() & 0o002 != 0 && found.mode() & STICKY == 0 {
        // This is no error, because volumes of containers are often like this, and a container has no other
        // users.
        log::warn!(
            "every user of this machine can replace the files in {}, and so bring revoked tokens back: restrict its \
             mode to 0700, unless this is a container without other users",
            folder.display()
        );
    }
    Ok(())
}

fn check_file(path: &Path, found: &Metadata) -> Result<(), JournalError> {
    let refuse = |reason: &str| Err(JournalError::Unsafe(path.to_owned(), reason.to_owned()));
    if found.file_type().is_symlink() {
        return refuse(
            "it is a symbolic link. Set server.state_dir to the folder of the file itself, or remove the link",
        );
    }
    if !found.is_file() {
        return refuse("it is not a file. Remove it");
    }
    if found.uid() != own_user() {
        return Err(foreign(path, found));
    }
    if found.nlink() > 1 {
        return refuse("the file has a second name (a hard link). Remove one of the two");
    }
    if found.mode() & ACCESSIBLE != 0 {
        return restrict(path, found, ACCESSIBLE);
    }
    Ok(())
}

/// Takes bits from a mode.
fn restrict(path: &Path, found: &Metadata, bits: u32) -> Result<(), JournalError> {
    let (before, after) = (found.mode() & 0o7777, found.mode() & 0o7777 & !bits);
    fs::set_permissions(path, Permissions::from_mode(after))
        .map_err(|error| JournalError::Io(path.to_owned(), error))?;
    log::warn!(
        "the mode of {} was {before:04o}, so other users could have changed or read it: it is {after:04o} now",
        path.display()
    );
    Ok(())
}

fn foreign(path: &Path, found: &Metadata) -> JournalError {
    let reason = format!(
        "it belongs to user {}, and the gateway runs as user {}. Change its owner, or set server.state_dir to another folder",
        found.uid(),
        own_user()
    );
    JournalError::Unsafe(path.to_owned(), reason)
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    const NAMES: [&str; 2] = ["journal.db", "journal.db-wal"];

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn modes_that_permit_too_much_are_corrected() {
        let folder = tempfile::tempdir().unwrap();
        let [database, log] = NAMES.map(|name| folder.path().join(name));
        fs::write(&database, b"").unwrap();
        fs::write(&log, b"").unwrap();
        for (path, mode) in [(folder.path(), 0o777), (&*database, 0o644), (&*log, 0o666)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        check(folder.path(), &NAMES).unwrap();
        assert_eq!((mode(folder.path()), mode(&database), mode(&log)), (0o755, 0o600, 0o600));
        check(folder.path(), &NAMES).unwrap();
    }

    #[test]
    fn files_that_another_person_may_have_put_there_are_refused() {
        let reason = |prepare: &dyn Fn(&Path)| {
            let folder = tempfile::tempdir().unwrap();
            prepare(folder.path());
            check(folder.path(), &NAMES).unwrap_err().to_string()
        };
        for name in NAMES {
            let elsewhere = tempfile::NamedTempFile::new().unwrap();
            let linked = reason(&|folder| symlink(elsewhere.path(), folder.join(name)).unwrap());
            assert!(linked.contains(name) && linked.contains("symbolic link"), "{linked}");
            let named = reason(&|folder| {
                fs::write(folder.join("other"), b"").unwrap();
                fs::hard_link(folder.join("other"), folder.join(name)).unwrap();
            });
            assert!(named.contains("second name"), "{named}");
            let folder = reason(&|folder| fs::create_dir(folder.join(name)).unwrap());
            assert!(folder.contains("not a file"), "{folder}");
        }
        // Only the superuser can give files away.
        if own_user() == 0 {
            let given = reason(&|folder| {
                fs::write(folder.join(NAMES[0]), b"").unwrap();
                chown(folder.join(NAMES[0]), Some(12_345), None).unwrap();
            });
            assert!(given.contains("belongs to user 12345") && given.contains("Change its owner"), "{given}");
        }
    }
}
