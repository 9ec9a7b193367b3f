//! `tollgate check`.

use std::io::{self, Write as _};
use std::path::Path;

use super::{Failure, load, run};
use crate::config::Config;

/// Reports every error of a configuration, or what it would make.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    let (config, _) = load(path, None)?;
    run::check_certificates(&config)?;
    warn_of_unenforced(&config);
    println!(
        "{}: good ({} listening, {}, {}, {})",
        path.display(),
        count(config.server.listen.len(), "address", "addresses"),
        count(config.clients.len(), "client", "clients"),
        count(config.upstreams.len(), "upstream", "upstreams"),
        count(config.routes.len(), "route", "routes"),
    );
    Ok(())
}

/// Says which settings of the file nothing acts on, each in a line on stderr.
pub(super) fn warn_of_unenforced(config: &Config) {
    let mut err = io::stderr().lock();
    for setting in unenforced(config) {
        let _ = writeln!(err, "WARNING: {setting} is read but not acted on in this version");
    }
}

/// The settings of the file that are read and not acted on: the one list of them.
pub(super) fn unenforced(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    if config.server.access_log {
        found.push("server.access_log".to_owned());
    }
    found
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
