//! Options for reading the files of a configuration.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::error::Position;

/// Options for reading a configuration.
pub(super) struct Reading<'a> {
    /// Looks up environment variables.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    /// The value of a secret whose environment variable is not set. With `None`, that is an error.
    pub(super) unset_secret: Option<&'static str>,
    /// Files whose texts are not those on the disk.
    pub(super) edited: &'a [(PathBuf, String)],
}

/// Returns the text of a file, or what is wrong with it and where.
pub(super) fn read_text(
    path: &Path,
    most: u64,
    reading: &Reading<'_>,
) -> Result<String, (Option<Position>, String)> {
    if let Some((_, text)) = reading.edited.iter().find(|(edited, _)| edited == path) {
        return Ok(text.clone());
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| (None, error.to_string()))?;
    if bytes.len() as u64 > most {
        return Err((None, "the configuration is larger than 64 MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let position = Position::new(u32::try_from(line).unwrap_or(u32::MAX), 1);
        (Some(position), "not UTF-8 in this line, and TOML must be: save the file as UTF-8".to_owned())
    })
}
