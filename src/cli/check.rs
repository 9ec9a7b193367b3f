//! `tollgate check`.

use std::path::Path;

use crate::cli::failure::Failure;
use crate::gateway::load::load;

/// Reports every error of a configuration, or what it would make.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    let (config, _) = load(path, None)?;
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

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
