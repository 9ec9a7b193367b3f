//! Reads the kinds of values that many keys share.

use std::{
    collections::BTreeSet,
    fs::File,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    error::ErrorKind,
    reader::{Table, Value},
    secret::{self, Source},
    settings::{Bounds, Setting, Size, rates::BURST},
    suggest,
    units::{Rate, Shown, ShownSize, parse_duration, parse_rate, parse_size},
    warning::Lint,
};
use crate::oauth::secret::Secret;

impl Table<'_> {
    /// Takes a number, or its default.
    pub(super) fn number(&mut self, setting: &Setting<u32>) -> u32 {
        self.or(setting.bounds.name, setting.default, |value| value.number(&setting.bounds))
    }

    /// Takes a number whose bounds exclude 0, or its default.
    pub(super) fn positive(&mut self, setting: &Setting<u32>) -> NonZeroU32 {
        NonZeroU32::new(self.number(setting)).unwrap_or(NonZeroU32::MIN)
    }

    /// Takes a number that is a size in memory, or its default.
    pub(super) fn count(&mut self, setting: &Setting<u32>) -> usize {
        as_count(self.number(setting))
    }

    /// Takes a duration, or its default.
    pub(super) fn duration(&mut self, setting: &Setting<Duration>) -> Duration {
        self.or(setting.bounds.name, setting.default, |value| value.duration(&setting.bounds))
    }

    /// Takes a duration that has no default.
    pub(super) fn optional_duration(&mut self, bounds: &Bounds<Duration>) -> Option<Duration> {
        self.take(bounds.name)?.duration(bounds)
    }
}

