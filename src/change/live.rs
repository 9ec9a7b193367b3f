//! The interface of the gateway whose configuration a commit changes.

use super::error::ChangeError;
use super::texts::Texts;
use crate::config::{Config, ConfigErrors};

/// The gateway whose configuration is changed. The module `gateway` implements this trait for a running
/// gateway, and for a gateway in another process.
pub(crate) trait Live: Send + Sync {
    /// Compiles texts as the gateway would: the configuration, its routes, its certificates and its access
    /// tests.
    ///
    /// # Errors
    /// Returns all errors in the texts.
    fn check(&self, texts: &Texts) -> Result<Config, ConfigErrors>;

    /// Puts texts into force that were checked before. Calls `replace`, which writes the files, after all
    /// preparations. No other change applies these files in the meantime. Returns the number of the
    /// configuration in this process, or `None` if the gateway runs in another process, which detects the
    /// changed files by itself.
    ///
    /// # Errors
    /// Returns the error of `replace`, or the reason why the texts are not in force.
    fn apply(
        &self,
        texts: &Texts,
        replace: &mut dyn FnMut() -> Result<(), ChangeError>,
    ) -> Result<Option<u64>, ChangeError>;
}
