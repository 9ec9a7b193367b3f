//! `tollgate diff`: what one configuration grants that another does not.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use crate::access::difference::{Change, difference};
use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::output;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The configuration before the change.
    before: PathBuf,
    /// The configuration after the change. Default: the file that --config names.
    after: Option<PathBuf>,
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// Prints the changes. Fails if one of them widens access, so that a review can be required for it.
pub(super) fn diff(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let before = read_config(&arguments.before)?;
    let after = read_config(arguments.after.as_deref().unwrap_or(path))?;
    let changes = difference(&before, &after, SystemTime::now());
    if arguments.json {
        let changes: Vec<Value> = changes.iter().map(Change::to_json).collect();
        output::print(&output::json(&Value::Array(changes)))?;
    } else if changes.is_empty() {
        output::print("Nothing that clients can reach changes.\n")?;
    } else {
        let line = |change: &Change| format!("{} {change}\n", if change.widens() { "+" } else { "-" });
        output::print(&changes.iter().map(line).collect::<String>())?;
    }
    match changes.iter().filter(|change| change.widens()).count() {
        0 => Ok(()),
        1 => Err(Failure::other("1 change widens access")),
        count => Err(Failure::other(format!("{count} changes widen access"))),
    }
}