/// A number that was checked to be small.
pub(super) fn as_count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl<'a> Value<'a> {
    /// Reads a whole number.
    pub(super) fn number(&self, allowed: &Bounds<u32>) -> Option<u32> {
        let Bounds { least, most, .. } = *allowed;
        let wanted = format!("a whole number from {least} to {most}");
        let Some(integer) = self.inner().as_integer() else {
            return self.wrong_type(wanted);
        };
        match u32::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => self.invalid(format!("must be {wanted}")),
        }
    }

    /// Reads a whole number that may be large.
    pub(super) fn counter(&self, allowed: &Bounds<u64>) -> Option<u64> {
        let Bounds { least, most, .. } = *allowed;
        let wanted = format!("a whole number from {least} to {most}");
        let Some(integer) = self.inner().as_integer() else {
            return self.wrong_type(wanted);
        };
        match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => self.invalid(format!("must be {wanted}")),
        }
    }

    /// Reads a duration with its unit.
    pub(super) fn duration(&self, allowed: &Bounds<Duration>) -> Option<Duration> {
        let allowed = allowed.least..=allowed.most;
        let (least, most) = (Shown(*allowed.start()), Shown(*allowed.end()));
        let wanted = format!(
            "a duration from {least} to {most}, with its unit: \"250ms\", \"299s\", \"5m\", \"1h\" or \"2d\""
        );
        if let Some(number) = self.inner().as_integer() {
            return self.fail(
                ErrorKind::WrongType,
                format!("has no unit; write \"{number}s\" if seconds are meant. It must be {wanted}"),
            );
        }
        match parse_duration(self.string(&wanted)?) {
            Ok(duration) if allowed.contains(&duration) => Some(duration),
            Ok(_) => self.invalid(format!("is out of range: it must be {wanted}")),
            Err(error) => self.invalid(format!("{error}: it must be {wanted}")),
        }
    }

    /// Reads a size with its unit, in bytes.
    pub(super) fn size(&self, allowed: &Bounds<Size>) -> Option<u64> {
        let allowed = allowed.least.0..=allowed.most.0;
        let (least, most) = (ShownSize(*allowed.start()), ShownSize(*allowed.end()));
        let wanted =
            format!("a size from {least} to {most}, with its unit: \"512B\", \"16KiB\" or \"10MiB\"");
        if let Some(number) = self.inner().as_integer() {
            return self.fail(
                ErrorKind::WrongType,
                format!("has no unit; write \"{number}B\" if bytes are meant. It must be {wanted}"),
            );
        }
        match parse_size(self.string(&wanted)?) {
            Ok(size) if allowed.contains(&size) => Some(size),
            Ok(_) => self.invalid(format!("is out of range: it must be {wanted}")),
            Err(error) => self.invalid(format!("{error}: it must be {wanted}")),
        }
    }

    /// Reads a rate: `"100/s"` or `{ rate = "100/s", burst = 200 }`.
    pub(super) fn rate(&self) -> Option<Rate> {
        const WANTED: &str = "a rate such as \"100/s\", \"10/m\" or { rate = \"100/s\", burst = 200 }";
        if self.inner().is_table() {
            return self.table(WANTED, |table| {
                let rate = table
                    .need("rate", "how often, such as \"100/s\"")
                    .and_then(|value| value.plain_rate(WANTED));
                let burst = table.take("burst").map(|value| value.number(&BURST).and_then(NonZeroU32::new));
                let rate = rate?;
                Some(Rate { burst: burst.unwrap_or(Some(rate.burst))?, ..rate })
            })?;
        }
        self.plain_rate(WANTED)
    }

    fn plain_rate(&self, wanted: &str) -> Option<Rate> {
        parse_rate(self.string(wanted)?)
            .map_or_else(|error| self.invalid(format!("{error}: it must be {wanted}")), Some)
    }

    /// Reads one of several words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let wanted = match names.as_slice() {
            [only] => format!("{only:?}"),
            _ => format!(
                "one of {}",
                names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
            ),
        };
        let text = self.string(&wanted)?;
        match choices.iter().find(|(name, _)| *name == text) {
            Some((_, choice)) => Some(*choice),
            None => self.invalid(format!("must be {wanted}{}", suggest::hint(text, names))),
        }
    }

    /// Reads a text without control characters, of 1 to `longest` bytes.
    pub(super) fn text(&self, what: &str, longest: usize) -> Option<&'a str> {
        let text = self.string(what)?;
        if text.is_empty() {
            return self.invalid(format!("is empty; it must be {what}"));
        }
        if text.len() > longest || text.chars().any(char::is_control) {
            return self.invalid(format!(
                "must be {what} of at most {longest} bytes and without control characters"
            ));
        }
        Some(text)
    }

    /// Reads a secret: in the file, in the environment (`env:NAME`) or in a file (`file:path`).
    pub(super) fn secret_text(self, what: &str) -> Option<Secret> {
        let value = self.secret();
        let Some(text) = value.inner().as_str() else {
            return value.wrong_type(format_args!("{what}, or \"env:NAME\" or \"file:path\""));
        };
        let unavailable =
            |message: String| value.clone().public().fail(ErrorKind::SecretUnavailable, message);
        let secret = match Source::of(text) {
            Source::Literal(text) => {
                // A hash in the file is a matter of the file as a whole.
                if !text.starts_with("$argon2") && is_readable_by_others(value.file()) {
                    value.warn(
                        Lint::ReadableByOthers,
                        format!(
                            "is in a file that every user of this machine can read: chmod o-rwx {}, or take it from \
                             \"env:NAME\" or \"file:path\"",
                            value.file().display()
                        ),
                    );
                }
                Secret::new(text.to_owned())
            }
            Source::Environment => {
                let variable = value.variable();
                // A malformed name may be a secret that happens to begin with `env:`, so it is not shown.
                let Some(name) = variable.and_then(|variable| variable.name.as_deref()) else {
                    return value
                        .invalid("what follows \"env:\" must be the name of an environment variable");
                };
                let text = variable.and_then(|variable| variable.value.as_deref());
                match text.or(value.cx.unset_secret) {
                    Some(text) => Secret::new(text.to_owned()),
                    None => {
                        return unavailable(format!(
                            "the environment variable {name} is not set, or not UTF-8"
                        ));
                    }
                }
            }
            Source::File("") => return value.invalid("has no path after \"file:\": write \"file:path\""),
            Source::File(path) => {
                let path = value.cx.base_dir.join(path);
                value.cx.names(&path);
                match secret::read_file(&path) {
                    Ok(secret) => {
                        value.warn_if_readable_by_others(&path);
                        secret
                    }
                    Err(error) => return unavailable(format!("cannot read {}: {error}", path.display())),
                }
            }
        };
        if secret.expose().is_empty() {
            return value.invalid(format!("is empty; it must be {what}"));
        }
        Some(secret)
    }

    /// Reads a path. A relative one starts at the folder of the file.
    pub(super) fn path(&self, what: &str) -> Option<PathBuf> {
        Some(self.cx.base_dir.join(self.text(what, 4096)?))
    }

    /// Reads the path of a file, and checks that it can be read.
    pub(super) fn readable_file(&self, what: &str) -> Option<PathBuf> {
        let path = self.path(what)?;
        self.cx.names(&path);
        match check_readable(&path) {
            Ok(()) => Some(path),
            Err(error) => {
                self.fail(ErrorKind::FileUnavailable, format!("cannot read {}: {error}", path.display()))
            }
        }
    }

    /// Reads the path of a file that only the gateway may be able to read, and checks that the gateway is.
    pub(super) fn private_file(&self, what: &str) -> Option<PathBuf> {
        let path = self.readable_file(what)?;
        self.warn_if_readable_by_others(&path);
        Some(path)
    }

    /// Warns if every user of the machine can read a file with a secret in it.
    fn warn_if_readable_by_others(&self, path: &Path) {
        if is_readable_by_others(path) {
            let command = format!("chmod o-rwx {}", path.display());
            let message = format!("every user of this machine can read {}: {command}", path.display());
            self.clone().public().warn(Lint::ReadableByOthers, message);
        }
    }

    /// Reads each element of a list, and reports elements that are in it twice.
    pub(super) fn set_of<T>(
        &self,
        what: &str,
        mut read: impl FnMut(&Value<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut seen = BTreeSet::new();
        self.each(what, |item| {
            let first = item.peek().is_none_or(|text| seen.insert(text));
            if first {
                read(&item)
            } else {
                item.fail(ErrorKind::Duplicate, "is in this list twice; remove one")
            }
        })
    }
}

/// Returns whether every user of the machine can read a file or list a folder. `false` if it is not there.
pub(crate) fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

fn check_readable(path: &Path) -> std::io::Result<()> {
    // A folder can be opened, but not read.
    if File::open(path)?.metadata()?.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    Ok(())
}
