//! The interface of the running gateway for the listener.

use std::sync::Arc;
use std::time::SystemTime;

use crate::config::{Config, ConfigErrors};
use crate::proxy::rules::Rules;

/// The running gateway, which the `gateway` module implements.
pub(crate) trait Control: Send + Sync + 'static {
    /// Returns the configuration in force.
    fn config(&self) -> Arc<Config>;

    /// Returns the result of the last reload, or `None` if there was none since the start.
    fn last_reload(&self) -> Option<Reload>;

    /// Compiles the rules of a configuration that is not in force, in order to explain and compare it.
    ///
    /// # Errors
    /// Fails with the errors of a reload.
    fn rules(&self, config: &Config) -> Result<Rules, ConfigErrors>;
}

/// The result of a reload.
#[derive(Debug, Clone)]
pub(crate) struct Reload {
    /// The time of the reload.
    pub(crate) at: SystemTime,
    /// The reason why the configuration was not applied, or `None` if it was.
    pub(crate) error: Option<String>,
}
