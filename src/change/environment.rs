//! Reads gateway.toml for an editor whose environment may lack the secrets of the gateway.

use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigErrors};
use crate::gate::SecretHash;

/// Reads a configuration in order to describe or change it.
///
/// # Errors
/// Returns every error of the file.
pub(crate) fn read_config(path: &Path) -> Result<Config, ConfigErrors> {
    Config::load_for_editing(path, SOME_SECRET, &[])
}

/// Reads a configuration from texts instead of the files on disk.
///
/// # Errors
/// Returns every error of the configuration.
pub(crate) fn read_edited(path: &Path, texts: &[(PathBuf, String)]) -> Result<Config, ConfigErrors> {
    Config::load_for_editing(path, SOME_SECRET, texts)
}

/// The placeholder for a secret whose variable is not set.
///
/// Secrets are set in the environment of the gateway process, and usually not in the shell where an operator
/// lists clients. If a variable is missing here, it is assumed to be set for the gateway.
///
/// The text is valid wherever a secret is allowed: as a hash, a header value or a password.
const SOME_SECRET: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Returns whether a hash is the placeholder for one from the gateway's environment.
pub(crate) fn is_unknown(hash: &SecretHash) -> bool {
    hash.to_phc() == SOME_SECRET
}
