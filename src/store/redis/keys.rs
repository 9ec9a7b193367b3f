//! The names of keys in the engine.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::oauth::token::TokenDigest;
use crate::store::used_name::UsedName;

/// The names of all keys, under one prefix.
///
/// The log and the keys that belong to it have the same hash tag, so that one node of a cluster has all of
/// them. Tokens and used names are spread over the nodes.
#[derive(Debug)]
pub(super) struct Keys {
    /// The stream of revocations and ended epochs.
    pub(super) log: String,
    /// The hash of gateways: the time of each gateway's last read of the log, and a description of the
    /// gateway.
    pub(super) gateways: String,
    /// The hash of the epochs of clients.
    pub(super) epochs: String,
    /// The hash of registered clients that are gone: since when their epochs are of no use.
    pub(super) ended: String,
    /// The hash of registered clients.
    pub(super) clients: String,
    /// The number of changes of that hash.
    pub(super) clients_version: String,
    tokens: String,
    used: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        let tagged = |name: &str| format!("{{{prefix}}}:{name}");
        Self {
            log: tagged("log"),
            gateways: tagged("gateways"),
            epochs: tagged("epochs"),
            ended: tagged("ended"),
            clients: tagged("clients"),
            clients_version: tagged("clients-version"),
            tokens: format!("{prefix}:t:"),
            used: format!("{prefix}:u:"),
        }
    }

    pub(super) fn token(&self, token: &TokenDigest) -> String {
        named(&self.tokens, token.to_bytes())
    }

    pub(super) fn used(&self, name: UsedName) -> String {
        named(&self.used, name.to_bytes())
    }
}

fn named(kind: &str, digest: [u8; 16]) -> String {
    let mut key = String::with_capacity(kind.len() + 22);
    key.push_str(kind);
    URL_SAFE_NO_PAD.encode_string(digest, &mut key);
    key
}

/// Writes a digest as text.
pub(super) fn text_of(token: &TokenDigest) -> String {
    named("", token.to_bytes())
}

/// Reads a digest that [`text_of`] has written.
pub(super) fn digest_of(text: &str) -> Option<TokenDigest> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(TokenDigest::from_bytes(bytes.try_into().ok()?))
}
