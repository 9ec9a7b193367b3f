//! Warnings about a configuration as a whole: settings that are valid alone and probably a mistake in
//! combination.
//!
//! A warning about a single value is made where the value is read ([`Config::warnings`]). The lints in this
//! module compare routes, clients, scopes and listeners.

mod acme;
pub(crate) mod exposure;
mod findings;
mod jwt;
mod names;
mod shadow;
mod spellings;

use self::findings::Findings;
use crate::config::{Config, ConfigWarning};
use crate::sorting::sort_by_key;

/// Returns every warning about a configuration, in the order of its lines. Warnings about the file as a whole
/// come first.
pub(crate) fn lint(config: &Config) -> Vec<ConfigWarning> {
    let mut findings = Findings::new(config);
    names::names(config, &mut findings);
    spellings::spellings(config, &mut findings);
    exposure::exposure(config, &mut findings);
    shadow::shadow(config, &mut findings);
    jwt::jwt(config, &mut findings);
    acme::acme(config, &mut findings);
    let mut all = findings.into_all();
    sort_by_key(&mut all, |warning| warning.position);
    all
}

#[cfg(test)]
mod tests;
