//! Access tokens: their form, and the digest that identifies them.

use std::fmt;
use std::hash::{Hash, Hasher};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::block_api::compress256;
use zeroize::Zeroizing;

/// The prefix of every token, by which scanners recognize a leaked one.
pub(crate) const PREFIX: &str = "tg_";
const LENGTH: usize = PREFIX.len() + RANDOM + CHECKSUM;
const RANDOM: usize = 43;
const CHECKSUM: usize = 6;

/// An access token: `tg_`, 256 random bits as base64url, and a checksum of both.
///
/// The gate never stores one; it stores the [`TokenDigest`].
#[derive(Clone)]
pub struct AccessToken(Box<Zeroizing<[u8; LENGTH]>>);

impl AccessToken {
    /// The length of a token: the prefix, 43 characters of randomness and 6 of checksum.
    pub const LENGTH: usize = LENGTH;

    /// Makes the token of these random bytes.
    #[must_use]
    pub fn from_random(random: &[u8; 32]) -> Self {
        let mut token = Self(Box::new(Zeroizing::new([0; LENGTH])));
        let (body, checksum) = token.0.split_at_mut(LENGTH - CHECKSUM);
        let (prefix, encoded) = body.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        // 32 bytes are exactly these 43 characters.
        let _ = URL_SAFE_NO_PAD.encode_slice(random, encoded);
        checksum.copy_from_slice(&checksum_of(body));
        token
    }

    /// Returns the token itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        // Base64url is ASCII.
        std::str::from_utf8(&**self.0).unwrap_or_default()
    }

    /// Returns the digest that it is stored under.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(&self.0)
    }
}

/// Computes the CRC-32 in base64url without padding, most significant bits first. The encoding is written
/// out, because a general encoder costs more than the checksum.
#[inline]
fn checksum_of(body: &[u8]) -> [u8; CHECKSUM] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // 32 bits are five characters of six bits, and one whose upper two bits are used.
    let bits = u64::from(crc32fast::hash(body)) << 4;
    let digit = |at: u32| ALPHABET[(bits >> (30 - 6 * at) & 63) as usize];
    [digit(0), digit(1), digit(2), digit(3), digit(4), digit(5)]
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(redacted)")
    }
}

/// The first 128 bits of the SHA-256 of a token, which are its key in a store.
///
/// Finding a token for a given key still takes 2^128 attempts, and nobody gains anything from a collision
/// among their own tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest([u64; 2]);

impl TokenDigest {
    /// Computes the SHA-256. A token fits into one block with its padding (FIPS 180-4 §5.1.1), so one
    /// compression does it.
    #[inline]
    fn of(token: &[u8; LENGTH]) -> Self {
        const BLOCK: usize = 64;
        const INITIAL: [u32; 8] = [
            0x6a09_e667,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];
        const { assert!(LENGTH + 1 + 8 <= BLOCK) };
        let mut block = [0; BLOCK];
        let (message, padding) = block.split_at_mut(LENGTH);
        message.copy_from_slice(token);
        padding[0] = 0x80;
        block[BLOCK - 8..].copy_from_slice(&(8 * LENGTH as u64).to_be_bytes());
        let mut state = INITIAL;
        compress256(&mut state, &[block]);
        let word = |at: usize| u64::from(state[at]) << 32 | u64::from(state[at + 1]);
        Self([word(0), word(2)])
    }

    /// Returns the digest of a presented token, or `None` if the text cannot be an issued token. Garbage
    /// costs a checksum, but no lookup.
    #[must_use]
    pub fn of_presented(text: &[u8]) -> Option<Self> {
        let text: &[u8; LENGTH] = text.try_into().ok()?;
        if !text.starts_with(PREFIX.as_bytes()) {
            return None;
        }
        let (body, checksum) = text.split_at(LENGTH - CHECKSUM);
        (checksum == checksum_of(body)).then(|| Self::of(text))
    }

    /// Makes a digest from its stored form.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        Self([word(0), word(8)])
    }

    /// Returns the stored form: sixteen bytes, from which nobody can find the token.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let [first, second] = self.0.map(u64::to_be_bytes);
        std::array::from_fn(|at| if at < 8 { first[at] } else { second[at - 8] })
    }

    /// Returns 64 uniformly distributed bits, for tables that need no further hashing.
    #[must_use]
    pub fn hash_bits(&self) -> u64 {
        self.0[0]
    }
}

impl Hash for TokenDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash_bits());
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenDigest({:016x}…)", self.0[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shape_is_prefix_random_checksum() {
        let token = AccessToken::from_random(&[7; 32]);
        assert_eq!(token.expose().len(), 52);
        assert!(token.expose().starts_with("tg_BwcHBwcH"));
        let sum = crc32fast::hash(&token.expose().as_bytes()[..46]).to_be_bytes();
        assert_eq!(
            token.expose()[46..],
            URL_SAFE_NO_PAD.encode(sum),
            "a checksum as the base64url of any four bytes"
        );
        assert_eq!(TokenDigest::of_presented(token.expose().as_bytes()), Some(token.digest()));
        assert!(!format!("{token:?}").contains("BwcH"));
    }

    #[test]
    fn other_text_has_no_digest() {
        let token = AccessToken::from_random(&[7; 32]);
        let good = token.expose();
        let flipped: String =
            good.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c }).collect();
        for bad in
            ["", "tg_", "x", &good[..51], &format!("{good}A"), &flipped, &good.replacen("tg_", "tG_", 1)]
        {
            assert_eq!(TokenDigest::of_presented(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_digest_is_the_beginning_of_the_sha_256() {
        use sha2::{Digest as _, Sha256};

        for byte in 0..=u8::MAX {
            let token = AccessToken::from_random(&[byte; 32]);
            assert_eq!(token.digest().to_bytes(), Sha256::digest(token.expose())[..16]);
        }
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_refused(random in any::<[u8; 32]>(), at in 0..LENGTH, byte in any::<u8>()) {
            let token = AccessToken::from_random(&random);
            let mut text = token.expose().as_bytes().to_vec();
            prop_assume!(text[at] != byte);
            text[at] = byte;
            prop_assert_eq!(TokenDigest::of_presented(&text), None);
        }

        #[test]
        fn digests_of_different_tokens_differ(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
            prop_assume!(a != b);
            prop_assert_ne!(AccessToken::from_random(&a).digest(), AccessToken::from_random(&b).digest());
        }
    }
}
