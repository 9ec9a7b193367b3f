//! Initial access tokens, registration access tokens, and the ids of registered clients.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::oauth::secret::Secret;

/// The prefix of the ids of registered clients.
const CLIENT_ID: &str = "reg_";
/// 128 random bits in base64url.
const CLIENT_ID_RANDOM: usize = 22;
/// The length of the ids of registered clients.
pub(crate) const CLIENT_ID_LENGTH: usize = CLIENT_ID.len() + CLIENT_ID_RANDOM;
/// 256 random bits in base64url.
const RANDOM: usize = 43;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// An initial access token (RFC 7591 §1.2), with which a client registers.
    Initial,
    /// A registration access token (RFC 7592 §1.2), with which a client manages its own registration.
    Registration,
}

impl TokenKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Initial => "tgi_",
            Self::Registration => "tgr_",
        }
    }
}

/// The digest of a token of the registration endpoint. The gateway does not keep the token itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RegistrationToken([u8; 32]);

impl RegistrationToken {
    /// Makes a token of random bytes. Returns the token, which is shown once, and its digest.
    pub(crate) fn from_random(kind: TokenKind, random: &[u8; 32]) -> (Secret, Self) {
        let text = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(random));
        let digest = Self(Sha256::digest(text.as_bytes()).into());
        (Secret::new(text), digest)
    }

    /// Returns the digest of a presented token, or `None` if the text cannot be a token of this kind.
    pub(crate) fn of_presented(kind: TokenKind, text: &[u8]) -> Option<Self> {
        let is_one = text.len() == kind.prefix().len() + RANDOM && text.starts_with(kind.prefix().as_bytes());
        is_one.then(|| Self(Sha256::digest(text).into()))
    }

    /// Makes the digest of these bytes.
    pub(crate) fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Reads the digest that [`RegistrationToken::to_text`] has written.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let digest = URL_SAFE_NO_PAD.decode(text.strip_prefix("sha256:")?).ok()?;
        digest.try_into().ok().map(Self)
    }

    /// Returns the digest as text: `sha256:` and base64url.
    pub(crate) fn to_text(self) -> String {
        format!("sha256:{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Makes the id of a registered client.
pub(crate) fn client_id(random: &[u8; 16]) -> String {
    format!("{CLIENT_ID}{}", URL_SAFE_NO_PAD.encode(random))
}

/// Returns whether an id has the form of a registered client's.
pub(crate) fn is_client_id(id: &str) -> bool {
    id.strip_prefix(CLIENT_ID).is_some_and(|random| {
        random.len() == CLIENT_ID_RANDOM
            && random.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_digest_and_only_as_what_it_is() {
        let (token, digest) = RegistrationToken::from_random(TokenKind::Initial, &[7; 32]);
        let presented = token.expose().as_bytes();
        assert_eq!(RegistrationToken::of_presented(TokenKind::Initial, presented), Some(digest));
        assert_eq!(RegistrationToken::of_presented(TokenKind::Registration, presented), None);
        assert_eq!(RegistrationToken::from_text(&digest.to_text()), Some(digest));
        for bad in ["", "sha256:", "sha256:AAAA", token.expose()] {
            assert_eq!(RegistrationToken::from_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_have_one_form() {
        let id = client_id(&[0xff; 16]);
        assert!(is_client_id(&id), "{id}");
        for bad in ["server", "reg_", "reg_short", &format!("{id}x"), &id.replace("reg_", "reg-")] {
            assert!(!is_client_id(bad), "{bad}");
        }
    }
}
