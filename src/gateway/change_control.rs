//! Staged changes of the configuration, and the gateway that they are applied to.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{io, thread};

use super::build;
use super::error::StartError;
use super::load::test_access;
use super::reload::Reloader;
use crate::admin::control::Control as _;
use crate::change::FileError;
use crate::change::control::ChangeControl;
use crate::change::environment::read_edited;
use crate::change::error::ChangeError;
use crate::change::live::Live;
use crate::change::state::{StateFolder, state_dir as state_dir_of};
use crate::change::texts::Texts;
use crate::config::{Config, ConfigErrors};
use crate::threads;

/// How often the thread checks the deadlines of commits and edits from outside.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A gateway that runs in this process.
struct Running(Arc<Reloader>);

impl Live for Running {
    fn check(&self, texts: &Texts) -> Result<Config, ConfigErrors> {
        self.0.check(texts)
    }

    fn apply(
        &self,
        texts: &Texts,
        replace: &mut dyn FnMut() -> Result<(), ChangeError>,
    ) -> Result<Option<u64>, ChangeError> {
        self.0.apply_texts(texts, replace).map(Some)
    }
}

/// A gateway that runs in another process, or does not run. It detects changed files by itself.
struct Elsewhere;

impl Live for Elsewhere {
    fn check(&self, texts: &Texts) -> Result<Config, ConfigErrors> {
        let config = read_edited(texts.main_path(), texts.files())?;
        let rules = build::rules(&config, None)?;
        test_access((config, rules)).map(|(config, _)| config)
    }

    fn apply(
        &self,
        _texts: &Texts,
        replace: &mut dyn FnMut() -> Result<(), ChangeError>,
    ) -> Result<Option<u64>, ChangeError> {
        replace().map(|()| None)
    }
}

/// Opens the staged changes of the configuration that this process runs.
///
/// # Errors
/// The state folder cannot be used.
pub(super) fn of_running(
    path: &Path,
    state_dir: &Path,
    reloader: &Arc<Reloader>,
) -> io::Result<Arc<ChangeControl>> {
    let live = Box::new(Running(Arc::clone(reloader)));
    ChangeControl::open(path, state_dir, live).map(Arc::new)
}

/// Opens the staged changes of a configuration for a command, and recovers from a crash.
///
/// # Errors
/// The configuration cannot be read, or the state folder cannot be used.
pub(crate) fn of_command(path: &Path) -> Result<ChangeControl, ChangeError> {
    let texts = Texts::read(path).map_err(|error| ChangeError::File(FileError::Open(error)))?;
    let control = ChangeControl::open(path, &state_dir_of(&texts)?, Box::new(Elsewhere));
    let control = control.map_err(ChangeError::State)?;
    control.settle(SystemTime::now())?;
    Ok(control)
}

/// Returns the staged changes of a configuration that a command edits, if its state folder exists.
pub(crate) fn of_edit(path: &Path) -> Option<ChangeControl> {
    let state_dir = state_dir_of(&Texts::read(path).ok()?).ok()?;
    let exists = StateFolder::in_state_dir(&state_dir).exists();
    exists.then(|| ChangeControl::open(path, &state_dir, Box::new(Elsewhere)).ok())?
}

/// Recovers from a crash before the configuration is read: an interrupted commit, and a commit that was not
/// confirmed in time. Does nothing if staged changes were never used.
pub(super) fn settle(path: &Path) -> Result<(), StartError> {
    let state_dir = Texts::read(path).ok().and_then(|texts| state_dir_of(&texts).ok());
    let Some(folder) = state_dir.map(|state_dir| StateFolder::in_state_dir(&state_dir)) else {
        return Ok(());
    };
    if !folder.exists() {
        return Ok(());
    }
    let Err(error) = of_command(path) else { return Ok(()) };
    let message = format!("the staged changes of {} cannot be settled: {error}", path.display());
    if folder.has_unconfirmed() {
        // The commit may be due for its rollback, in which case its configuration must not be served.
        return Err(StartError::system(message));
    }
    log::error!("{message}");
    Ok(())
}

/// Starts the thread that enforces the deadlines of commits, including commits by commands, and records edits
/// from outside.
pub(super) fn watch(
    path: &Path,
    state_dir: &Path,
    reloader: &Arc<Reloader>,
    control: Option<Arc<ChangeControl>>,
) -> io::Result<()> {
    let (path, state_dir, reloader) = (path.to_owned(), state_dir.to_owned(), Arc::clone(reloader));
    let run = move || {
        let folder = StateFolder::in_state_dir(&state_dir);
        let mut control = control;
        let (mut before, mut recorded) = (None, None);
        let mut reported = String::new();
        while !reloader.is_retired() {
            thread::sleep(LOOK_EVERY);
            if control.is_none() && folder.exists() {
                control = of_running(&path, &state_dir, &reloader).ok();
            }
            let Some(control) = &control else { continue };
            let now = Some(look(&path, &reloader));
            let mut keep = || -> Result<(), ChangeError> {
                control.enforce_deadline(SystemTime::now())?;
                // A file that is being written is different at each check.
                if now == before && now != recorded && control.record_outside_edit()? {
                    recorded.clone_from(&now);
                }
                Ok(())
            };
            let outcome = keep().err().map(|error| error.to_string()).unwrap_or_default();
            if !outcome.is_empty() && outcome != reported {
                log::error!("staged changes: {outcome}");
            }
            reported = outcome;
            before = now;
        }
    };
    threads::spawn("tollgate-change", run).map(drop)
}

/// Returns what differs if a file of the configuration is replaced or written.
fn look(main: &Path, reloader: &Reloader) -> Vec<(PathBuf, u64, u64, i64, i64)> {
    let config = reloader.config();
    let look = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((path.to_owned(), metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
    };
    std::iter::once(main).chain(config.included.iter().map(PathBuf::as_path)).filter_map(look).collect()
}
