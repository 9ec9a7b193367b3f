//! What a commit needs of the gateway whose configuration it changes.

use super::error::ChangeError;
use super::texts::Texts;
use crate::config::{Config, ConfigErrors};

/// The gateway whose configuration is changed. The room `gateway` implements this for a running gateway and for one that
/// runs in another process.
pub(crate) trait Live: Send + Sync {
    /// Compiles texts as the gateway would run them: the configuration, its routes, its certificates and its access tests.
    ///
    /// # Errors
    /// Everything that is wrong.
    fn check(&self, texts: &Texts) -> Result<Config, ConfigErrors>;

    /// Puts texts into force that were checked before. Calls `replace`, which writes the files, once everything is
    /// prepared; nothing else applies these files meanwhile. Returns the number of the configuration in this process, or
    /// `None` if the gateway runs in another process, which finds the files by itself.
    ///
    /// # Errors
    /// That of `replace`, or why the texts are not in force.
    fn apply(
        &self,
        texts: &Texts,
        replace: &mut dyn FnMut() -> Result<(), ChangeError>,
    ) -> Result<Option<u64>, ChangeError>;
}
