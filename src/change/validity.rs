//! How long something that a person makes stays valid.

use std::time::Duration;

use crate::config::parse_duration;

/// The longest time. Its end must be a date that TOML can write.
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);

/// Reads the value of an option or a field, such as `--keep-old 24h`.
///
/// # Errors
/// A message about the text, without the text.
pub(crate) fn validity(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(duration) if (Duration::from_secs(1)..=LONGEST).contains(&duration) => Ok(duration),
        Ok(_) => Err("must be from 1s to ten years".to_owned()),
        Err(error) => Err(format!("{error}: write it with its unit, such as 24h or 7d")),
    }
}
