//! What the listener asks of the running gateway.

use std::sync::Arc;
use std::time::SystemTime;

use crate::config::{Config, ConfigErrors};
use crate::proxy::rules::Rules;

/// The running gateway, as the assembly passes it in.
pub(crate) trait Control: Send + Sync + 'static {
    /// Returns the configuration in force.
    fn config(&self) -> Arc<Config>;

    /// Returns what became of the last reload; `None` if there was none since the start.
    fn last_reload(&self) -> Option<Reload>;

    /// Builds the rules of a configuration that is not in force, to explain and to compare.
    ///
    /// # Errors
    /// As a reload.
    fn rules(&self, config: &Config) -> Result<Rules, ConfigErrors>;
}

/// What became of a reload.
#[derive(Debug, Clone)]
pub(crate) struct Reload {
    /// When it was.
    pub(crate) at: SystemTime,
    /// Why the configuration was not applied; `None` if it was.
    pub(crate) error: Option<String>,
}
