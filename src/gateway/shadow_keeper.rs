//! Saves the observations of routes in shadow mode, and logs reminders about those routes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Millis;
use crate::proxy::pipeline::Proxy;
use crate::shadow::file::ShadowFile;
use crate::shadow::{Learned, Taken};
use crate::sorting::collect_sorted;
use crate::state_file::DocumentError;

/// How often observations are saved. If the process is killed, the observations since the last save are lost.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// How often routes in shadow mode are reported.
const REMIND_EVERY: Duration = Duration::from_secs(86_400);

/// Saves the observations of routes in shadow mode to a file.
pub(crate) struct ShadowKeeper {
    proxy: &'static Proxy,
    learned: Arc<Learned>,
    file: ShadowFile,
    /// What this process learns after another one has taken over.
    late: ShadowFile,
    saved_at: Millis,
    /// Whether the log already reports that the file cannot be written.
    failed: bool,
    /// What was known when another process took over, which writes the file since then.
    handed_over: Option<Taken>,
    reminder: Reminder,
}

impl ShadowKeeper {
    /// Restores the observations of earlier processes. A file that cannot be read is renamed, with a warning.
    /// `alone` says that no other process is ending.
    pub(crate) fn new(proxy: &'static Proxy, state_dir: &Path, alone: bool) -> Self {
        let learned = Arc::clone(&proxy.rules().learned);
        let (file, late) = (ShadowFile::in_folder(state_dir), ShadowFile::late_in_folder(state_dir));
        if let Err(error) = file.restore(&learned) {
            set_aside(&file, &error);
        }
        let now = proxy.gate().clock().now();
        let reminder = Reminder { at: now, refused: refused(&learned) };
        let mut keeper =
            Self { proxy, learned, file, late, saved_at: now, failed: false, handed_over: None, reminder };
        if alone {
            keeper.absorb();
        }
        keeper
    }

    /// Saves the observations, and leaves the file to another process. Later observations of this process go
    /// to a file of their own, which the other process adds when this one has ended.
    pub(crate) fn hand_over(&mut self) {
        if self.handed_over.is_none() {
            let taken = self.learned.take();
            if let Err(error) = self.file.save_taken(&taken) {
                log::warn!("{} cannot be written: {error}", self.file.path().display());
            }
            self.handed_over = Some(taken);
        }
    }

    /// Resumes writing the file, because no other process writes it.
    pub(crate) fn resume(&mut self) {
        if let Some(taken) = self.handed_over.take() {
            self.learned.give_back(taken);
            // What it has is in memory.
            let _ = std::fs::remove_file(self.late.path());
        }
    }

    /// Adds the observations of a process that has ended, after this one had taken over.
    pub(crate) fn absorb(&mut self) {
        if let Err(error) = self.late.absorb(&self.learned) {
            set_aside(&self.late, &error);
        }
    }

    /// Saves the observations if the last save was long enough ago or `at_once` is set, and logs a reminder
    /// about routes that are still in shadow mode.
    pub(crate) fn look(&mut self, at_once: bool) {
        let now = self.proxy.gate().clock().now();
        if !at_once && now.since(self.saved_at) < SAVE_EVERY {
            return;
        }
        self.saved_at = now;
        let rules = self.proxy.rules();
        let routes = rules.meters.routes();
        let names: BTreeSet<&str> = collect_sorted(routes.iter().map(|route| route.name()));
        self.learned.retain(|name| names.contains(name));
        if let Some(line) = self.reminder.line(now, rules.shadow_routes, refused(&self.learned)) {
            log::warn!("{line}");
        }
        let file = if self.handed_over.is_some() { &self.late } else { &self.file };
        match file.save(&self.learned) {
            Ok(()) => self.failed = false,
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    log::warn!(
                        "{} cannot be written ({error}): what routes in shadow mode have learned will be lost at a restart",
                        file.path().display()
                    );
                }
            }
        }
    }
}

/// Renames a file that cannot be used, with a warning.
fn set_aside(file: &ShadowFile, error: &DocumentError) {
    let aside = match file.set_aside() {
        Ok(aside) => format!("it is kept as {}", aside.display()),
        Err(error) => format!("and it cannot be moved away: {error}"),
    };
    log::warn!("{} {error}; routes in shadow mode learn without it ({aside})", file.path().display());
}

/// Returns how many requests an enforced route would have refused since the start.
fn refused(learned: &Learned) -> u64 {
    let routes = learned.routes();
    routes.iter().flat_map(|route| route.refusals()).fold(0, |sum, (_, count)| sum.saturating_add(count))
}

/// The time of the last reminder, and the number of refusals that it reported.
struct Reminder {
    at: Millis,
    refused: u64,
}

impl Reminder {
    /// Returns the line to log, once a day.
    fn line(&mut self, now: Millis, routes: usize, refused: u64) -> Option<String> {
        if now.since(self.at) < REMIND_EVERY {
            return None;
        }
        let lately = refused.saturating_sub(self.refused);
        (self.at, self.refused) = (now, refused);
        let subject = match routes {
            0 => return None,
            1 => "1 route is in shadow mode and refuses".to_owned(),
            routes => format!("{routes} routes are in shadow mode and refuse"),
        };
        Some(format!(
            "{subject} nobody: {lately} requests of the last 24 hours would have been refused; `mode = \"enforce\"` ends that"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_in_shadow_mode_are_reported_once_a_day() {
        let at = |hours: u64| Millis::new(hours * 3_600_000);
        let mut reminder = Reminder { at: at(0), refused: 5 };
        assert_eq!(reminder.line(at(23), 2, 10), None);
        let line = reminder.line(at(24), 2, 12).unwrap();
        assert!(line.starts_with("2 routes are in shadow mode") && line.contains(" 7 requests"), "{line}");
        assert_eq!(reminder.line(at(47), 2, 13), None);
        assert!(reminder.line(at(48), 1, 13).unwrap().contains(" 1 requests of the last 24 hours"));
        assert_eq!(reminder.line(at(72), 0, 14), None);
        assert_eq!(reminder.line(at(73), 1, 14), None, "the last look was an hour ago");
    }
}
