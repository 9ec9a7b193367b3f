//! gateway.toml as an editor reads it: without the environment that the gateway itself runs in.

use std::path::Path;

use crate::config::{Config, ConfigErrors};
use crate::gate::SecretHash;

/// Reads a configuration in order to describe or change it.
///
/// # Errors
/// Everything that is wrong with the file.
pub(crate) fn read_config(path: &Path) -> Result<Config, ConfigErrors> {
    Config::load_with(path, &environment)
}

/// Returns a variable of the gateway's environment, or a stand-in for it.
///
/// Secrets are set for the gateway's own process and usually not in the shell where an operator lists clients. A
/// variable that is missing here is assumed to exist there.
pub(crate) fn environment(name: &str) -> Option<String> {
    Some(std::env::var(name).unwrap_or_else(|_| SOME_SECRET.to_owned()))
}

/// A value that is valid wherever a secret may be: as a hash (of nothing), a header value or a password.
const SOME_SECRET: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Returns whether a hash is the stand-in for one from the gateway's environment.
pub(crate) fn is_unknown(hash: &SecretHash) -> bool {
    hash.to_phc() == SOME_SECRET
}
