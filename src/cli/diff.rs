//! `tollgate diff`: what one configuration grants that another does not.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::access::difference::{Change, difference};
use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::restart::needs_restart;

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

/// Prints the changes, and the keys that take effect only after a restart. Fails if a change widens access,
/// so that a review can be required for it.
pub(super) fn diff(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let before = read_config(&arguments.before)?;
    let after = read_config(arguments.after.as_deref().unwrap_or(path))?;
    let changes = difference(&before, &after, SystemTime::now());
    let restart = needs_restart(&before, &after);
    let late = |key: &String| format!("{key} takes effect only after a restart");
    if arguments.json {
        let restart = restart
            .iter()
            .map(|key| json!({ "change": "needs_restart", "key": key, "widens": false, "text": late(key) }));
        let changes: Vec<Value> = changes.iter().map(Change::to_json).chain(restart).collect();
        output::print(&output::json(&Value::Array(changes)))?;
    } else if changes.is_empty() && restart.is_empty() {
        output::print("Nothing that clients can reach changes.\n")?;
    } else {
        let line = |change: &Change| format!("{} {change}\n", if change.widens() { "+" } else { "-" });
        let restart = restart.iter().map(|key| format!("! {}\n", late(key)));
        output::print(&changes.iter().map(line).chain(restart).collect::<String>())?;
    }
    match changes.iter().filter(|change| change.widens()).count() {
        0 => Ok(()),
        1 => Err(Failure::other("1 change widens access")),
        count => Err(Failure::other(format!("{count} changes widen access"))),
    }
}
