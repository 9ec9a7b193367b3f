//! The registration data on which all tokens of a client depend, in a form that a store keeps over a restart.

use std::collections::BTreeSet;
use std::sync::Arc;

#[cfg(feature = "jose")]
use sha2::{Digest as _, Sha256};

#[cfg(feature = "jose")]
use crate::gate::keys::KeySource;
use crate::gate::spec::ClientSpec;
#[cfg(feature = "jose")]
use crate::oauth::certificate::Subject;

/// The first byte of the stored form. Another version has another one.
const VERSION: u8 = 1;
const DIGEST: usize = 32;
/// How much of each digest is in the form that every token carries.
const SHORT: usize = 8;

/// The generation of a client's tokens, and what the client proves itself with. Secrets are not in it: they
/// are rotated as a routine, and `reset-secret --revoke-tokens` says that one was leaked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registration {
    token_generation: u64,
    /// A digest of each key, of the URL of the keys, and of the certificate or its name. Keys at a URL are
    /// the client's own to change.
    credentials: BTreeSet<[u8; DIGEST]>,
}

impl Registration {
    pub(crate) fn of(spec: &ClientSpec) -> Self {
        #[cfg_attr(not(feature = "jose"), expect(unused_mut))]
        let mut credentials = BTreeSet::new();
        #[cfg(feature = "jose")]
        {
            match &spec.keys {
                Some(KeySource::Inline(set)) => credentials
                    .extend(set.keys().iter().map(|key| digest("key", key.thumbprint().as_bytes()))),
                Some(KeySource::Uri(uri)) => drop(credentials.insert(digest("uri", uri.as_bytes()))),
                None => {}
            }
            credentials.extend(spec.certificate_subject.as_ref().map(|subject| match subject {
                Subject::Dn(name) => digest("dn", name.canonical().as_bytes()),
                Subject::Dns(name) => digest("san-dns", name.as_bytes()),
                Subject::Uri(uri) => digest("san-uri", uri.as_bytes()),
                Subject::Ip(address) => digest("san-ip", address.to_string().as_bytes()),
                Subject::Email(address) => digest("san-email", address.as_bytes()),
            }));
            credentials.extend(spec.certificate_thumbprint.map(|own| digest("certificate", &own)));
        }
        Self { token_generation: spec.token_generation, credentials }
    }

    /// Returns whether all tokens that were issued under `before` end: the generation is another, or
    /// something that the client proved itself with is missing.
    pub(crate) fn ends_tokens_of(&self, before: &Self) -> bool {
        self.token_generation != before.token_generation || !before.credentials.is_subset(&self.credentials)
    }

    /// Makes the form that the grants of tokens carry: a version, the generation, and the beginnings of the
    /// digests.
    pub(crate) fn carried(&self) -> Arc<[u8]> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.token_generation.to_be_bytes());
        self.credentials.iter().for_each(|credential| bytes.extend_from_slice(&credential[..SHORT]));
        bytes.into()
    }

    /// Returns whether tokens are valid that another gate has issued under a registration, in the form that
    /// they carry. As after a reload, the generation must be the same, and nothing may be missing that the
    /// client proved itself with.
    pub(crate) fn accepts(&self, carried: &[u8]) -> bool {
        let Some(rest) = carried.strip_prefix(&[VERSION]) else { return false };
        let Some((token_generation, rest)) = rest.split_first_chunk() else { return false };
        let (credentials, rest) = rest.as_chunks::<SHORT>();
        let has = |short: &[u8; SHORT]| self.credentials.iter().any(|known| known.starts_with(short));
        rest.is_empty()
            && u64::from_be_bytes(*token_generation) == self.token_generation
            && credentials.iter().all(has)
    }

    /// Writes the stored form: a version, the generation, and the digests.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.token_generation.to_be_bytes());
        self.credentials.iter().for_each(|credential| bytes.extend_from_slice(credential));
        bytes
    }

    /// Reads what [`Registration::to_bytes`] has written. Returns `None` for anything else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[VERSION])?;
        let (token_generation, rest) = rest.split_first_chunk()?;
        let (credentials, rest) = rest.as_chunks::<DIGEST>();
        rest.is_empty().then(|| Self {
            token_generation: u64::from_be_bytes(*token_generation),
            credentials: credentials.iter().copied().collect(),
        })
    }
}

#[cfg(feature = "jose")]
fn digest(kind: &str, credential: &[u8]) -> [u8; DIGEST] {
    Sha256::new().chain_update(kind).chain_update([0]).chain_update(credential).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_read_as_it_was_written_and_nothing_else_is_read() {
        for credentials in [vec![], vec![[1; 32]], vec![[1; 32], [2; 32]]] {
            let written =
                Registration { token_generation: 1 << 52, credentials: credentials.into_iter().collect() };
            let bytes = written.to_bytes();
            assert_eq!(Registration::from_bytes(&bytes), Some(written));
            assert_eq!(Registration::from_bytes(&bytes[..bytes.len() - 1]), None, "a byte less");
            assert_eq!(Registration::from_bytes(&[&bytes[..], &[0]].concat()), None, "a byte more");
            assert_eq!(
                Registration::from_bytes(&[&[VERSION + 1], &bytes[1..]].concat()),
                None,
                "another version"
            );
        }
        assert_eq!(Registration::from_bytes(b""), None);
    }

    #[test]
    fn a_token_of_another_gate_is_valid_if_nothing_is_missing_that_it_depends_on() {
        let registration = |token_generation, credentials: &[u8]| Registration {
            token_generation,
            credentials: credentials.iter().map(|first| [*first; 32]).collect(),
        };
        let before = registration(1 << 52, &[1, 2]);
        let carried = before.carried();
        assert!(before.accepts(&carried) && registration(1 << 52, &[0, 1, 2, 3]).accepts(&carried));
        assert!(!registration(1 << 52, &[1]).accepts(&carried), "a key is missing");
        assert!(!registration(7, &[1, 2]).accepts(&carried), "another generation");
        for other in [&b""[..], &carried[..carried.len() - 1], &[&carried[..], &[0]].concat()] {
            assert!(!before.accepts(other));
        }
        let later = [&[VERSION + 1], &carried[1..]].concat();
        assert!(!before.accepts(&later), "another version");
    }
}
