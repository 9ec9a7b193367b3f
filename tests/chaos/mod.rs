//! Faults by the hundred, run by hand with `tests/chaos/run`: a gateway that is killed while it issues and
//! revokes or compacts its journal, one that is replaced under load, and one whose configuration is changed
//! under load. Each test prints what it has seen.

mod commits;
mod compaction;
mod hang;
mod kills;
mod load;
mod upgrades;

/// Returns a number from the environment, or `otherwise`.
fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(otherwise)
}
