//! The client whose tokens are meant if none is named.

use std::error::Error;
use std::fmt;

use crate::config::Config;

/// Why no client is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoSoleClient {
    /// No client gets tokens with a secret.
    None,
    /// Several clients do.
    Several(Vec<String>),
}

impl fmt::Display for NoSoleClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str(
                "no client of the configuration can get tokens with a secret: name one with --client",
            ),
            Self::Several(ids) => write!(f, "which client? Name one with --client: {}", ids.join(", ")),
        }
    }
}

impl Error for NoSoleClient {}

/// Returns the only client of a configuration that gets tokens with a secret in the body of the request.
///
/// # Errors
/// If there is none, or more than one.
pub(crate) fn sole_client(config: Option<&Config>) -> Result<String, NoSoleClient> {
    let clients = config.iter().flat_map(|config| &config.clients).filter(|client| {
        client.enabled
            && client.capabilities.client_credentials
            && client.authentication.secret.as_ref().is_some_and(|secret| secret.post)
    });
    let mut ids: Vec<String> = clients.map(|client| client.id.to_string()).collect();
    match (ids.pop(), ids.is_empty()) {
        (None, _) => Err(NoSoleClient::None),
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            ids.push(last);
            Err(NoSoleClient::Several(ids))
        }
    }
}
